from __future__ import annotations

import asyncio
import json
import resource
from typing import Any

import pytest

from evalrpc_server.domain.documents import MAX_DOCUMENT_BYTES, Document
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context
from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.domain.usage import Usage
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.targets.registry import open_target
from tests.standins.endpoints import Endpoints, Exchange, Request, refused_url
from tests.targets.resources import resources

EXPERIMENT = ExperimentRef(id="exp_1", name="Größen, 50 %", run_name="run 1")
SECRETS = {"EVALRPC_SECRET_TOKEN": "s3cr3t/token+with=signs"}


@pytest.fixture
async def endpoints():
    async with Endpoints() as running:
        yield running


@pytest.fixture
async def outbound():
    way_out = Outbound(secrets=Secrets(environment=SECRETS))
    yield way_out
    await way_out.aclose()


def make_call(input_text: str = '"x"', *, item_id: str = "a", **fields: Any) -> TaskCall:
    return TaskCall(
        experiment=EXPERIMENT,
        item=Item(index=0, id=item_id, input=Document(input_text), **fields),
        trial=2,
        attempt=1,
        timeout=30,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
    )


async def run(outbound: Outbound, url: str, call: TaskCall | None = None, **spec: Any) -> TaskAnswer:
    target = open_target(TaskSpec.model_validate({"http": {"url": url, **spec}}), resources(outbound))
    try:
        return await target.call(call or make_call())
    finally:
        await target.aclose()


async def failure(outbound: Outbound, url: str, call: TaskCall | None = None, **spec: Any) -> TaskError:
    with pytest.raises(TaskError) as raised:
        await run(outbound, url, call, **spec)
    return raised.value


def answering(body: str | bytes | dict[str, Any] | list[Any], *, content_type: str = "application/json"):
    async def handler(request: Request, exchange: Exchange) -> None:
        await exchange.answer(body, content_type=content_type)

    return handler


async def test_the_request_has_the_shape_of_the_contract(endpoints, outbound):
    call = make_call(
        '{"q": 1.10,  "big": 12345678901234567890}',
        item_id="ä 1",
        metadata=Document('{"k": [1]}'),
        expected_output=Document('"Paris"'),
    )
    await run(outbound, endpoints.url("/task"), call, headers={"X-App": "geo"})
    (request,) = endpoints.requests
    assert request.method == "POST"
    assert request.json() == {
        "input": {"q": 1.10, "big": 12345678901234567890},
        "metadata": {"k": [1]},
        "item_id": "ä 1",
        "trial": 2,
        "experiment": {"id": "exp_1", "name": "Größen, 50 %", "run_name": "run 1"},
    }
    assert '{"q": 1.10,  "big": 12345678901234567890}' in request.body.decode()
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.body))
    assert request.headers["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert request.headers["baggage"] == (
        "evalrpc.experiment_id=exp_1,evalrpc.experiment_name=Gr%C3%B6%C3%9Fen%2C%2050%20%25,evalrpc.item_id=%C3%A4%201"
    )
    assert request.headers["x-app"] == "geo"
    assert "tracestate" not in request.headers


async def test_the_expected_output_is_sent_only_when_asked_for(endpoints, outbound):
    call = make_call(expected_output=Document("null"))
    await run(outbound, endpoints.url("/task"), call)
    await run(outbound, endpoints.url("/task"), call, include_expected_output=True)
    await run(outbound, endpoints.url("/task"), make_call(), include_expected_output=True)
    hidden, shown, absent = (request.json() for request in endpoints.requests)
    assert "expected_output" not in hidden
    assert shown["expected_output"] is None
    assert "expected_output" not in absent


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ('{"output": {"a" : 1.0e2, "b": 9007199254740993}}', '{"a" : 1.0e2, "b": 9007199254740993}'),
        ('{"output": null}', "null"),
        (' {"answer": "Paris"} \n', '{"answer": "Paris"}'),
        ("[1, 2.50]", "[1, 2.50]"),
        ("3", "3"),
        ('"Paris"', '"Paris"'),
        ('\ufeff"with a byte order mark"', '"with a byte order mark"'),
        ('{"output": "\\u00e9\\ud83d\\ude00"}', '"\\u00e9\\ud83d\\ude00"'),
    ],
)
async def test_outputs_keep_their_bytes(endpoints, outbound, body, output):
    endpoints.routes["/mine"] = answering(body)
    answer = await run(outbound, endpoints.url("/mine"))
    assert answer == TaskAnswer(output=Document(output))


