"""Registered evaluators through the service: immutable versions that experiments can refer to."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import evaluator_pb2, evaluator_service_pb2
from tests.servers import Stubs
from tests.service.calls import reason, results, run, spec, violations
from tests.standins.endpoints import Endpoints, Exchange, Request


async def _register(
    stubs: Stubs, evaluator: dict[str, object], description: str = ""
) -> evaluator_pb2.Evaluator:
    request = evaluator_service_pb2.RegisterEvaluatorRequest(description=description)
    json_format.ParseDict(evaluator, request.evaluator)
    return (await stubs.evaluators.RegisterEvaluator(request)).evaluator


def _contains(name: str, **params: object) -> dict[str, object]:
    return {"name": name, "builtin": {"name": "contains", "params": params}}


async def test_the_same_content_is_the_same_version_and_other_content_the_next(stubs: Stubs) -> None:
    first = await _register(stubs, _contains("versions"), "first")
    again = await _register(stubs, _contains("versions"), "described otherwise")
    other = await _register(stubs, _contains("versions", ignore_case=True))
    assert (first.version, again.version, other.version) == (1, 1, 2)
    assert again.description == "first"
    service = stubs.evaluators
    newest = await service.GetEvaluator(evaluator_service_pb2.GetEvaluatorRequest(name="versions"))
    oldest = await service.GetEvaluator(evaluator_service_pb2.GetEvaluatorRequest(name="versions@1"))
    assert (newest.evaluator, oldest.evaluator) == (other, first)
    listed = await service.ListEvaluators(evaluator_service_pb2.ListEvaluatorsRequest(name="versions"))
    assert [evaluator.version for evaluator in listed.evaluators] == [2, 1]


async def test_an_experiment_uses_the_version_that_it_was_accepted_with(
    stubs: Stubs, endpoints: Endpoints
) -> None:
    async def shout(_: Request, exchange: Exchange) -> None:
        await exchange.answer({"output": "PARIS"})

    endpoints.routes["/shout"] = shout
    await _register(stubs, _contains("pinned", ignore_case=True))
    await _register(stubs, _contains("pinned", ignore_case=False))
    item = {"input": {"value": 1}, "expected_output": {"value": "Paris"}}
    events = await run(
        stubs,
        spec(
            endpoints.url("/shout"),
            item,
            evaluators=[{"registered": "pinned@1"}, {"name": "b", "registered": "pinned"}],
        ),
    )
    (result,) = results(events)
    assert [(one.name, one.evaluator, one.boolean) for one in result.evaluations] == [
        ("pinned", "pinned@1", True),
        ("b", "pinned@2", False),
    ]
    echoed = events[-1].experiment.spec.evaluators
    assert [evaluator.registered for evaluator in echoed] == ["pinned@1", "pinned@2"]


async def test_a_deleted_evaluator_is_gone_and_its_number_is_not_given_again(stubs: Stubs) -> None:
    await _register(stubs, _contains("deleted"))
    service = stubs.evaluators
    await service.DeleteEvaluator(evaluator_service_pb2.DeleteEvaluatorRequest(name="deleted"))
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await service.GetEvaluator(evaluator_service_pb2.GetEvaluatorRequest(name="deleted"))
    assert (missing.value.code(), reason(missing.value)) == (grpc.StatusCode.NOT_FOUND, "EVALUATOR_NOT_FOUND")
    assert (await _register(stubs, _contains("deleted"))).version == 2


async def test_an_evaluator_that_cannot_work_is_not_registered(stubs: Stubs) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"name": "a@b", "builtin": {"name": "length"}}, "evaluator.name"),
        ({"name": "a", "builtin": {"name": "none"}}, "evaluator.builtin.name"),
        ({"name": "a", "registered": "b"}, "evaluator.registered"),
        ({"name": "a"}, "evaluator"),
    ]
    for evaluator, field in cases:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _register(stubs, evaluator)
        assert field in violations(refused.value)


async def test_builtins_are_listed_with_the_schema_of_their_parameters(stubs: Stubs) -> None:
    request = evaluator_service_pb2.ListBuiltinEvaluatorsRequest(level=evaluator_pb2.EVALUATOR_LEVEL_RUN)
    run_level = (await stubs.evaluators.ListBuiltinEvaluators(request)).evaluators
    every = (
        await stubs.evaluators.ListBuiltinEvaluators(evaluator_service_pb2.ListBuiltinEvaluatorsRequest())
    ).evaluators
    assert {"mean", "pass_rate", "percentile", "standard_error", "error_rate"} <= {
        one.name for one in run_level
    }
    schemas = {one.name: json_format.MessageToDict(one.params_schema) for one in every}
    assert schemas["contains"]["properties"]["ignore_case"]["type"] == "boolean"
    assert len(every) > len(run_level)
