"""Judges and expressions, as a caller uses them over RPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import calibration_pb2
from tests.servers import Stubs
from tests.service.calls import SECONDS, results, run, spec, violations
from tests.standins.endpoints import Endpoints, Exchange, Request
from tests.standins.openai.judge import JudgeStandIn

ITEMS = [
    {"id": "fr", "input": {"value": "Paris"}, "expected_output": {"value": "Paris"}},
    {"id": "au", "input": {"value": "Sydney"}, "expected_output": {"value": "Canberra"}},
]


def judges(body: dict[str, Any]) -> dict[str, Any]:
    """Judges by whether the output is the expected one; of two outputs it prefers Paris, else calls it a tie."""
    material = json.loads(body["messages"][-1]["content"].partition("as JSON:\n")[2])
    if "first" in material:
        places = {material["first"]: "first", material["second"]: "second"}
        tied = material["first"] == material["second"]
        return {"reasoning": "x", "winner": "tie" if tied else places.get("Paris", "tie")}
    return {"reasoning": "compared", "passed": material["output"] == material.get("expected_output", "Paris")}


@pytest.fixture
async def model() -> AsyncIterator[dict[str, Any]]:
    """A judge's model, as a spec describes it, with its key written out."""
    async with JudgeStandIn(says=judges) as running:
        yield {"base_url": running.base_url, "api_key": running.key, "model": "judge-1"}


def echo(endpoints: Endpoints, **fields: Any) -> dict[str, Any]:
    """Returns a spec whose task answers its input."""
    return spec(endpoints.url("/task"), *ITEMS, **fields)


async def test_a_run_is_judged_by_models_and_expressions_and_shows_no_key(stubs, endpoints: Endpoints, model):
    right = {"rubric": "Is it right?", "boolean": {}, "models": [model]}
    experiment = echo(
        endpoints,
        evaluators=[
            {"name": "right", "judge": right},
            {"name": "same", "expression": {"expression": "output == expected_output"}},
        ],
        composite_evaluator={
            "name": "both",
            "expression": {"expression": "evaluations.right == evaluations.same"},
        },
        run_evaluators=[{"builtin": {"name": "mean", "params": {"evaluation": "right"}}}],
    )
    events = await run(stubs, experiment)
    found = [
        {each.name: each.boolean for each in result.evaluations if each.HasField("boolean")}
        for result in results(events)
    ]
    assert found == [
        {"right": True, "same": True, "both": True},
        {"right": False, "same": False, "both": True},
    ]
    judged = results(events)[0].evaluations[0]
    assert judged.comment == "compared"
    assert judged.usage.input_tokens == 100
    assert judged.metadata.value.struct_value["judge"]["prompt"] == "evalrpc/boolean@1"
    assert not any(model["api_key"] in str(event) for event in events)
    again = await run(
        stubs,
        echo(
            endpoints,
            evaluators=[
                {
                    "name": "better",
                    "judge": {
                        "rubric": "Which is right?",
                        "pairwise": {"baseline_experiment_id": events[0].experiment.id},
                        "models": [model],
                    },
                }
            ],
        ),
    )
    assert [result.evaluations[0].number for result in results(again)] == [0.5, 0.5]