async def test_text_is_a_string_output(endpoints, outbound):
    assert (await run(outbound, endpoints.url("/text"))).output == '"plain words"'
    endpoints.routes["/latin"] = answering(
        "Größe".encode("latin-1"), content_type="text/plain; charset=ISO-8859-1"
    )
    assert (await run(outbound, endpoints.url("/latin"))).output == '"Größe"'
    endpoints.routes["/nothing"] = answering("", content_type="text/plain")
    assert (await run(outbound, endpoints.url("/nothing"))).output == '""'


async def test_contexts_usage_and_metadata_are_read(endpoints, outbound):
    endpoints.routes["/rag"] = answering(
        {
            "output": "Paris",
            "contexts": [
                "bare",
                {"text": "t", "id": 7, "source": "s", "score": 1},
                {"content": "c", "rank": 3},
            ],
            "usage": {"input_tokens": 10, "output_tokens": 0, "cost": 0.25, "other": "ignored"},
            "metadata": {"model": "m"},
            "unknown": True,
        }
    )
    answer = await run(outbound, endpoints.url("/rag"))
    assert answer.contexts == (
        Context(text="bare"),
        Context(text="t", id="7", source="s", score=1.0),
        Context(text="c"),
    )
    assert answer.usage == Usage(input_tokens=10, output_tokens=0, cost_usd=0.25)
    assert answer.metadata == '{"model": "m"}'


async def test_null_parts_are_absent(endpoints, outbound):
    endpoints.routes["/mine"] = answering({"output": 1, "contexts": None, "usage": None, "metadata": None})
    assert await run(outbound, endpoints.url("/mine")) == TaskAnswer(output=Document("1"))


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"contexts": "one"}, "contexts"),
        ({"contexts": [{"text": "a"}, 5]}, "contexts[1]"),
        ({"contexts": [{"text": "a", "score": "high"}]}, "contexts[0].score"),
        ({"contexts": [{"id": "a"}]}, "contexts[0].text"),
        ({"contexts": ["x"] * 1001}, "contexts"),
        ({"usage": 5}, "usage"),
        ({"usage": {"input_tokens": "many"}}, "usage.input_tokens"),
        ({"usage": {"output_tokens": -1}}, "usage.output_tokens"),
        ({"metadata": [1]}, "metadata"),
    ],
)
async def test_wrong_shapes_name_the_field(endpoints, outbound, parts, field):
    endpoints.routes["/mine"] = answering({"output": 1, **parts})
    failed = await failure(outbound, endpoints.url("/mine"))
    assert failed.error.reason == "TASK_INVALID_ANSWER"
    assert failed.error.metadata["field"] == field
    assert field in failed.error.message
    assert not failed.error.retryable


