"""Looking at an experiment again: evaluating its outputs anew, repeating what failed, keeping the rest."""

from __future__ import annotations

from collections import Counter
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import (
    evaluator_service_pb2,
    event_pb2,
    experiment_pb2,
    experiment_service_pb2,
    second_look_pb2,
)
from tests.servers import Stubs
from tests.service.calls import SECONDS, reason, results, run, spec, start, violations, watch
from tests.standins.endpoints import Endpoints, Exchange, Request

SHORT = {"name": "short", "builtin": {"name": "length"}}
NUMBERS = (
    {"id": "a", "input": {"value": 1}},
    {"id": "b", "input": {"value": 2}},
    {"id": "c", "input": {"value": 3}},
)


class App:
    """A task that fails for some inputs, and an evaluator that fails for some outputs, as long as they are told to."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.failing: set[int] = set()
        self.misjudging: set[int] = set()
        self.asked: Counter[str] = Counter()
        endpoints.routes["/task"] = self._task
        endpoints.routes["/judge"] = self._judge
        self.experiment = spec(
            endpoints.url("/task"),
            *NUMBERS,
            evaluators=[{"name": "judge", "http": {"url": endpoints.url("/judge")}}, SHORT],
            run_evaluators=[{"name": "avg", "builtin": {"name": "mean", "params": {"evaluation": "judge"}}}],
        )

    async def _task(self, request: Request, exchange: Exchange) -> None:
        number = request.json()["input"]
        self.asked[f"task {number}"] += 1
        if number in self.failing:
            await exchange.answer({"error": "no"}, status=400)
        else:
            await exchange.answer({"output": number, "usage": {"input_tokens": 10, "cost_usd": 0.5}})

    async def _judge(self, request: Request, exchange: Exchange) -> None:
        number = request.json()["output"]
        self.asked[f"judge {number}"] += 1
        if number in self.misjudging:
            await exchange.answer({"error": "no"}, status=400)
        else:
            await exchange.answer({"value": number / 10})


@pytest.fixture
def app(endpoints: Endpoints) -> App:
    return App(endpoints)


async def evaluate(stubs: Stubs, **fields: Any) -> experiment_pb2.Experiment:
    request = json_format.ParseDict(fields, second_look_pb2.EvaluateExperimentRequest())
    return (await stubs.experiments.EvaluateExperiment(request, timeout=SECONDS)).experiment


async def retry(stubs: Stubs, **fields: Any) -> experiment_pb2.Experiment:
    request = json_format.ParseDict(fields, second_look_pb2.RetryExperimentRequest())
    return (await stubs.experiments.RetryExperiment(request, timeout=SECONDS)).experiment


def experiment_id(events: list[event_pb2.ExperimentEvent]) -> str:
    return events[0].experiment.id


def judged(events: list[event_pb2.ExperimentEvent]) -> dict[str, list[tuple[str, Any]]]:
    """Returns by item what was said of it: a value, or the reason of an error."""
    return {
        result.item.id: [
            (
                each.name,
                each.error.reason if each.HasField("error") else getattr(each, each.WhichOneof("value")),
            )
            for each in result.evaluations
        ]
        for result in results(events)
    }


async def start_and_cancel(stubs: Stubs, experiment: dict[str, Any]) -> str:
    started = await start(stubs, experiment)
    await stubs.experiments.CancelExperiment(experiment_service_pb2.CancelExperimentRequest(id=started))
    await watch(stubs, started)
    return started


async def test_stored_outputs_are_evaluated_anew_without_the_task(stubs: Stubs, app: App) -> None:
    app.failing = {3}
    first = await run(stubs, app.experiment)
    app.asked.clear()
    again = await evaluate(
        stubs,
        id=experiment_id(first),
        evaluators=[{"name": "positive", "builtin": {"name": "json_valid"}}],
        run_evaluators=[{"name": "share", "builtin": {"name": "mean", "params": {"evaluation": "positive"}}}],
        run_name="looked at again",
    )
    events = await watch(stubs, again.id)
    last = events[-1].experiment
    assert not app.asked
    assert last.state == experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
    assert last.spec.run_name == "looked at again"
    assert (last.origin.experiment_id, last.origin.kind) == (
        experiment_id(first),
        experiment_pb2.ORIGIN_KIND_EVALUATE,
    )
    assert judged(events) == {"a": [("positive", True)], "b": [("positive", True)], "c": []}
    assert [(each.name, each.number) for each in last.run_evaluations] == [("share", 1.0)]
    before, after = results(first), results(events)
    assert [result.output for result in after] == [result.output for result in before]
    assert [result.start_time for result in after] == [result.start_time for result in before]
    assert after[2].error == before[2].error
    assert not {result.trace_id for result in after} & {result.trace_id for result in before}
    assert not last.HasField("task_spending")
    assert first[-1].experiment.task_spending.cost_usd == 1.0
    assert first[-1].experiment.task_spending.unknown == 1


@pytest.mark.parametrize(
    ("scope", "asked", "expected"),
    [
        ("RETRY_SCOPE_ALL", {"task 1": 1, "judge 1": 1, "judge 2": 1}, {"a": 0.1, "b": 0.2, "c": 0.3}),
        (
            "RETRY_SCOPE_TASKS",
            {"task 1": 1, "judge 1": 1},
            {"a": 0.1, "b": "EVALUATOR_HTTP_STATUS", "c": 0.3},
        ),
        ("RETRY_SCOPE_EVALUATIONS", {"judge 2": 1}, {"a": None, "b": 0.2, "c": 0.3}),
    ],
)
async def test_only_what_failed_is_repeated(
    stubs: Stubs, app: App, scope: str, asked: dict[str, int], expected: dict[str, Any]
) -> None:
    app.failing, app.misjudging = {1}, {2}
    first = await run(stubs, app.experiment)
    assert judged(first)["b"][0] == ("judge", "EVALUATOR_HTTP_STATUS")
    app.failing, app.misjudging = set(), set()
    app.asked.clear()
    again = await retry(stubs, id=experiment_id(first), scope=scope)
    events = await watch(stubs, again.id)
    assert app.asked == asked
    found = {item: dict(said).get("judge") for item, said in judged(events).items()}
    assert found == expected
    last = events[-1].experiment
    assert last.progress.completed == last.progress.total == 3
    assert last.origin.kind == experiment_pb2.ORIGIN_KIND_RETRY
    assert last.spec.run_name.startswith(first[0].experiment.spec.run_name + " - retried 20")
    kept = results(first)[2]
    assert results(events)[2].evaluations == kept.evaluations
    assert results(events)[2].start_time == kept.start_time


async def test_a_failed_run_evaluator_is_asked_again(stubs: Stubs, app: App, endpoints: Endpoints) -> None:
    async def down(_: Request, exchange: Exchange) -> None:
        await exchange.answer({}, status=400)

    async def total(_: Request, exchange: Exchange) -> None:
        await exchange.answer({"name": "total", "value": 6})

    endpoints.routes["/run-judge"] = down
    judge = {"name": "total", "http": {"url": endpoints.url("/run-judge")}}
    first = await run(stubs, app.experiment | {"run_evaluators": [judge]})
    assert first[-1].experiment.run_evaluations[0].HasField("error")
    endpoints.routes["/run-judge"] = total
    app.asked.clear()
    events = await watch(stubs, (await retry(stubs, id=experiment_id(first))).id)
    assert [(each.name, each.number) for each in events[-1].experiment.run_evaluations] == [("total", 6.0)]
    assert not app.asked


async def test_what_a_cancelled_run_never_began_is_run_by_a_retry(
    stubs: Stubs, app: App, endpoints: Endpoints
) -> None:
    async def never(_: Request, exchange: Exchange) -> None:
        await exchange.until_closed()

    task = endpoints.routes["/task"]
    endpoints.routes["/task"] = never
    experiment = app.experiment | {"max_concurrency": 1}
    call_id = await start_and_cancel(stubs, experiment)
    endpoints.routes["/task"] = task
    events = await watch(stubs, (await retry(stubs, id=call_id)).id)
    assert [result.error.reason for result in results(events)] == ["", "", ""]
    assert events[-1].experiment.progress.total == 3


async def test_a_request_id_makes_a_second_look_safe_to_repeat(stubs: Stubs, app: App) -> None:
    app.failing = {1}
    first = await run(stubs, app.experiment)
    looks = [
        await retry(stubs, id=experiment_id(first), request_id=f"look-{first[0].experiment.id}") for _ in "ab"
    ]
    assert looks[0].id == looks[1].id
    await watch(stubs, looks[0].id)


async def test_second_looks_that_cannot_be_are_refused(stubs: Stubs, app: App) -> None:
    first = await run(stubs, app.experiment)
    for call, code, why in [
        (retry(stubs, id="exp_none"), grpc.StatusCode.NOT_FOUND, "EXPERIMENT_NOT_FOUND"),
        (retry(stubs, id=experiment_id(first)), grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_RETRY"),
    ]:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is code
        assert reason(refused.value) == why
    unknown = {"name": "x", "builtin": {"name": "no_such"}}
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await evaluate(stubs, id=experiment_id(first), evaluators=[unknown])
    assert set(violations(wrong.value)) == {"evaluators[0].builtin.name"}
    with pytest.raises(grpc.aio.AioRpcError) as empty:
        await evaluate(stubs, id=experiment_id(first))
    assert set(violations(empty.value)) == {"evaluators"}


async def test_a_retry_judges_by_the_evaluator_of_the_first_run_whatever_became_of_its_name(
    stubs: Stubs, app: App
) -> None:
    async def register(builtin: str) -> None:
        evaluator = {"name": "kept", "builtin": {"name": builtin}}
        request = evaluator_service_pb2.RegisterEvaluatorRequest()
        await stubs.evaluators.RegisterEvaluator(json_format.ParseDict({"evaluator": evaluator}, request))

    await register("length")
    app.failing = {1}
    first = await run(stubs, app.experiment | {"evaluators": [{"registered": "kept"}], "run_evaluators": []})
    await stubs.evaluators.DeleteEvaluator(evaluator_service_pb2.DeleteEvaluatorRequest(name="kept"))
    await register("json_valid")
    app.failing = set()
    events = await watch(stubs, (await retry(stubs, id=experiment_id(first))).id)
    assert judged(events) == {item: [("kept", 1.0)] for item in "abc"}