async def test_a_wrong_judge_or_expression_is_refused_with_every_field_named(
    stubs: Stubs, endpoints: Endpoints
):
    model = {"model": "m"}
    wrong = {
        "none": {"models": [model]},
        "preset": {"preset": "JUDGE_PRESET_FAITHFULNESS", "boolean": {}, "models": [model]},
        "models": {"rubric": "x"},
        "reducer": {"rubric": "x", "boolean": {}, "models": [model], "reducer": "JUDGE_REDUCER_MEAN"},
        "cascade": {"rubric": "x", "models": [model], "strategy": "JUDGE_STRATEGY_CASCADE"},
        "labels": {"rubric": "x", "labels": {"labels": ["a", "A"]}, "models": [model]},
        "prompt": {"rubric": "x", "prompt": "{{answer}}", "models": [model]},
        "baseline": {"rubric": "x", "pairwise": {"baseline_experiment_id": "exp_0"}, "models": [model]},
        "parameters": {"rubric": "x", "models": [{"model": "m", "parameters": {"stream": True}}]},
    }
    experiment = echo(
        endpoints,
        evaluators=[
            *({"name": name, "judge": judge} for name, judge in wrong.items()),
            {"name": "expression", "expression": {"expression": "answer > 1"}},
        ],
        run_evaluators=[{"name": "run", "expression": {"expression": "1"}}],
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(stubs, experiment)
    found = violations(refused.value)
    at = "experiment.evaluators[{}].{}"
    expected = {
        at.format(0, "judge"): "exactly one of rubric, preset; none is set",
        at.format(1, "judge"): "a preset, which gives a score from 0 to 1",
        at.format(2, "judge.models"): "is required",
        at.format(3, "judge"): "a reducer for numbers",
        at.format(4, "judge"): "needs two models and two samples",
        at.format(5, "judge.labels.labels"): "must differ",
        at.format(6, "judge.prompt"): "a path begins with one of rubric, input, output",
        at.format(7, "judge.pairwise.baseline_experiment_id"): "there is not",
        at.format(8, "judge.models[0].parameters"): "must not hold stream",
        at.format(9, "expression.expression"): "undeclared reference to 'answer'",
        "experiment.run_evaluators[0].expression": "judges single items",
    }
    assert found.keys() == expected.keys()
    for path, problem in expected.items():
        assert problem in found[path], path


def calibration(judge: dict[str, Any], *outputs: dict[str, Any]) -> calibration_pb2.CalibrateJudgeRequest:
    return json_format.ParseDict(
        {"judge": judge, "labelled_outputs": outputs}, calibration_pb2.CalibrateJudgeRequest()
    )


async def test_a_judge_is_measured_against_people(stubs: Stubs, model):
    judge = {"rubric": "Is it right?", "boolean": {}, "models": [model]}
    outputs = [
        {"output": {"value": said}, "boolean": verdict}
        for said, verdict in [("Paris", True), ("Lyon", False), ("Paris", False), ("Paris", True)]
    ]
    found = await stubs.evaluators.CalibrateJudge(calibration(judge, *outputs), timeout=SECONDS)
    assert (found.n, found.errors, found.unscored, found.accuracy, found.kappa) == (4, 0, 0, 0.75, 0.5)
    assert found.accuracy_interval.low < 0.75 < found.accuracy_interval.high
    assert found.kappa_interval.low < 0.5 < found.kappa_interval.high
    assert [each.boolean for each in found.evaluations] == [True, False, True, True]
    unreachable = {**judge, "models": [{**model, "model": "no-such-model"}]}
    found = await stubs.evaluators.CalibrateJudge(calibration(unreachable, *outputs), timeout=SECONDS)
    assert (found.n, found.errors, found.HasField("accuracy")) == (0, 4, False)


async def test_a_wrong_calibration_is_refused_with_every_field_named(stubs: Stubs, model):
    judge = {"rubric": "x", "labels": {"labels": ["good", "bad"]}, "models": [model]}
    request = calibration(
        judge, {"output": {"value": "a"}, "label": "great"}, {"output": {"value": "b"}, "number": 1}
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.evaluators.CalibrateJudge(request, timeout=SECONDS)
    assert violations(refused.value) == {
        f"labelled_outputs[{number}].label": "must be one of good, bad" for number in (0, 1)
    }
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.evaluators.CalibrateJudge(
            calibration({"rubric": "x"}, {"label": "good"}, {}), timeout=SECONDS
        )
    assert violations(refused.value).keys() == {
        "judge.models",
        "labelled_outputs[0].output",
        "labelled_outputs[1].output",
        "labelled_outputs[1]",
    }


async def test_a_credential_among_the_parameters_reaches_the_model_of_a_calibration(
    stubs: Stubs, endpoints: Endpoints
):
    keys = []

    async def complete(request: Request, exchange: Exchange) -> None:
        keys.append(request.json()["api_key"])
        message = {"role": "assistant", "content": '{"reasoning": "x", "passed": true}'}
        await exchange.answer({"choices": [{"message": message, "finish_reason": "stop"}]})

    endpoints.routes["/v1/chat/completions"] = complete
    model = {"base_url": endpoints.url("/v1"), "model": "m", "parameters": {"api_key": "written-out-1"}}
    judge = {"rubric": "x", "boolean": {}, "models": [model]}
    outputs = [{"output": {"value": said}, "boolean": True} for said in "ab"]
    found = await stubs.evaluators.CalibrateJudge(calibration(judge, *outputs), timeout=SECONDS)
    assert (found.errors, keys) == (0, ["written-out-1"] * 2)
