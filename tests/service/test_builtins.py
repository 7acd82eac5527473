"""Every builtin, as a caller uses it from grpcurl."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from evalrpc.v1 import evaluator_pb2, evaluator_service_pb2
from tests.contract.test_requests import documents
from tests.servers import Server, Stubs, serving
from tests.service.calls import run, spec, violations
from tests.standins.endpoints import Endpoints, Exchange, Request
from tests.standins.openai.judge import JudgeStandIn

TOOLS = Path(__file__).parents[2] / ".tools/bin"
KEY = "sk-stand-in-0123456789abcdef"
CALL = {"name": "weather", "arguments": {"city": "Paris"}}
SQL = "SELECT name FROM cities"

# builtin: output, expected output, parameters, value
ITEM_LEVEL: dict[str, tuple[Any, Any, dict[str, Any], Any]] = {
    "bleu": ("the cat sat on the mat", "the cat sat on the mat", {}, 1.0),
    "chrf": ("Москва", "Москва", {}, 1.0),
    "contains": ("It is PARIS.", "Paris", {"ignore_case": True}, True),
    "contains_all": ("red and blue", ["red", "blue"], {}, True),
    "contains_any": ("red", ["green", "blue"], {}, False),
    "cost": ("x", None, {}, 0.25),
    "ends_with": ("It is Paris", "Paris", {}, True),
    "exact_match": ({"a": [1, 2.0]}, {"a": [1.0, 2]}, {}, True),
    "jaro_winkler": ("Paris", "Paris", {}, 1.0),
    "json_diff": ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {}, 0.5),
    "json_equal": ('{"a": 1}', {"a": 1}, {}, True),
    "json_schema": ({"a": 1}, None, {"schema": {"required": ["b"]}}, False),
    "json_valid": ("{'a': 1}", None, {}, False),
    "json_value": ({"status": "ok"}, None, {"path": "/status", "value": "ok"}, True),
    "length": ("北京", None, {}, 2.0),
    "levenshtein": ("kitten", "sitten", {}, 1 - 1 / 6),
    "list_f1": (["a", "b"], ["b", "c"], {}, 0.5),
    "numeric_close": ("The answer is 42.", 41, {"extract": "last", "absolute": 1}, True),
    "numeric_difference": (44, 42, {}, 2.0),
    "refusal": ("I'm sorry, but I can't help with that.", None, {}, True),
    "regex": ("order 123-4567", None, {"pattern": r"\d{3}-\d{4}"}, True),
    "retrieval_mrr": ("x", ["c2"], {}, 0.5),
    "retrieval_ndcg": ("x", ["c1", "c2"], {}, 1.0),
    "retrieval_precision": ("x", ["c2"], {"k": 1}, 0.0),
    "retrieval_recall": ("x", ["c2"], {}, 1.0),
    "rouge_l": ("police kill the gunman", "police killed the gunman", {}, 0.75),
    "sql_equal": (SQL.lower(), SQL, {}, True),
    "sql_valid": (SQL + " WHERE", None, {"dialect": "postgres"}, False),
    "starts_with": ("Paris it is", "Paris", {}, True),
    "token_f1": ("Paris, France", "france paris", {}, 1.0),
    "tokens": ("x", None, {"count": "total"}, 15.0),
    "tool_call_f1": ([CALL], [CALL, "time"], {"compare_arguments": False}, 2 / 3),
    "tool_calls_match": ({"tool_calls": [CALL]}, [CALL], {}, True),
    "word_count": ("one two three", None, {}, 3.0),
    "xml_valid": ("<a><b/></a>", None, {"root": "a"}, True),
}
CALLING: dict[str, tuple[Any, Any, dict[str, Any], Any]] = {
    "autoevals": (9, 10, {"scorer": "NumericDiff"}, 18 / 19),
    "cosine_similarity": ("ae", "a", {"model": "m", "api_key": "${secret:KEY}"}, 0.5**0.5),
}
COMPOSITES: dict[str, tuple[dict[str, Any], Any]] = {
    "all_pass": ({}, False),
    "any_pass": ({}, True),
    "weighted_mean": ({"weights": {"right": 3, "wrong": 1}}, 0.75),
}
RUN_LEVEL: dict[str, tuple[dict[str, Any], float]] = {
    "error_rate": ({}, 0.2),
    "maximum": ({"evaluation": "length"}, 4.0),
    "mean": ({"evaluation": "length"}, 2.5),
    "minimum": ({"evaluation": "length"}, 1.0),
    "pass_rate": ({"evaluation": "length", "threshold": 3}, 0.5),
    "percentile": ({"evaluation": "length", "p": 50}, 2.5),
    "standard_deviation": ({"evaluation": "length"}, (5 / 3) ** 0.5),
    "standard_error": ({"evaluation": "length"}, (5 / 3) ** 0.5 / 2),
    "sum": ({"evaluation": "length"}, 10.0),
}


async def _answer(request: Request, exchange: Exchange) -> None:
    given = request.json()["input"]
    if given == "fail":
        await exchange.answer("no", status=400)
        return
    await exchange.answer(
        {
            "output": given,
            "contexts": [{"id": "c1", "text": "one"}, {"id": "c2", "text": "two"}],
            "usage": {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.25},
        }
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has the key of the stand-in for models."""
    with serving(tmp_path_factory.mktemp("data"), env={"EVALRPC_SECRET_KEY": KEY}) as made:
        yield made


@pytest.fixture
async def models() -> AsyncIterator[str]:
    """The base URL of models."""
    async with JudgeStandIn(key=KEY) as running:
        yield running.base_url