@pytest.mark.parametrize(
    ("path", "reason", "retryable", "words"),
    [
        ("/cut-before-headers", "TASK_TRUNCATED", True, "closed the connection"),
        ("/cut-in-body", "TASK_TRUNCATED", True, "closed the connection"),
        ("/cut-in-chunks", "TASK_TRUNCATED", True, "closed the connection"),
        ("/reset", "TASK_TRUNCATED", True, "closed the connection"),
        ("/garbage", "TASK_NOT_HTTP", False, "not HTTP"),
        ("/declared-3-gib", "PAYLOAD_TOO_LARGE", False, "2097152 bytes"),
        ("/chunked-3-gib", "PAYLOAD_TOO_LARGE", False, "2097152 bytes"),
        ("/gzip-bomb", "PAYLOAD_TOO_LARGE", False, "2097152 bytes"),
        ("/not-gzip", "TASK_INVALID_JSON", False, "not gzip"),
        ("/loop", "TASK_REDIRECT", False, "more than 5 times"),
        ("/redirect?to=ftp://127.0.0.1/x", "TASK_REDIRECT", False, "no http URL"),
        ("/invalid-json", "TASK_INVALID_JSON", False, "not valid JSON"),
        ("/nan", "TASK_INVALID_JSON", False, "NaN or Infinity at output"),
        ("/deep", "TASK_INVALID_JSON", False, "nested too deep"),
        ("/not-utf8", "TASK_INVALID_JSON", False, "not valid UTF-8"),
        ("/empty", "TASK_INVALID_JSON", False, "is empty"),
        ("/no-content", "TASK_INVALID_JSON", False, "is empty"),
    ],
)
async def test_each_fault_has_a_reason(endpoints, outbound, path, reason, retryable, words):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with asyncio.timeout(30):
        failed = await failure(outbound, endpoints.url(path))
    assert failed.error.reason == reason
    assert failed.error.retryable is retryable
    assert words in failed.error.message
    assert endpoints.origin in failed.error.message
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, "kibibytes of memory, for the answer and the endpoint that sends it"


async def test_a_closed_port_is_unreachable(outbound):
    failed = await failure(outbound, refused_url())
    assert failed.error.reason == "TASK_UNREACHABLE"
    assert failed.error.metadata["cause"] == "connection refused"
    assert failed.error.retryable


async def test_an_unknown_host_is_unreachable(outbound):
    failed = await failure(outbound, "http://no-such-host.invalid/task")
    assert failed.error.reason == "TASK_UNREACHABLE"
    assert failed.error.metadata["cause"] == "its host name is unknown"


async def test_plain_http_behind_an_https_url_is_unreachable(endpoints, outbound):
    failed = await failure(outbound, endpoints.url("/task").replace("http://", "https://"))
    assert failed.error.reason == "TASK_UNREACHABLE"
    assert "TLS handshake failed" in failed.error.message


@pytest.mark.parametrize("path", ["/hang", "/hang-in-body", "/trickle"])
async def test_a_call_that_is_cut_off_leaves_no_connection(endpoints, outbound, path):
    calling = asyncio.create_task(run(outbound, endpoints.url(path)))
    await endpoints.until(lambda: len(endpoints.requests) == 1)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await endpoints.until(lambda: endpoints.open == 0)


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
async def test_passing_statuses_are_retryable(endpoints, outbound, code):
    failed = await failure(outbound, endpoints.url(f"/status?code={code}&retry_after=7"))
    assert failed.error.reason == "TASK_HTTP_STATUS"
    assert failed.error.retryable
    assert failed.retry_after == 7
    assert failed.error.metadata == {"endpoint": endpoints.origin, "status": str(code), "body": "went wrong"}


@pytest.mark.parametrize("code", [300, 400, 401, 403, 404, 405, 409, 410, 413, 422, 451, 501, 505])
async def test_other_statuses_are_not(endpoints, outbound, code):
    failed = await failure(outbound, endpoints.url(f"/status?code={code}&retry_after=7"))
    assert failed.error.reason == "TASK_HTTP_STATUS"
    assert not failed.error.retryable
    assert failed.retry_after is None


async def test_a_status_without_retry_after_asks_for_no_wait(endpoints, outbound):
    assert (await failure(outbound, endpoints.url("/status?code=503"))).retry_after is None


async def test_an_error_keeps_the_first_2_kib_of_the_body(endpoints, outbound):
    async def fail(request: Request, exchange: Exchange) -> None:
        await exchange.answer("ä" * 200_000, status=500, content_type="text/plain")

    endpoints.routes["/mine"] = fail
    failed = await failure(outbound, endpoints.url("/mine"))
    assert failed.error.metadata["body"] == "ä" * 1024


