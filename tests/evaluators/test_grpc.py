from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context, ItemResult, TaskOutcome
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.trace import span_id
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.grpc import GrpcEvaluator
from evalrpc_server.evaluators.port import Case, EvaluatorError
from evalrpc_server.evaluators.registry import EVALUATORS, RUN_EVALUATORS
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.secrets import Secrets
from tests.standins.endpoints import refused_url
from tests.standins.grpc_endpoints import GrpcEndpoints

EXPERIMENT = ExperimentRef(id="exp_1", name="Geography", run_name="run 1")


@pytest.fixture
async def endpoints():
    async with GrpcEndpoints() as running:
        yield running


@pytest.fixture
async def open_evaluator():
    outbound = Outbound(secrets=Secrets(environment={"EVALRPC_SECRET_TOKEN": "s3cr3t-token"}))
    opened: list[GrpcEvaluator] = []

    def make(address: str, **grpc: Any) -> GrpcEvaluator:
        spec = EvaluatorSpec.model_validate({"name": "tone", "grpc": {"target": address, **grpc}})
        assert spec.grpc is not None
        opened.append(GrpcEvaluator(spec.grpc, spec.evaluation_name, outbound))
        return opened[-1]

    yield make
    for evaluator in opened:
        await evaluator.aclose()
    await outbound.aclose()


def case(item_id: str = "de", **fields: Any) -> Case:
    item = Item(
        index=3,
        id=item_id,
        input=Document('{"q": 1.10}'),
        expected_output=Document('"Berlin"'),
        metadata=Document('{"k": 1}'),
    )
    return Case(experiment=EXPERIMENT, item=item, trial=2, output=Document('"Berlin"'), **fields)


async def chunks(*sizes: int) -> AsyncIterator[Sequence[ItemResult]]:
    for size in sizes:
        yield [
            ItemResult(
                item=Item(index=index, id=f"item {index}", input=Document(f"{index}.50")),
                trial=1,
                outcome=TaskOutcome(
                    output=Document("1.0"),
                    start_time=datetime(2026, 1, 2, tzinfo=UTC),
                    task_duration=0.25,
                    attempts=1,
                ),
            )
            for index in range(size)
        ]


async def test_the_kind_is_registered_for_items_and_runs():
    assert "grpc" in EVALUATORS
    assert "grpc" in RUN_EVALUATORS


async def test_the_request_carries_the_case(endpoints, open_evaluator):
    given = case(
        contexts=(Context(text="t", score=0.5),),
        usage=Usage(input_tokens=3),
        duration=0.5,
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )
    evaluations = await open_evaluator(endpoints.address, evaluator="theirs").evaluate(given)
    assert evaluations == (Evaluation(name="", value=True),)
    (request,), (metadata,) = endpoints.requests, endpoints.metadata
    assert request.evaluator == "theirs"
    assert (request.input.text, request.output.text) == ('{"q": 1.10}', '"Berlin"')
    assert (request.expected_output.text, request.metadata.text) == ('"Berlin"', '{"k": 1}')
    assert (request.item_id, request.trial, request.experiment.name) == ("de", 2, "Geography")
    assert (request.contexts[0].text, request.usage.input_tokens) == ("t", 3)
    assert request.task_duration.nanos == 500_000_000
    assert (
        metadata["traceparent"]
        == f"00-0af7651916cd43dd8448eb211c80319c-{span_id('0af7651916cd43dd8448eb211c80319c', 'evaluation')}-01"
    )


async def test_the_evaluator_is_called_by_its_own_name_by_default(endpoints, open_evaluator):
    await open_evaluator(endpoints.address).evaluate(case())
    assert endpoints.requests[0].evaluator == "tone"


async def test_a_composite_evaluator_sees_the_evaluations(endpoints, open_evaluator):
    given = case().with_evaluations((Evaluation(name="a", value=0.5), Evaluation(name="b", unscored="why")))
    await open_evaluator(endpoints.address).evaluate(given)
    first, second = endpoints.requests[0].evaluations
    assert (first.name, first.number) == ("a", 0.5)
    assert (second.name, second.unscored.reason) == ("b", "why")


async def test_all_kinds_of_evaluations_are_read(endpoints, open_evaluator):
    number, boolean, label, unscored, error, none = await open_evaluator(endpoints.address).evaluate(
        case("all-kinds")
    )
    assert number == Evaluation(name="n", value=0.5, comment="c", config_id="cfg")
    assert boolean == Evaluation(name="b", value=False, metadata=Document('{"k": 1.0}'))
    assert label == Evaluation(name="l", value="good")
    assert unscored == Evaluation(name="u", unscored="nothing to say")
    assert (error.value, error.error.reason, error.error.message) == (None, "EVALUATOR_FAILED", "broke")
    assert error.error.metadata == {"reported_reason": "MY_OWN"}
    assert (none.value, none.unscored) == (None, "the evaluator answered without a value")


@pytest.mark.parametrize(
    ("item_id", "reason", "field"),
    [
        ("nan", "EVALUATOR_INVALID_ANSWER", "evaluations[1].number"),
        ("many", "EVALUATOR_INVALID_ANSWER", "evaluations"),
        ("internal", "EVALUATOR_GRPC_STATUS", None),
        ("unavailable", "EVALUATOR_GRPC_STATUS", None),
    ],
)
async def test_failures_have_a_reason(endpoints, open_evaluator, item_id, reason, field):
    with pytest.raises(EvaluatorError) as raised:
        await open_evaluator(endpoints.address).evaluate(case(item_id))
    assert raised.value.error.reason == reason
    assert raised.value.error.metadata.get("field") == field


async def test_a_closed_port_is_unreachable(open_evaluator):
    with pytest.raises(EvaluatorError) as raised:
        await open_evaluator(refused_url("").removeprefix("http://")).evaluate(case())
    assert raised.value.error.reason == "EVALUATOR_UNREACHABLE"


async def test_a_call_that_is_cut_off_is_cancelled_at_the_endpoint(endpoints, open_evaluator):
    calling = asyncio.create_task(open_evaluator(endpoints.address).evaluate(case("hang")))
    await endpoints.until(lambda: endpoints.in_flight == 1)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await endpoints.until(lambda: endpoints.cancelled == 1)


async def test_a_run_is_streamed(endpoints, open_evaluator):
    experiment = replace(EXPERIMENT, result_count=5)
    evaluations = await open_evaluator(endpoints.address).evaluate_run(experiment, chunks(2, 3))
    assert evaluations == (Evaluation(name="results", value=5.0),)
    header, first, *_ = endpoints.requests
    assert (header.header.evaluator, header.header.experiment.id) == ("tone", "exp_1")
    assert header.header.item_result_count == 5
    assert first.item_result.item.input.text == "0.50"
    assert first.item_result.task_duration.nanos == 250_000_000


async def test_secrets_are_resolved_and_not_kept(endpoints, open_evaluator):
    metadata = {"authorization": "Bearer ${secret:TOKEN}"}
    with pytest.raises(EvaluatorError) as raised:
        await open_evaluator(endpoints.address, metadata=metadata).evaluate(case("internal"))
    assert endpoints.metadata[0]["authorization"] == "Bearer s3cr3t-token"
    assert "s3cr3t" not in str(raised.value.error)
