"""Bad input: refused before anything runs, every wrong field named, all at once."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import (
    comparison_requests_pb2,
    dataset_service_pb2,
    evaluator_pb2,
    evaluator_service_pb2,
    experiment_service_pb2,
    item_pb2,
    json_pb2,
)
from evalrpc_server.rpc.paging import page_token
from tests.servers import Stubs, serving
from tests.service.calls import reason, run, run_request, spec, violations

URL = "http://127.0.0.1:9/task"
HTTP = {"http": {"url": URL}}


def _json(**kind: Any) -> json_pb2.Json:
    return json_pb2.Json(**kind)


def _good(**fields: Any) -> dict[str, Any]:
    return spec(URL, 1) | fields


CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {"experiment.name": "required", "experiment.task": "required"}),
    "no name": (_good(name="  "), {"experiment.name": "empty"}),
    "no data": (
        {"name": "n", "task": HTTP},
        {"experiment": "exactly one of items, langfuse_dataset, upload"},
    ),
    "no items": ({"name": "n", "task": HTTP, "items": {}}, {"experiment.items.items": "at least one"}),
    "no task": (
        {"name": "n", "items": {"items": [{"input": {"value": 1}}]}},
        {"experiment.task": "required"},
    ),
    "empty task": (_good(task={}), {"experiment.task": "exactly one of http, grpc"}),
    "bad scheme": (_good(task={"http": {"url": "ftp://host/x"}}), {"experiment.task.http.url": "http://"}),
    "no host": (_good(task={"http": {"url": "http:///x"}}), {"experiment.task.http.url": "host"}),
    "bad port": (
        _good(task={"http": {"url": "http://host:99999/"}}),
        {"experiment.task.http.url": "valid URL"},
    ),
    "credentials in the URL": (
        _good(task={"http": {"url": "http://me:pw@host/"}}),
        {"experiment.task.http.url": "must not hold credentials"},
    ),
    "bad gRPC target": (
        _good(task={"grpc": {"target": "host"}}),
        {"experiment.task.grpc.target": "host:port"},
    ),
    "header injection": (
        _good(task={"http": {"url": URL, "headers": {"x": "a\r\nb: c"}}}),
        {"experiment.task.http.headers": "control characters"},
    ),
    "bad secret": (
        _good(task={"http": {"url": URL, "headers": {"x": "${secret:}"}}}),
        {"experiment.task.http.headers": "${secret:NAME}"},
    ),
    "no concurrency": (
        _good(max_concurrency=0),
        {"experiment.max_concurrency": "greater than or equal to 1"},
    ),
    "negative concurrency": (
        _good(max_concurrency=-1),
        {"experiment.max_concurrency": "greater than or equal to 1"},
    ),
    "no repetitions": (_good(repetitions=0), {"experiment.repetitions": "greater than or equal to 1"}),
    "no time": (_good(task_timeout="0s"), {"experiment.task_timeout": "above 0s"}),
    "unknown builtin": (
        _good(evaluators=[{"builtin": {"name": "contain"}}]),
        {"experiment.evaluators[0].builtin.name": "did you mean contains"},
    ),
    "params off schema": (
        _good(
            evaluators=[
                {"name": "a", "builtin": {"name": "contains", "params": {"ignore_case": "maybe", "x": 1}}}
            ]
        ),
        {
            "experiment.evaluators[0].builtin.params.ignore_case": "boolean",
            "experiment.evaluators[0].builtin.params.x": "no parameter of contains",
        },
    ),
    "a run evaluator for items": (
        _good(evaluators=[{"builtin": {"name": "mean", "params": {"evaluation": "a"}}}]),
        {"experiment.evaluators[0].builtin.name": "run_evaluators"},
    ),
    "an evaluator without a name": (
        _good(evaluators=[{"http": {"url": URL}}]),
        {"experiment.evaluators[0]": "must have a name"},
    ),
    "two evaluators of one name": (
        _good(evaluators=[{"builtin": {"name": "length"}}, {"builtin": {"name": "length"}}]),
        {"experiment.evaluators[1].name": "experiment.evaluators[0]"},
    ),
    "an evaluator's bad URL": (
        _good(evaluators=[{"builtin": {"name": "length"}}, {"name": "b", "http": {"url": "nowhere"}}]),
        {"experiment.evaluators[1].http.url": "http://"},
    ),
    "unknown registered evaluator": (
        _good(evaluators=[{"registered": "accuracy@3"}]),
        {"experiment.evaluators[0].registered": "accuracy@3"},
    ),
    "a version beyond all numbers": (
        _good(evaluators=[{"registered": f"accuracy@{'9' * 5000}"}]),
        {"experiment.evaluators[0].registered": "name@version"},
    ),
    "NUL in an item id": (
        _good(items={"items": [{"id": "a\x00", "input": {"value": 1}}]}),
        {"experiment.items.items[0].id": "NUL"},
    ),
    "NUL in the id of an upload": (
        {"name": "n", "task": HTTP, "upload": "\x00"},
        {"experiment.upload": "NUL"},
    ),
    "a composite evaluator with nothing to see": (
        _good(composite_evaluator={"builtin": {"name": "length"}}),
        {"experiment.composite_evaluator": "needs evaluators"},
    ),
    "a duplicate item id": (
        _good(items={"items": [{"id": "a", "input": {"value": 1}}, {"id": "a", "input": {"value": 2}}]}),
        {"experiment.items.items[1].id": "experiment.items.items[0]"},
    ),
    "an item without an input": (
        _good(items={"items": [{"id": "a"}]}),
        {"experiment.items.items[0].input": "required"},
    ),
    "a Json of neither kind": (
        _good(items={"items": [{"input": {}}]}),
        {"experiment.items.items[0].input": "either value or text"},
    ),
    "text that is not JSON": (
        _good(items={"items": [{"input": {"text": "{oops"}}]}),
        {"experiment.items.items[0].input": "not valid JSON"},
    ),
    "text that is NaN": (
        _good(items={"items": [{"input": {"text": "NaN"}}]}),
        {"experiment.items.items[0].input": "not valid JSON"},
    ),
    "a document above the limit": (
        _good(items={"items": [{"input": {"text": f'"{"x" * 1024 * 1024}"'}}]}),
        {"experiment.items.items[0].input": "1048578 bytes of JSON; the limit is 1048576"},
    ),
    "a gate without a rule": (
        _good(gates=[{"evaluation": "a"}]),
        {"experiment.gates[0]": "exactly one of threshold and baseline"},
    ),
    "gates that make no sense": (
        _good(
            gates=[
                {"threshold": {"value": "NaN"}},
                {"evaluation": "a", "baseline": {"margin": -1, "confidence": 1}},
            ]
        ),
        {
            "experiment.gates[0].evaluation": "required",
            "experiment.gates[0].threshold.value": "finite",
            "experiment.gates[1].baseline.experiment": "required",
            "experiment.gates[1].baseline.margin": "greater than or equal to 0",
            "experiment.gates[1].baseline.confidence": "less than 1",
        },
    ),
    "a gate of what nobody evaluates": (
        _good(gates=[{"evaluation": "a", "threshold": {"value": 1}}]),
        {"experiment.gates[0].evaluation": "no evaluator gives 'a'"},
    ),
    "a reducer without its k": (
        _good(trial_reducers=[{"reduction": "TRIAL_REDUCTION_PASS_AT_K"}]),
        {"experiment.trial_reducers[0]": "k of at least 1"},
    ),
    "a reducer with a k too many": (
        _good(trial_reducers=[{"k": 2}]),
        {"experiment.trial_reducers[0]": "neither k nor pass_threshold"},
    ),
    "two reducers for one evaluation": (
        _good(trial_reducers=[{"evaluation": "a"}, {"evaluation": "a"}]),
        {"experiment.trial_reducers": "one reducer for the evaluation 'a'"},
    ),
    "a path with holes": (_good(cluster_by="a..b"), {"experiment.cluster_by": "joined by dots"}),
}


@pytest.mark.parametrize("case", CASES)
async def test_each_wrong_field_is_named(stubs: Stubs, case: str) -> None:
    experiment, expected = CASES[case]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(stubs, experiment)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(refused.value) == "INVALID_FIELD"
    found = violations(refused.value)
    for field, words in expected.items():
        assert words in found[field]
    assert set(found) == set(expected)


async def test_all_violations_come_at_once_up_to_twenty(stubs: Stubs) -> None:
    items = [{"id": "same", "input": {"text": "{"}} for _ in range(30)]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(
            stubs, {"name": "", "items": {"items": items}, "task": {"http": {"url": "x"}}, "repetitions": 0}
        )
    found = violations(refused.value)
    assert len(found) == 20
    assert {"experiment.name", "experiment.task.http.url", "experiment.repetitions"} <= set(found)
    assert "more)" in (refused.value.details() or "")


async def test_evaluators_are_checked_even_where_the_rest_of_the_spec_is_wrong(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(
            stubs, _good(name="", evaluators=[{"builtin": {"name": "contain"}}, {"name": "x", "http": {}}])
        )
    assert set(violations(refused.value)) == {
        "experiment.name",
        "experiment.evaluators[0].builtin.name",
        "experiment.evaluators[1].http.url",
    }


COMPARISONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "one run": ({"experiments": [{"id": "a"}]}, {"experiments": "from 2 to 10 runs"}),
    "no run": (
        {"experiments": [{"id": "a"}, {}, {"langfuse_run": {"dataset": "d"}}]},
        {"experiments[1]": "exactly one of id", "experiments[2].langfuse_run.run_name": "required"},
    ),
    "numbers out of range": (
        {
            "experiments": [{"id": "a"}, {"id": "b"}],
            "margin": -0.1,
            "margins": {"x": "Infinity"},
            "confidence": 95,
            "max_flips": 1001,
        },
        {
            "margin": "greater than or equal to 0",
            "margins.x": "finite",
            "confidence": "less than 1",
            "max_flips": "less than or equal to 1000",
        },
    ),
}
PLANS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {"difference": "required"}),
    "no variances": ({"difference": 0.1}, {"variances": "exactly one of measured and given"}),
    "numbers out of range": (
        {"difference": -1, "power": 1, "significance": 2, "given": {"between_items": -1}, "trials": [0]},
        {
            "difference": "greater than 0",
            "power": "less than 1",
            "significance": "less than 1",
            "given.between_items": "greater than or equal to 0",
            "trials[0]": "greater than or equal to 1",
        },
    ),
    "too small a difference": (
        {"difference": 1e-9, "given": {"between_items": 1}},
        {"difference": "more than 2,147,483,647 items"},
    ),
    "no experiment": (
        {"difference": 0.1, "measured": {}},
        {"measured.experiment_id": "required", "measured.evaluation": "required"},
    ),
}


async def test_each_wrong_field_of_a_comparison_or_a_plan_is_named(stubs: Stubs) -> None:
    kinds: list[tuple[Any, Any, Any]] = [
        (
            stubs.experiments.CompareExperiments,
            comparison_requests_pb2.CompareExperimentsRequest,
            COMPARISONS,
        ),
        (stubs.experiments.PlanExperiment, comparison_requests_pb2.PlanExperimentRequest, PLANS),
    ]
    for call, kind, cases in kinds:
        for name, (request, expected) in cases.items():
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(json_format.ParseDict(request, kind()))
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, name
            found = violations(refused.value)
            assert set(found) == set(expected), name
            for field, words in expected.items():
                assert words in found[field], name


async def test_numbers_that_json_does_not_have_are_refused(stubs: Stubs) -> None:
    for number in (math.nan, math.inf):
        request = run_request(spec(URL))
        value = json_pb2.Json()
        value.value.number_value = number
        request.experiment.items.items.append(item_pb2.Item(input=value))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stubs.experiments.StartExperiment(
                experiment_service_pb2.StartExperimentRequest(experiment=request.experiment)
            )
        assert "NaN or Infinity" in violations(refused.value)["experiment.items.items[0].input"]


async def test_an_unknown_upload_is_not_found(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(stubs, {"name": "n", "upload": "upl_none", "task": HTTP})
    assert (refused.value.code(), reason(refused.value)) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")


async def test_unknown_experiments_are_not_found_and_ids_are_required(stubs: Stubs) -> None:
    service = stubs.experiments
    calls: list[tuple[Any, Any]] = [
        (service.GetExperiment, experiment_service_pb2.GetExperimentRequest),
        (service.CancelExperiment, experiment_service_pb2.CancelExperimentRequest),
        (service.ListItemResults, experiment_service_pb2.ListItemResultsRequest),
    ]
    for call, kind in calls:
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await call(kind(id="exp_none"))
        assert (missing.value.code(), reason(missing.value)) == (
            grpc.StatusCode.NOT_FOUND,
            "EXPERIMENT_NOT_FOUND",
        )
        with pytest.raises(grpc.aio.AioRpcError) as empty:
            await call(kind())
        assert set(violations(empty.value)) == {"id"}


async def test_keys_that_not_every_store_can_hold_are_refused(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(stubs, _good(), request_id="a\x00b")
    assert set(violations(refused.value)) == {"request_id"}
    experiments, evaluators = stubs.experiments, stubs.evaluators
    calls: list[tuple[Any, Any, str]] = [
        (experiments.GetExperiment, experiment_service_pb2.GetExperimentRequest(id="\x00"), "id"),
        (experiments.ListExperiments, experiment_service_pb2.ListExperimentsRequest(name="\x00"), "name"),
        (evaluators.GetEvaluator, evaluator_service_pb2.GetEvaluatorRequest(name="\x00"), "name"),
        (evaluators.ListEvaluators, evaluator_service_pb2.ListEvaluatorsRequest(name="\x00"), "name"),
        (
            evaluators.RegisterEvaluator,
            evaluator_service_pb2.RegisterEvaluatorRequest(
                evaluator=evaluator_pb2.EvaluatorSpec(name="a"), description="\x00"
            ),
            "description",
        ),
    ]
    for call, request, field in calls:
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await call(request)
        assert "NUL" in violations(wrong.value)[field]


async def test_a_page_token_that_leads_nowhere_is_refused(stubs: Stubs) -> None:
    token = page_token("not a cursor", "evaluators", "")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.evaluators.ListEvaluators(evaluator_service_pb2.ListEvaluatorsRequest(page_token=token))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(refused.value) == "INVALID_PAGE_TOKEN"


async def test_an_upload_with_a_bad_item_cannot_be_used(stubs: Stubs) -> None:
    async def messages() -> AsyncIterator[dataset_service_pb2.UploadItemsRequest]:
        good = item_pb2.Item(id="a", input=_json(text="1"))
        yield dataset_service_pb2.UploadItemsRequest(items=item_pb2.ItemList(items=[good]))
        yield dataset_service_pb2.UploadItemsRequest(items=item_pb2.ItemList(items=[good]))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.datasets.UploadItems(messages())
    assert "id of an earlier item" in violations(refused.value)["items.items[0].id"]


async def test_an_upload_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async def messages() -> AsyncIterator[dataset_service_pb2.UploadItemsRequest]:
        good = item_pb2.Item(id="a", input=_json(text="1"))
        yield dataset_service_pb2.UploadItemsRequest(items=item_pb2.ItemList(items=[good]))
        yield dataset_service_pb2.UploadItemsRequest()

    with serving(tmp_path) as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await Stubs(channel).datasets.UploadItems(messages())
    with closing(sqlite3.connect(tmp_path / "evalrpc.db")) as database:
        assert database.execute("SELECT count(*) FROM items").fetchone() == (0,)


async def test_a_negative_page_size_is_refused(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.evaluators.ListEvaluators(evaluator_service_pb2.ListEvaluatorsRequest(page_size=-1))
    assert set(violations(refused.value)) == {"page_size"}
