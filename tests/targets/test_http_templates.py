from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.registry import open_target
from tests.standins.endpoints import Endpoints, Exchange, Request
from tests.targets.resources import resources

EXPERIMENT = ExperimentRef(id="exp_1", name="n", run_name="run 1")
SECRETS = {"EVALRPC_SECRET_TOKEN": "s3cr3t-token"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def endpoints():
    async with Endpoints() as running:
        yield running


@pytest.fixture
async def outbound():
    way_out = Outbound(secrets=Secrets(environment=SECRETS))
    yield way_out
    await way_out.aclose()


def make_call(given: Any = "x", *, item_id: str = "a", **fields: Any) -> TaskCall:
    return TaskCall(
        experiment=EXPERIMENT,
        item=Item(index=0, id=item_id, input=Document(json.dumps(given)), **fields),
        trial=2,
        attempt=1,
        timeout=30,
        trace_id=TRACE,
        span_id="b7ad6b7169203331",
    )


async def run(outbound: Outbound, spec: dict[str, Any], call: TaskCall | None = None) -> TaskAnswer:
    target = open_target(TaskSpec.model_validate({"http": spec}), resources(outbound))
    try:
        return await target.call(call or make_call())
    finally:
        await target.aclose()


async def failure(outbound: Outbound, spec: dict[str, Any], call: TaskCall | None = None) -> TaskError:
    with pytest.raises(TaskError) as raised:
        await run(outbound, spec, call)
    return raised.value


def answering(*bodies: Any, content_type: str = "application/json"):
    left = list(bodies)

    async def handler(request: Request, exchange: Exchange) -> None:
        body = left.pop(0) if len(left) > 1 else left[0]
        await exchange.answer(body if isinstance(body, str) else json.dumps(body), content_type=content_type)

    return handler


async def test_every_part_of_a_call_is_a_template(endpoints, outbound):
    endpoints.routes["/v1/apps/a%2Fb%20%3F%26/ask"] = answering('"ok"')
    spec = {
        "url": endpoints.url("/v1/apps/{{metadata.app}}/ask?user={{input.user}}&fixed=1"),
        "method": "PUT",
        "headers": {"X-Item": "item {{item_id}}", "Authorization": "Bearer ${secret:TOKEN}"},
        "body": {
            "q": "{{input.q}}",
            "k": "{{metadata.k}}",
            "trace": "{{trace_id}}",
            "t": "{{trial}}",
            "s": False,
        },
    }
    metadata = Document('{"app": "a/b ?&", "k": 9007199254740993}')
    call = make_call({"q": 'say "hi"\n{{item_id}} ${secret:TOKEN}', "user": "ä&b"}, metadata=metadata)
    assert (await run(outbound, spec, call)).output == '"ok"'
    [request] = endpoints.requests
    assert request.method == "PUT"
    assert request.target == "/v1/apps/a%2Fb%20%3F%26/ask?user=%C3%A4%26b&fixed=1"
    assert request.headers["x-item"] == "item a"
    assert request.headers["authorization"] == "Bearer s3cr3t-token"
    assert request.json() == {
        "q": 'say "hi"\n{{item_id}} ${secret:TOKEN}',
        "k": 9007199254740993,
        "trace": TRACE,
        "t": 2,
        "s": False,
    }


async def test_a_header_expands_secrets_in_its_own_text_alone(endpoints, outbound):
    endpoints.routes["/t"] = answering('"you sent s3cr3t-token"')
    spec = {"url": endpoints.url("/t"), "headers": {"X": "${secret:TOKEN} {{input}}"}}
    answer = await run(outbound, spec, make_call("${secret:TOKEN}"))
    assert endpoints.requests[0].headers["x"] == "s3cr3t-token ${secret:TOKEN}"
    assert answer.output == '"you sent [redacted]"'


async def test_a_get_sends_no_body(endpoints, outbound):
    endpoints.routes["/t"] = answering('"ok"')
    await run(outbound, {"url": endpoints.url("/t?q={{input}}"), "method": "GET"})
    [request] = endpoints.requests
    assert (request.method, request.body) == ("GET", b"")
    assert "content-type" not in request.headers


@pytest.mark.parametrize(
    ("spec", "given", "field"),
    [
        ({"headers": {"X": "{{input}}"}}, "a\r\nEvil: 1", "http.headers.X"),
        ({"headers": {"X": "{{input}}"}}, "é", "http.headers.X"),
        ({"path": "/a/{{input}}/b"}, "..", "http.url"),
        ({"body": {"q": "{{input.q}}"}}, "no object", "http.body"),
        ({"body": "q: {{input}}"}, None, "http.body"),
    ],
)
async def test_a_template_that_an_item_does_not_fit_fails_the_item_and_sends_nothing(
    endpoints, outbound, spec, given, field
):
    spec = {"url": endpoints.url(spec.pop("path", "/t")), **spec}
    error = (await failure(outbound, spec, make_call(given))).error
    assert error.reason is Reason.TEMPLATE_FAILED
    assert error.metadata["field"] == f"experiment.task.{field}"
    assert error.metadata["placeholder"].startswith("input")
    assert not error.retryable
    assert endpoints.requests == []


async def test_selectors_find_the_parts_of_a_result(endpoints, outbound):
    endpoints.routes["/t"] = answering(
        {
            "data": {"answer": "<think>hm</think>Paris [ID:0].", "big": 9007199254740993},
            "chunks": {"h1": {"content": "c", "id": 7, "document_name": "d.pdf", "similarity": 0.5}},
            "usage": {"in": 3, "out": 4},
        }
    )
    spec = {
        "url": endpoints.url("/t"),
        "selectors": {
            "output": "data.answer",
            "contexts": "chunks.*.{text: content, id: id, source: document_name, score: similarity}",
            "input_tokens": "usage.in",
            "output_tokens": "usage.out",
            "cost_usd": "usage.none",
            "metadata": "data.{big: big}",
        },
        "strip": ["(?s)^<think>.*?</think>", r"\s*\[ID:\s*\d+\]"],
    }
    assert await run(outbound, spec) == TaskAnswer(
        output=Document('"Paris."'),
        contexts=(Context(text="c", id="7", source="d.pdf", score=0.5),),
        usage=Usage(input_tokens=3, output_tokens=4),
        metadata=Document('{"big":9007199254740993}'),
    )


@pytest.mark.parametrize(
    ("spec", "body", "reason", "said"),
    [
        (
            {"selectors": {"error": "error.message"}},
            {"error": {"message": "No s3cr3t-token."}},
            "TASK_FAILED",
            "No [redacted].",
        ),
        ({"success": "code == `0`"}, {"code": 102, "message": "m"}, "TASK_FAILED", "success predicate"),
        ({"selectors": {"output": "data.answer"}}, {"code": 9}, "TASK_INVALID_ANSWER", "finds nothing"),
        ({"selectors": {"contexts": "c"}}, {"c": "text"}, "TASK_INVALID_ANSWER", "contexts must be"),
        (
            {"selectors": {"output": "length(a)"}},
            {"a": 1},
            "TASK_INVALID_ANSWER",
            "length() was given number",
        ),
        ({"selectors": {"input_tokens": "n"}}, {"n": -1}, "TASK_INVALID_ANSWER", "usage.input_tokens"),
    ],
)
async def test_an_answer_that_tells_of_a_failure_is_one(endpoints, outbound, spec, body, reason, said):
    outbound.secrets.resolve("TOKEN")
    endpoints.routes["/t"] = answering(body)
    error = (await failure(outbound, {"url": endpoints.url("/t"), **spec})).error
    assert error.reason == reason
    assert said in error.message


async def test_a_pre_call_hands_values_to_the_calls_after_it(endpoints, outbound):
    endpoints.routes["/sessions"] = answering({"data": {"id": "s/1", "n": 9007199254740993}})
    endpoints.routes["/chat"] = answering('"hello"')
    endpoints.routes["/sessions/s%2F1"] = answering("{}")
    spec = {
        "url": endpoints.url("/chat"),
        "body": {"session": "{{captured.id}}", "n": "{{captured.n}}"},
        "pre_call": {
            "url": endpoints.url("/sessions"),
            "body": {"name": "item-{{item_id}}"},
            "headers": {"Authorization": "Bearer ${secret:TOKEN}"},
            "capture": {"id": "data.id", "n": "data.n"},
        },
        "post_call": {"url": endpoints.url("/sessions/{{captured.id}}"), "method": "DELETE"},
    }
    assert (await run(outbound, spec)).output == '"hello"'
    first, second, third = endpoints.requests
    assert first.json() == {"name": "item-a"}
    assert first.headers["authorization"] == "Bearer s3cr3t-token"
    assert second.json() == {"session": "s/1", "n": 9007199254740993}
    assert "authorization" not in second.headers
    assert (third.method, third.target, third.body) == ("DELETE", "/sessions/s%2F1", b"")


async def test_the_post_call_is_made_whatever_came_of_the_call(endpoints, outbound):
    endpoints.routes["/gone"] = answering("{}")
    started = asyncio.Event()

    async def hang(request: Request, exchange: Exchange) -> None:
        started.set()
        await exchange.until_closed()

    endpoints.routes["/hang"] = hang
    post_call = {"url": endpoints.url("/gone"), "method": "DELETE"}
    error = await failure(outbound, {"url": endpoints.url("/nowhere"), "post_call": post_call})
    assert error.error.metadata["status"] == "404"
    assert endpoints.requests[-1].path == "/gone"
    cut = asyncio.create_task(run(outbound, {"url": endpoints.url("/hang"), "post_call": post_call}))
    await started.wait()
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    assert [request.path for request in endpoints.requests[-2:]] == ["/hang", "/gone"]


async def test_a_pre_call_that_fails_names_itself(endpoints, outbound):
    endpoints.routes["/t"] = answering('"never"')
    endpoints.routes["/s"] = answering({"code": 1})
    calls = {
        "url": endpoints.url("/t"),
        "pre_call": {"url": endpoints.url("/s"), "capture": {"id": "data.id"}},
    }
    error = (await failure(outbound, calls)).error
    assert error.reason is Reason.TASK_INVALID_ANSWER
    assert "task's pre_call endpoint" in error.message
    assert "capture.id" in error.message
    assert len(endpoints.requests) == 1


def polled(endpoints: Endpoints, *answers: Any) -> dict[str, Any]:
    endpoints.routes["/jobs"] = answering({"id": "j 1"})
    endpoints.routes["/jobs/j%201"] = answering(*answers)
    return {
        "url": endpoints.url("/jobs"),
        "body": {"q": "{{input}}"},
        "headers": {"Authorization": "Bearer ${secret:TOKEN}"},
        "polling": {
            "url": endpoints.url("/jobs/{{captured.id}}"),
            "capture": {"id": "id"},
            "done": "status == 'done'",
            "failed": "status == 'failed'",
            "interval": "0.001s",
        },
        "selectors": {"output": "result", "error": "error"},
    }


async def test_a_submitted_call_is_polled_until_its_result_is_there(endpoints, outbound):
    spec = polled(endpoints, {"status": "queued"}, {"status": "running"}, {"status": "done", "result": 42})
    assert (await run(outbound, spec)).output == "42"
    assert [request.method for request in endpoints.requests] == ["POST", "GET", "GET", "GET"]
    assert endpoints.requests[-1].headers["authorization"] == "Bearer s3cr3t-token"


async def test_submitted_work_that_fails_fails_the_item(endpoints, outbound):
    error = (await failure(outbound, polled(endpoints, {"status": "failed", "error": "no GPU"}))).error
    assert error.reason is Reason.TASK_FAILED
    assert error.message.endswith("reports that the submitted work has failed: no GPU.")


async def test_polls_that_fail_for_a_moment_are_repeated(endpoints, outbound):
    spec = polled(endpoints, {"status": "done", "result": "ok"})
    good, left = endpoints.routes["/jobs/j%201"], [503, 429]

    async def flaky(request: Request, exchange: Exchange) -> None:
        if left:
            await exchange.answer("busy", status=left.pop())
        else:
            await good(request, exchange)

    endpoints.routes["/jobs/j%201"] = flaky
    assert (await run(outbound, spec)).output == '"ok"'
    assert len(endpoints.requests) == 4


SSE = {
    "format": "HTTP_STREAM_FORMAT_SERVER_SENT_EVENTS",
    "text": "HTTP_STREAM_TEXT_DELTAS",
    "output": "delta",
}


def events(*documents: Any, end: str = "") -> str:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in documents) + end


