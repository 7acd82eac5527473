from __future__ import annotations

import json

import pytest
import pytest_asyncio

from evalrpc_server.domain.results import Context
from tests.standins.dify import DifyStandIn
from tests.targets.asking import TRACE_ID, Asker, way_out

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCKING = {"response_mode": "DIFY_RESPONSE_MODE_BLOCKING"}
COMPLETION = {"app": "DIFY_APP_COMPLETION", "api_key": "${secret:COMPLETION}"}
WORKFLOW = {"app": "DIFY_APP_WORKFLOW", "api_key": "${secret:WORKFLOW}"}
AGENT = {"api_key": "${secret:AGENT}"}
CHATFLOW = {"api_key": "${secret:CHATFLOW}"}
CITED = Context(text="Paris is the capital of France.", id="seg1", source="cities.md", score=0.98)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standin():
    async with DifyStandIn(
        prefix="/service-api", answers={"The capital of France?": "Paris, of course"}
    ) as dify:
        yield dify


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dify(standin):
    keys = standin.keys
    secrets = {"CHAT": keys["chat"], "AGENT": keys["agent-chat"], "CHATFLOW": keys["advanced-chat"]}
    secrets |= {"COMPLETION": keys["completion"], "WORKFLOW": keys["workflow"]}
    async with way_out(**secrets) as outbound:
        yield Asker(outbound, "dify", url=standin.base_url, api_key="${secret:CHAT}")


@pytest_asyncio.fixture(loop_scope="module")
async def alone(standin):
    """Like `dify`, with a rate limiter of its own, which throttling leaves no traces in."""
    async with way_out() as outbound:
        yield Asker(outbound, "dify", url=standin.base_url, api_key=standin.keys["chat"])


@pytest.mark.parametrize("mode", [{}, BLOCKING])
async def test_a_chat(dify, standin, mode):
    answer = await dify.answer("The capital of France?", **mode)
    assert json.loads(answer.output) == "Paris, of course"
    assert answer.contexts == (CITED,)
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cost_usd) == (10, 5, 0.0001)
    assert set(json.loads(answer.metadata)) == {"message_id", "conversation_id", "task_id"}
    assert standin.requests[-1].body == {
        "inputs": {},
        "query": "The capital of France?",
        "user": "evalrpc",
        "auto_generate_name": False,
        "response_mode": "blocking" if mode else "streaming",
    }


async def test_no_conversation_is_named_at_the_cost_of_a_model_call(dify, standin):
    await dify.answer("x")
    assert standin.namings == 0


async def test_a_full_url_is_used_as_it_is(dify, standin):
    url = f"{standin.base_url}/chat-messages"
    assert await dify.output("The capital of France?", url=url) == "Paris, of course"
    assert await dify.output(
        {"query": "x"}, url=f"{standin.base_url}/workflows/run", api_key=WORKFLOW["api_key"]
    )


async def test_the_user_may_stand_among_the_inputs(dify, standin):
    inputs = {"user": "langfuse-dataset-runner", "language": "{{metadata.language}}", "n": "{{input.n}}"}
    await dify.answer({"question": "x", "n": 3}, metadata={"language": "fr"}, inputs=inputs)
    body = standin.requests[-1].body
    assert body["user"] == "langfuse-dataset-runner"
    assert body["inputs"] == {"user": "langfuse-dataset-runner", "language": "fr", "n": 3}
    await dify.answer("x", inputs=inputs | {"n": 1, "language": "fr"}, user="me")
    assert standin.requests[-1].body["user"] == "me"


@pytest.mark.parametrize(
    ("value", "query"),
    [
        ("plain", "plain"),
        ({"question": "q", "input": "i"}, "q"),
        ({"query": "first", "question": "q"}, "first"),
        ({"text": "t", "n": 1}, "t"),
        ({"user_input": "u"}, "u"),
        (["a", 1], '["a", 1]'),
        (42, "42"),
    ],
)
async def test_what_the_question_is(dify, standin, value, query):
    await dify.answer(value)
    assert standin.requests[-1].body["query"] == query


async def test_a_question_by_template(dify, standin):
    await dify.answer({"a": "b", "c": 1}, query="{{input.a}} and {{input.c}}")
    assert standin.requests[-1].body["query"] == "b and 1"


async def test_an_input_without_a_question(dify):
    error = await dify.error({"city": "Paris"})
    assert (error.reason, error.metadata["field"]) == ("TEMPLATE_FAILED", "experiment.task.dify.query")


async def test_dify_joins_the_trace_of_the_item(dify, standin):
    await dify.answer("x")
    assert standin.trace_ids[-1] == TRACE_ID


async def test_an_agent_refuses_blocking_mode_once(dify, standin):
    standin.requests.clear()
    answer = await dify.answer("x", "y", **AGENT, **BLOCKING)
    assert json.loads(answer.output) == "Echo: y"
    modes = [request.body["response_mode"] for request in standin.requests]
    assert modes == ["blocking", "streaming", "streaming"]


async def test_what_an_agent_called_is_kept(dify):
    answer = await dify.answer("x", **AGENT)
    (called,) = json.loads(answer.metadata)["tool_calls"]
    assert called == {"name": "search", "arguments": '{"search": {"q": "x"}}', "result": "found"}


