from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context, ItemResult, TaskOutcome
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.trace import span_id
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.http import HttpEvaluator
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from tests.standins.endpoints import Endpoints, Exchange, Request, refused_url

EXPERIMENT = ExperimentRef(id="exp_1", name="Geography", run_name="run 1")
ITEM = Item(
    index=3,
    id="de",
    input=Document('{"q": 1.10}'),
    expected_output=Document('"Berlin"'),
    metadata=Document('{"k": 12345678901234567890}'),
)


@pytest.fixture
async def endpoints():
    async with Endpoints() as running:
        yield running


@pytest.fixture
async def outbound():
    way_out = Outbound(secrets=Secrets(environment={"EVALRPC_SECRET_TOKEN": "s3cr3t-token"}))
    yield way_out
    await way_out.aclose()


def evaluator(outbound: Outbound, url: str, **http: Any) -> HttpEvaluator:
    spec = EvaluatorSpec.model_validate({"name": "tone", "http": {"url": url, **http}})
    assert spec.http is not None
    return HttpEvaluator(spec.http, spec.evaluation_name, outbound)


def case(**fields: Any) -> Case:
    return Case(experiment=EXPERIMENT, item=ITEM, trial=2, output=Document('"Berlin"'), **fields)


def answering(answer: Any):
    async def handler(request: Request, exchange: Exchange) -> None:
        await exchange.answer(answer if isinstance(answer, str) else json.dumps(answer))

    return handler


def result(index: int, *, failed: bool = False) -> ItemResult:
    error = Error(reason=Reason.TASK_FAILED, message="no", metadata={"a": "b"}) if failed else None
    return ItemResult(
        item=Item(index=index, id=str(index), input=Document(f'{{"n": {index}.50}}')),
        trial=1,
        outcome=TaskOutcome(
            output=None if failed else Document("1.0"),
            error=error,
            start_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            task_duration=0.25,
            attempts=1,
        ),
        evaluations=() if failed else (Evaluation(name="a", evaluator="a@1", value=0.5),),
        trace_id="0" * 32,
    )


async def chunks(*sizes: int) -> AsyncIterator[Sequence[ItemResult]]:
    index = 0
    for size in sizes:
        yield [result(index + offset, failed=offset == 0) for offset in range(size)]
        index += size


async def test_the_request_has_the_shape_of_the_contract(endpoints, outbound):
    given = case(
        contexts=(Context(text="t", id="1", source="s", score=0.5), Context(text="u")),
        usage=Usage(input_tokens=3),
        duration=0.5,
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )
    evaluations = await evaluator(outbound, endpoints.url("/evaluate")).evaluate(given)
    assert evaluations == (Evaluation(name="", value=True, comment="compared"),)
    (request,) = endpoints.requests
    body = request.json()
    assert {
        name: body[name] for name in ("input", "output", "expected_output", "metadata", "item_id", "trial")
    } == {
        "input": {"q": 1.10},
        "output": "Berlin",
        "expected_output": "Berlin",
        "metadata": {"k": 12345678901234567890},
        "item_id": "de",
        "trial": 2,
    }
    assert body["contexts"] == [
        {"text": "t", "id": "1", "source": "s", "score": 0.5},
        {"text": "u", "id": "", "source": "", "score": None},
    ]
    assert body["experiment"] == {"id": "exp_1", "name": "Geography", "run_name": "run 1"}
    assert "evaluations" not in body
    assert '{"q": 1.10}' in request.body.decode()
    assert (
        request.headers["traceparent"]
        == f"00-0af7651916cd43dd8448eb211c80319c-{span_id('0af7651916cd43dd8448eb211c80319c', 'evaluation')}-01"
    )
    assert "evalrpc.item_id=de" in request.headers["baggage"]


async def test_a_composite_evaluator_sees_the_evaluations(endpoints, outbound):
    failed = Error(reason=Reason.EVALUATOR_FAILED, message="no", retryable=True)
    given = case().with_evaluations(
        (
            Evaluation(name="a", evaluator="a@1", value=0.5, metadata=Document('{"k": 1.0}')),
            Evaluation(name="b", unscored="nothing to say"),
            Evaluation(name="c", error=failed),
        )
    )
    await evaluator(outbound, endpoints.url("/evaluate")).evaluate(given)
    seen = endpoints.requests[0].json()["evaluations"]
    assert [(one["name"], one["value"], one["unscored"]) for one in seen] == [
        ("a", 0.5, None),
        ("b", None, "nothing to say"),
        ("c", None, None),
    ]
    assert seen[2]["error"] == {
        "reason": "EVALUATOR_FAILED",
        "message": "no",
        "metadata": {},
        "retryable": True,
    }