async def streamed(
    endpoints,
    outbound,
    body: str,
    *,
    content_type: str = "text/event-stream",
    selectors: Any = None,
    **more: Any,
):
    endpoints.routes["/s"] = answering(body, content_type=content_type)
    spec: dict[str, Any] = {"url": endpoints.url("/s"), "event_stream": {**SSE, **more}}
    if selectors:
        spec["selectors"] = selectors
    return await run(outbound, spec)


async def test_deltas_are_joined_and_the_last_event_tells_the_rest(endpoints, outbound):
    body = events(
        {"delta": "Pa"}, {"ping": 1}, {"delta": ""}, {"delta": "ris"}, {"usage": {"in": 5}, "docs": ["c"]}
    )
    selectors = {"contexts": "docs", "input_tokens": "usage.in"}
    answer = await streamed(endpoints, outbound, ": hi\n\n" + body, selectors=selectors)
    assert answer == TaskAnswer(
        output=Document('"Paris"'), contexts=(Context(text="c"),), usage=Usage(input_tokens=5)
    )
    assert endpoints.requests[0].headers["accept"] == "text/event-stream"


async def test_of_cumulative_texts_the_last_one_counts(endpoints, outbound):
    lines = "".join(
        json.dumps(each) + "\n" for each in [{"t": "P"}, {"t": "Paris"}, {"final": True, "t": "Paris!"}]
    )
    answer = await streamed(
        endpoints,
        outbound,
        lines,
        content_type="application/x-ndjson",
        format="HTTP_STREAM_FORMAT_NDJSON",
        text="HTTP_STREAM_TEXT_CUMULATIVE",
        output="t",
        output_event="!final",
    )
    assert answer.output == '"Paris"'