@pytest.fixture
def task(endpoints: Endpoints) -> str:
    endpoints.routes["/answer"] = _answer
    return endpoints.url("/answer")


async def grpcurl(server: Server, experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs an experiment as a person would; returns its events."""
    process = await asyncio.create_subprocess_exec(
        *("grpcurl", "-plaintext", "-d", "@", server.grpc, "evalrpc.v1.ExperimentService/RunExperiment"),
        env=os.environ | {"PATH": f"{os.environ['PATH']}:{TOOLS}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, problem = await process.communicate(json.dumps({"experiment": experiment}).encode())
    assert process.returncode == 0, problem.decode()
    return [json.loads(text)["event"] for text in documents(said.decode())]


def of_item(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the evaluations of the one item."""
    [found] = [event["itemResult"]["evaluations"] for event in events if "itemResult" in event]
    return list(found)


def _value(evaluation: dict[str, Any]) -> Any:
    return evaluation["boolean"] if "boolean" in evaluation else evaluation["number"]


async def test_every_builtin_that_is_listed_is_tried_here(stubs: Stubs):
    listed = await stubs.evaluators.ListBuiltinEvaluators(
        evaluator_service_pb2.ListBuiltinEvaluatorsRequest(), timeout=10
    )
    levels: dict[int, set[str]] = {}
    for builtin in listed.evaluators:
        levels.setdefault(builtin.level, set()).add(builtin.name)
        assert json_format.MessageToDict(builtin.params_schema)["type"] == "object"
    assert levels == {
        evaluator_pb2.EVALUATOR_LEVEL_ITEM: {"latency", *ITEM_LEVEL, *CALLING, *COMPOSITES},
        evaluator_pb2.EVALUATOR_LEVEL_RUN: set(RUN_LEVEL),
    }


@pytest.mark.parametrize("name", ITEM_LEVEL | CALLING)
async def test_a_builtin_judges_an_item(server: Server, task: str, models: str, name: str):
    output, expected, params, value = (ITEM_LEVEL | CALLING)[name]
    item = {"input": {"value": output}}
    if expected is not None:
        item["expected_output"] = {"value": expected}
    if name in CALLING:
        params = {"base_url": models, **params}
    evaluators = [{"builtin": {"name": name, "params": params}}]
    [said] = of_item(await grpcurl(server, spec(task, item, evaluators=evaluators)))
    assert said["name"] == name
    assert said["evaluator"] == f"builtin/{name}@1"
    kind = "boolean" if isinstance(value, bool) else "number"
    assert said[kind] == (value if isinstance(value, bool) else pytest.approx(value))


async def test_latency_is_above_nothing(server: Server, task: str):
    [said] = of_item(await grpcurl(server, spec(task, "x", evaluators=[{"builtin": {"name": "latency"}}])))
    assert 0 < _value(said) < 60


@pytest.mark.parametrize("name", COMPOSITES)
async def test_a_builtin_judges_by_what_others_said(server: Server, task: str, name: str):
    params, value = COMPOSITES[name]
    fields = {
        "evaluators": [
            {"name": "right", "builtin": {"name": "contains", "params": {"value": "x"}}},
            {"name": "wrong", "builtin": {"name": "contains", "params": {"value": "y"}}},
        ],
        "composite_evaluator": {"name": "together", "builtin": {"name": name, "params": params}},
    }
    events = await grpcurl(server, spec(task, "x", **fields))
    assert {said["name"]: _value(said) for said in of_item(events)} == {
        "right": True,
        "wrong": False,
        "together": value,
    }


async def test_builtins_judge_a_run_and_count_the_item_that_failed(server: Server, task: str):
    fields = {
        "evaluators": [{"builtin": {"name": "length"}}],
        "run_evaluators": [
            {"builtin": {"name": name, "params": params}} for name, (params, _) in RUN_LEVEL.items()
        ],
    }
    events = await grpcurl(server, spec(task, "a", "bb", "fail", "ccc", "dddd", **fields))
    [said] = [event["runEvaluations"]["evaluations"] for event in events if "runEvaluations" in event]
    found = {evaluation["name"]: evaluation for evaluation in said}
    assert {name: _value(one) for name, one in found.items()} == {
        name: pytest.approx(value) for name, (_, value) in RUN_LEVEL.items()
    }
    assert found["mean"]["comment"] == "over 4 values; 1 item failed"


async def test_a_wrong_use_of_builtins_is_refused_with_every_field_named(stubs: Stubs, server: Server):
    experiment = spec(
        f"http://{server.http}/",
        "x",
        evaluators=[
            {"builtin": {"name": "contians"}},
            {"builtin": {"name": "regex", "params": {"pattern": "(?=a)", "ignorecase": True}}},
            {"builtin": {"name": "mean", "params": {"evaluation": "x"}}},
        ],
        run_evaluators=[{"builtin": {"name": "percentile", "params": {"measure": "latency", "p": 200}}}],
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await run(stubs, experiment)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = violations(refused.value)
    assert found.keys() == {
        "experiment.evaluators[0].builtin.name",
        "experiment.evaluators[1].builtin.params.pattern",
        "experiment.evaluators[1].builtin.params.ignorecase",
        "experiment.evaluators[2].builtin.name",
        "experiment.run_evaluators[0].builtin.params.p",
    }
    assert "did you mean contains?" in found["experiment.evaluators[0].builtin.name"]
    assert "no look-around" in found["experiment.evaluators[1].builtin.params.pattern"]
