from __future__ import annotations

import json

import pytest
import pytest_asyncio

from evalrpc_server.domain.results import Context
from tests.standins.openai import OpenAiStandIn
from tests.targets.asking import Asker, way_out

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESPONSES = {"api": "OPEN_AI_API_RESPONSES"}
TOOL = {"type": "function", "name": "find", "function": {"name": "find"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standin():
    async with OpenAiStandIn(answers={"The capital of France?": "Paris"}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def openai(standin):
    async with way_out(KEY=standin.key) as outbound:
        yield Asker(
            outbound, "openai", base_url=standin.base_url, api_key="${secret:KEY}", model="gpt-stand-in"
        )


@pytest_asyncio.fixture(loop_scope="module")
async def alone(standin):
    """Like `openai`, with a rate limiter of its own, which throttling leaves no traces in."""
    async with way_out(KEY=standin.key) as outbound:
        yield Asker(
            outbound, "openai", base_url=standin.base_url, api_key="${secret:KEY}", model="gpt-stand-in"
        )


async def test_an_input_is_one_message_of_the_user(openai, standin):
    answer = await openai.answer("The capital of France?", parameters={"temperature": 0, "seed": 7})
    assert json.loads(answer.output) == "Paris"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 5)
    assert (answer.usage.model, answer.usage.cost_usd) == ("gpt-stand-in-2026-01-01", None)
    assert json.loads(answer.metadata) == {
        "id": "chatcmpl-1",
        "finish_reason": "stop",
        "system_fingerprint": "fp_1",
        "request_id": "req_0123456789abcdef",
    }
    assert standin.requests[-1].body == {
        "model": "gpt-stand-in",
        "temperature": 0,
        "seed": 7,
        "messages": [{"role": "user", "content": "The capital of France?"}],
    }
    assert standin.requests[-1].headers["traceparent"].startswith("00-0af76519")


async def test_an_object_as_input_is_sent_as_json_text(openai, standin):
    await openai.answer({"city": "Paris"})
    assert standin.requests[-1].body["messages"][0]["content"] == '{"city": "Paris"}'


async def test_messages_are_templates(openai, standin):
    messages = [
        {"role": "developer", "content": "Answer in {{metadata.language}}."},
        {"role": "user", "content": "{{input}}"},
        {"role": "user", "content": "{{input.parts}}"},
        {"role": "user", "content": [{"type": "text", "text": "{{input.q}}"}]},
    ]
    parts = [{"type": "text", "text": "hello"}]
    given = {"q": 'a "quoted" question', "parts": parts}
    await openai.answer(given, metadata={"language": "French"}, messages=messages)
    assert [message["content"] for message in standin.requests[-1].body["messages"]] == [
        "Answer in French.",
        json.dumps(given),
        parts,
        [{"type": "text", "text": 'a "quoted" question'}],
    ]


async def test_a_template_without_its_value_fails_the_item(openai):
    error = await openai.error("x", messages=[{"role": "user", "content": "{{input.question}}"}])
    assert (error.reason, error.metadata["placeholder"]) == ("TEMPLATE_FAILED", "input.question")
    assert error.metadata["field"] == "experiment.task.openai.messages[0].content"


async def test_json_output(openai):
    wanted = {"response_format": {"type": "json_object"}}
    output = await openai.output("The capital of France?", parameters=wanted, json_output=True)
    assert output == {"answer": "Paris"}
    error = await openai.error("hello", json_output=True)
    assert (error.reason, error.metadata["field"]) == ("TASK_INVALID_ANSWER", "output")


async def test_json_output_that_was_cut_says_so(openai):
    error = await openai.error("!cut", json_output=True)
    assert "cut off at the token limit" in error.message


async def test_json_in_a_fence_is_json(standin, openai):
    standin.answers["fenced"] = '```json\n{"a": 1.10}\n```'
    assert (await openai.answer("fenced", json_output=True)).output == '{"a": 1.10}'


async def test_content_may_be_null_beside_tool_calls(openai):
    output = await openai.output("x", parameters={"tools": [TOOL]})
    assert output["content"] is None
    assert output["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"query": "x"}'}


async def test_content_in_parts(openai):
    assert await openai.output("!parts") == "one two"


async def test_output_cut_at_the_token_limit_is_kept_and_marked(openai):
    answer = await openai.answer("!cut")
    assert json.loads(answer.metadata)["finish_reason"] == "length"


@pytest.mark.parametrize("spec", [{}, RESPONSES])
@pytest.mark.parametrize(("text", "finish_reason"), [("!refuse", "refusal"), ("!filter", "content_filter")])
async def test_refusals_and_content_filters_are_no_output(openai, spec, text, finish_reason):
    error = await openai.error(text, **spec)
    assert (error.reason, error.retryable) == ("TASK_REFUSED", False)
    assert error.metadata["finish_reason"] == finish_reason


async def test_a_filtered_prompt_is_a_refusal_too(openai):
    error = await openai.error("!filtered-request")
    assert (error.reason, error.metadata["code"]) == ("TASK_REFUSED", "content_filter")


async def test_throttling_is_retried_when_the_server_says(alone):
    failure = await alone.failure("!throttle")
    assert (failure.error.reason, failure.error.retryable) == ("TASK_HTTP_STATUS", True)
    assert failure.retry_after == pytest.approx(0.02)
    assert alone.slowed
    assert (await alone.failure("!throttle-long")).retry_after == 60


async def test_an_exhausted_account_is_not_retried(alone):
    error = await alone.error("!quota")
    assert (error.reason, error.retryable) == ("TASK_QUOTA_EXHAUSTED", False)
    assert not alone.slowed


async def test_quota_that_is_back_soon_is_throttling(alone):
    failure = await alone.failure("!quota-for-a-minute")
    assert (failure.error.retryable, failure.retry_after) == (True, 7)
    assert alone.slowed


@pytest.mark.parametrize("spec", [{}, RESPONSES])
async def test_throttling_within_a_success_slows_down_too(alone, spec):
    error = await alone.error("!throttled-in-200", **spec)
    assert (error.reason, error.retryable) == ("TASK_FAILED", True)
    assert alone.slowed


@pytest.mark.parametrize(
    ("text", "status", "retryable", "said"),
    [
        ("!overloaded", "503", True, "currently overloaded"),
        ("!never-again", "503", False, "Not today"),
        ("!too-long", "400", False, "maximum context length"),
        ("!string-error", "500", True, "unexpectedly stopped"),
        ("!detail", "422", False, "Field required"),
        ("!object-error", "400", False, "bad request"),
    ],
)
async def test_errors_by_status_in_many_shapes(openai, text, status, retryable, said):
    error = await openai.error(text)
    assert (error.reason, error.metadata["status"]) == ("TASK_HTTP_STATUS", status)
    assert error.retryable is retryable
    assert said in error.message


@pytest.mark.parametrize(
    ("text", "retryable", "code"),
    [("!error-in-200", True, "502"), ("!refusal-in-200", False, "404"), ("!envelope-in-200", False, "102")],
)
async def test_errors_within_a_success(openai, text, retryable, code):
    error = await openai.error(text)
    assert (error.reason, error.retryable, error.metadata["code"]) == ("TASK_FAILED", retryable, code)


async def test_no_choice_is_no_answer(openai):
    error = await openai.error("!no-choices")
    assert (error.reason, error.metadata["field"]) == ("TASK_INVALID_ANSWER", "choices")


async def test_passages_of_other_vendors(openai):
    assert (await openai.answer("!azure-citations")).contexts == (Context(text="from azure", source="t"),)
    (quote,) = (await openai.answer("!quotes")).contexts
    assert quote == Context(text="Paris\nis a city", id="7", source="cities.csv")


async def test_usage_and_cost_only_where_the_answer_has_them(openai):
    assert (await openai.answer("!cost")).usage.cost_usd == 0.00125
    assert (await openai.answer("!no-usage")).usage is None


async def test_a_wrong_key_is_told_without_the_key(openai):
    error = await openai.error("x", headers={"Authorization": "Bearer ${secret:KEY}x"})
    assert "check the key" in error.message
    assert "sk-stand-in" not in str(error)


async def test_responses(openai, standin):
    answer = await openai.answer("The capital of France?", **RESPONSES)
    assert json.loads(answer.output) == "Paris"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 5)
    assert standin.requests[-1].path == "/v1/responses"
    assert standin.requests[-1].body["input"] == [{"role": "user", "content": "The capital of France?"}]


async def test_responses_have_no_output_text_on_the_wire(openai):
    assert await openai.output("!two-parts", **RESPONSES) == "one two"


async def test_responses_call_functions_in_the_shape_of_chat_completions(openai):
    output = await openai.output("x", parameters={"tools": [TOOL]}, **RESPONSES)
    assert output["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"query": "x"}'}}
    ]


async def test_responses_show_what_file_search_found_where_asked(openai):
    include = {"include": ["file_search_call.results"]}
    answer = await openai.answer("!search", parameters=include, **RESPONSES)
    assert answer.contexts == (Context(text="a passage", id="file-1", source="a.md", score=0.9),)
    assert (await openai.answer("!search", **RESPONSES)).contexts == ()


@pytest.mark.parametrize(
    ("text", "retryable", "code"),
    [
        ("!failed", True, "server_error"),
        ("!failed-prompt", False, "invalid_prompt"),
        ("!queued", False, "queued"),
    ],
)
async def test_responses_that_failed_with_status_200(openai, text, retryable, code):
    error = await openai.error(text, **RESPONSES)
    assert (error.reason, error.retryable, error.metadata["code"]) == ("TASK_FAILED", retryable, code)


async def test_a_response_cut_at_the_token_limit(openai):
    answer = await openai.answer("!cut", **RESPONSES)
    assert json.loads(answer.metadata)["finish_reason"] == "length"


async def test_azure_has_its_version_in_the_query(openai, standin):
    await openai.answer("x", base_url=f"{standin.base_url}?api-version=2026-01-01")
    request = standin.requests[-1]
    assert (request.path, request.query) == ("/v1/chat/completions", {"api-version": "2026-01-01"})