async def test_an_output_above_the_limit_is_refused_and_one_at_the_limit_is_not(endpoints, outbound):
    at_limit = json.dumps("x" * (MAX_DOCUMENT_BYTES - 2))
    endpoints.routes["/fits"] = answering(f'{{"output": {at_limit}}}')
    endpoints.routes["/large"] = answering(f'{{"output": {at_limit[:-1]}x"}}')
    assert (await run(outbound, endpoints.url("/fits"))).output == at_limit
    failed = await failure(outbound, endpoints.url("/large"))
    assert failed.error.reason == "PAYLOAD_TOO_LARGE"
    assert failed.error.metadata["limit_bytes"] == str(MAX_DOCUMENT_BYTES)
    assert failed.error.metadata["size_bytes"] == str(MAX_DOCUMENT_BYTES + 1)


async def test_connections_are_reused_and_shared_by_targets(endpoints, outbound):
    for _ in range(5):
        await run(outbound, endpoints.url("/task"))
    assert endpoints.connections == 1
    await asyncio.gather(*(run(outbound, endpoints.url("/task")) for _ in range(20)))
    assert endpoints.connections <= 20


async def test_compressed_answers_are_read(endpoints, outbound):
    assert (await run(outbound, endpoints.url("/gzip"))).output == '"unpacked"'
    assert endpoints.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("code", [307, 308])
async def test_a_redirect_keeps_method_and_body(endpoints, outbound, code):
    call = make_call('{"kept": true}')
    answer = await run(outbound, endpoints.url(f"/redirect?code={code}&to=/task"), call)
    assert answer.output == '{"kept": true}'
    first, second = endpoints.requests
    assert second.body == first.body


@pytest.mark.parametrize("code", [301, 302, 303])
async def test_older_redirects_turn_into_get(endpoints, outbound, code):
    await run(outbound, endpoints.url(f"/redirect?code={code}&to=/echo"))
    request = endpoints.requests[-1]
    assert (request.method, request.body) == ("GET", b"")
    assert "content-type" not in request.headers


async def test_credentials_never_go_to_another_origin(endpoints, outbound):
    headers = {"Authorization": "Bearer ${secret:TOKEN}", "X-Api-Key": "literal"}
    async with Endpoints() as other:
        await run(outbound, endpoints.url(f"/redirect?to={other.url('/task')}"), headers=headers)
        await run(outbound, endpoints.url("/redirect?to=/task"), headers=headers)
        (elsewhere,) = other.requests
        detour = other.url("/redirect?to=" + endpoints.url("/echo"))
        answer = await run(outbound, endpoints.url("/redirect?to=" + detour), headers=headers)
        assert "authorization" not in answer.output
    assert "authorization" not in elsewhere.headers
    assert "x-api-key" not in elsewhere.headers
    assert elsewhere.json()["item_id"] == "a"
    here = endpoints.requests[2]
    assert here.headers["authorization"] == f"Bearer {SECRETS['EVALRPC_SECRET_TOKEN']}"
    assert here.headers["x-api-key"] == "literal"


async def test_a_missing_secret_is_named_and_nothing_is_sent(endpoints, outbound):
    failed = await failure(
        outbound, endpoints.url("/task"), headers={"Authorization": "Bearer ${secret:NONE}"}
    )
    assert failed.error.reason == "SECRET_NOT_FOUND"
    assert failed.error.metadata["secret"] == "NONE"
    assert "EVALRPC_SECRET_NONE" in failed.error.message
    assert endpoints.requests == []


@pytest.mark.parametrize("status", [200, 500])
async def test_an_echoed_secret_is_not_kept(endpoints, outbound, status, caplog):
    url, headers = endpoints.url(f"/echo?status={status}"), {"Authorization": "Bearer ${secret:TOKEN}"}
    kept = ""
    try:
        kept = str(await run(outbound, url, headers=headers))
    except TaskError as failed:
        kept = f"{failed} {failed.error}"
    assert "[redacted]" in kept
    assert "s3cr3t" not in kept
    assert "s3cr3t" not in caplog.text