@pytest.mark.parametrize(
    ("path", "reason", "retryable"),
    [
        ("/cut-in-body", "EVALUATOR_UNREACHABLE", True),
        ("/garbage", "EVALUATOR_UNREACHABLE", False),
        ("/chunked-3-gib", "EVALUATOR_INVALID_ANSWER", False),
        ("/gzip-bomb", "EVALUATOR_INVALID_ANSWER", False),
        ("/loop", "EVALUATOR_HTTP_STATUS", False),
        ("/status?code=500", "EVALUATOR_HTTP_STATUS", True),
        ("/status?code=404", "EVALUATOR_HTTP_STATUS", False),
        ("/invalid-json", "EVALUATOR_INVALID_ANSWER", False),
        ("/nan", "EVALUATOR_INVALID_ANSWER", False),
        ("/empty", "EVALUATOR_INVALID_ANSWER", False),
        ("/text", "EVALUATOR_INVALID_ANSWER", False),
    ],
)
async def test_each_fault_has_a_reason(endpoints, outbound, path, reason, retryable):
    with pytest.raises(EvaluatorError) as raised:
        await evaluator(outbound, endpoints.url(path)).evaluate(case())
    error = raised.value.error
    assert error.reason == reason
    assert error.retryable is retryable
    assert error.message.startswith(f"The evaluator endpoint {endpoints.origin} ")


async def test_a_closed_port_is_unreachable(outbound):
    with pytest.raises(EvaluatorError) as raised:
        await evaluator(outbound, refused_url()).evaluate(case())
    assert raised.value.error.reason == "EVALUATOR_UNREACHABLE"


async def test_an_invalid_answer_names_the_field(endpoints, outbound):
    endpoints.routes["/mine"] = answering({"evaluations": [{"value": {"nested": 1}}]})
    with pytest.raises(EvaluatorError) as raised:
        await evaluator(outbound, endpoints.url("/mine")).evaluate(case())
    assert raised.value.error.metadata == {
        "endpoint": endpoints.origin,
        "field": "evaluations[0].value",
        "description": "must be a number, a boolean, a string or null",
    }


async def test_a_missing_secret_is_named(endpoints, outbound):
    with pytest.raises(EvaluatorError) as raised:
        await evaluator(outbound, endpoints.url("/evaluate"), headers={"X": "${secret:GONE}"}).evaluate(
            case()
        )
    assert raised.value.error.reason == "SECRET_NOT_FOUND"


async def test_an_echoed_secret_is_not_kept(endpoints, outbound):
    async def tell(request: Request, exchange: Exchange) -> None:
        await exchange.answer({"value": 1, "comment": request.headers["authorization"]})

    endpoints.routes["/tell"] = tell
    headers = {"Authorization": "Bearer ${secret:TOKEN}"}
    (evaluation,) = await evaluator(outbound, endpoints.url("/tell"), headers=headers).evaluate(case())
    assert evaluation.comment == "Bearer [redacted]"


async def test_a_call_that_is_cut_off_leaves_no_connection(endpoints, outbound):
    calling = asyncio.create_task(evaluator(outbound, endpoints.url("/hang")).evaluate(case()))
    await endpoints.until(lambda: len(endpoints.requests) == 1)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await endpoints.until(lambda: endpoints.open == 0)


async def test_a_run_is_sent_whole_and_with_failures(endpoints, outbound):
    evaluations = await evaluator(outbound, endpoints.url("/evaluate-run")).evaluate_run(
        EXPERIMENT, chunks(2, 3)
    )
    assert evaluations == (Evaluation(name="results", value=5.0),)
    (request,) = endpoints.requests
    assert request.headers["transfer-encoding"] == "chunked"
    body = request.json()
    assert body["experiment"] == {"id": "exp_1", "name": "Geography", "run_name": "run 1"}
    assert [one["item"]["index"] for one in body["item_results"]] == [0, 1, 2, 3, 4]
    failed, good = body["item_results"][:2]
    assert failed["error"] == {
        "reason": "TASK_FAILED",
        "message": "no",
        "metadata": {"a": "b"},
        "retryable": False,
    }
    assert failed["output"] is None
    assert good["error"] is None
    assert good["evaluations"][0]["value"] == 0.5
    assert good["start_time"] == "2026-01-02T03:04:05Z"
    assert good["task_duration"] == 0.25
    assert '{"n": 1.50}' in request.body.decode()


async def test_a_run_without_results_is_sent_too(endpoints, outbound):
    evaluations = await evaluator(outbound, endpoints.url("/evaluate-run")).evaluate_run(EXPERIMENT, chunks())
    assert evaluations == (Evaluation(name="results", value=0.0),)


async def test_a_run_is_read_no_faster_than_it_is_sent(endpoints, outbound):
    read = 0

    async def endless() -> AsyncIterator[Sequence[ItemResult]]:
        nonlocal read
        while True:
            read += 1
            yield [result(read)] * 100

    async def accept_and_stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    server = await asyncio.start_server(accept_and_stall, "127.0.0.1", 0, limit=1024)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await evaluator(outbound, f"http://127.0.0.1:{port}/").evaluate_run(EXPERIMENT, endless())
    assert read < 2000, "the results are held back while the endpoint does not read"


async def test_a_run_evaluator_that_redirects_fails(endpoints, outbound):
    with pytest.raises(EvaluatorError) as raised:
        await evaluator(outbound, endpoints.url("/redirect?to=/evaluate-run")).evaluate_run(
            EXPERIMENT, chunks(1)
        )
    assert raised.value.error.reason == "EVALUATOR_HTTP_STATUS"
    assert "redirected" in raised.value.error.message