async def test_predicates_pick_events(endpoints, outbound):
    body = events(
        {"event": "message", "delta": "a"},
        {"event": "note", "delta": "-"},
        {"event": "message", "delta": "b"},
        {"event": "end", "usage": {"out": 2}},
        {"event": "note"},
        end="data: [DONE]\n\n",
    )
    answer = await streamed(
        endpoints,
        outbound,
        body,
        output_event="event == 'message'",
        final_event="event == 'end'",
        done_marker="[DONE]",
        selectors={"output_tokens": "usage.out"},
    )
    assert answer == TaskAnswer(output=Document('"ab"'), usage=Usage(output_tokens=2))


@pytest.mark.parametrize(
    ("body", "more", "reason", "said"),
    [
        (events({"delta": "a"}, {"error": "boom"}), {"error_event": "error"}, "TASK_FAILED", "boom"),
        (events({"delta": "a"}), {"done_marker": "[DONE]"}, "TASK_TRUNCATED", "without the '[DONE]'"),
        (events({"delta": "a"}, end="data: {"), {}, "TASK_TRUNCATED", "within an event"),
        (events({"delta": "a"}, end="data: [DONE]\n\n"), {}, "TASK_INVALID_JSON", "done_marker"),
        (events({"other": "a"}), {}, "TASK_INVALID_ANSWER", "no event in which"),
        (
            events({"delta": "x" * 700_000}, {"delta": "x" * 700_000}),
            {},
            "PAYLOAD_TOO_LARGE",
            "1400000 bytes",
        ),
        ('{"code": 1}', {"content_type": "application/json"}, "TASK_INVALID_ANSWER", "not text/event-stream"),
    ],
)
async def test_a_stream_that_does_not_end_well_fails(endpoints, outbound, body, more, reason, said):
    with pytest.raises(TaskError) as raised:
        await streamed(endpoints, outbound, body, selectors={"error": "error"}, **more)
    assert raised.value.error.reason == reason
    assert said in raised.value.error.message