async def test_a_text_generator_gets_its_query_twice(dify, standin):
    assert await dify.output("x", **COMPLETION) == "Echo: x"
    body = standin.requests[-1].body
    assert (body["query"], body["inputs"]) == ("x", {"query": "x"})


@pytest.mark.parametrize("mode", [{}, BLOCKING])
async def test_moderation_replaces_the_answer(dify, mode):
    assert await dify.output("!replace", **mode) == "moderated"


async def test_citations_that_are_off_fall_back_on_what_was_retrieved(dify):
    found = Context(text=CITED.text, source="cities.md", score=0.5)
    assert (await dify.answer("!no-citations", **CHATFLOW)).contexts == (found,)
    assert (await dify.answer("x", **CHATFLOW)).contexts == (CITED,)


@pytest.mark.parametrize("mode", [{}, BLOCKING])
async def test_a_workflow(dify, standin, mode):
    answer = await dify.answer({"query": "x", "n": 1}, **WORKFLOW, **mode)
    assert json.loads(answer.output) == "Echo: x"
    assert json.loads(answer.metadata)["workflow_run_id"] == "run1"
    assert standin.requests[-1].body["inputs"] == {"query": "x", "n": 1}
    assert "query" not in standin.requests[-1].body


async def test_a_version_of_a_workflow(dify, standin):
    await dify.answer({"query": "x"}, workflow_id="wf 1", **WORKFLOW)
    assert standin.requests[-1].path.endswith("/workflows/wf 1/run")
    await dify.answer("x", workflow_id="wf1")
    assert standin.requests[-1].body["workflow_id"] == "wf1"


async def test_the_outputs_of_a_workflow(dify):
    given = {"query": "!two-outputs"}
    assert await dify.output(given, **WORKFLOW) == {"text": "Echo: !two-outputs", "score": 3}
    assert await dify.output(given, output_variable="score", **WORKFLOW) == 3
    error = await dify.error(given, output_variable="other", **WORKFLOW)
    assert (error.reason, error.metadata["field"]) == ("TASK_INVALID_ANSWER", "data.outputs.other")


@pytest.mark.parametrize("mode", [{}, BLOCKING])
@pytest.mark.parametrize(
    ("query", "code"), [("!run-failed", "failed"), ("!stopped", "stopped"), ("!paused", "paused")]
)
async def test_a_workflow_fails_with_status_200(dify, mode, query, code):
    error = await dify.error({"query": query}, **WORKFLOW, **mode)
    assert (error.reason, error.metadata["code"]) == ("TASK_FAILED", code)


async def test_a_workflow_that_partly_succeeded_has_an_output(dify):
    answer = await dify.answer({"query": "!partial"}, **WORKFLOW)
    assert json.loads(answer.output) == "Echo: !partial"
    assert json.loads(answer.metadata)["status"] == "partial-succeeded"


async def test_a_chatflow_that_failed_is_not_an_empty_answer(dify):
    error = await dify.error("!run-failed", **CHATFLOW)
    assert (error.reason, error.metadata["code"]) == ("TASK_FAILED", "failed")
    assert "node LLM broke" in error.message


@pytest.mark.parametrize("spec", [{}, WORKFLOW])
async def test_an_error_event_ends_the_stream_with_status_200(dify, spec):
    error = await dify.error({"query": "!error-midway"}, **spec)
    assert (error.reason, error.retryable) == ("TASK_FAILED", True)


async def test_a_stream_that_ends_too_early_is_no_answer(dify):
    error = await dify.error("!cut")
    assert (error.reason, error.retryable) == ("TASK_TRUNCATED", True)


async def test_a_failed_model_is_worth_one_more_attempt(dify):
    assert (await dify.error("!model-broke")).retryable
    error = await dify.error("!model-broke", attempt=2)
    assert (error.retryable, error.metadata["code"]) == (False, "completion_request_error")


async def test_a_provider_without_quota(dify):
    error = await dify.error("!no-quota")
    assert (error.reason, error.retryable) == ("TASK_QUOTA_EXHAUSTED", False)


async def test_too_many_requests_are_retried_without_being_told_when(alone, standin):
    standin.throttle = 1
    failure = await alone.failure("x")
    assert (failure.error.retryable, failure.error.metadata["code"]) == (True, "too_many_requests")
    assert failure.retry_after is None
    assert alone.slowed


async def test_too_many_requests_in_the_middle_of_a_stream_slow_down_too(alone):
    error = await alone.error("!throttled-midway")
    assert (error.reason, error.retryable, error.metadata["status"]) == ("TASK_FAILED", True, "429")
    assert alone.slowed


@pytest.mark.parametrize(
    ("spec", "status", "code"),
    [
        ({"headers": {"Authorization": "Bearer app-no"}}, "401", "unauthorized"),
        (COMPLETION | {"app": "DIFY_APP_CHAT"}, "400", "not_chat_app"),
    ],
)
async def test_errors_by_status(dify, spec, status, code):
    error = await dify.error("x", **spec)
    assert (error.metadata["status"], error.metadata["code"], error.retryable) == (status, code, False)
