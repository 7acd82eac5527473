"""What a caller types, as the request that is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from evalrpc import (
    Client,
    GrpcTask,
    HttpTask,
    InvalidRequestError,
    LangfuseDataset,
    RetryPolicy,
    builtin,
    expression,
    grpc_evaluator,
    http_evaluator,
    judge,
    registered,
)
from evalrpc._spec.data import item_messages
from evalrpc._spec.experiment import build_spec
from evalrpc._spec.judges import calibration_request
from evalrpc._spec.yaml_json import parse_yaml
from evalrpc.v1 import evaluator_pb2, experiment_spec_pb2, item_pb2, task_pb2


def built(**fields: Any) -> dict[str, Any]:
    """Returns the spec built from fields, in the JSON form of the contract."""
    return MessageToDict(build_spec(None, fields, None)[0], preserving_proto_field_name=True)


def test_every_field_arrives() -> None:
    spec = built(
        name="n",
        run_name="r",
        description="d",
        metadata={"model": "m", "n": 1},
        task="http://x/task",
        evaluators=[builtin("contains", name="accuracy", ignore_case=True, timeout=1.5, max_concurrency=2)],
        composite_evaluator=http_evaluator("http://x/e", name="overall", headers={"a": "${secret:B}"}),
        run_evaluators=[
            registered("mean@3"),
            grpc_evaluator("h:1", name="g", evaluator="e", tls=True, metadata={"k": "v"}),
        ],
        max_concurrency=7,
        task_timeout=2.5,
        evaluator_timeout=timedelta(minutes=1),
        retry=RetryPolicy(max_attempts=4, initial_backoff=0.1, max_backoff=2, multiplier=3),
        repetitions=3,
        dry_run_items=2,
        langfuse_project="p",
        langfuse_sync="wait",
        langfuse_sync_timeout=5,
        trace={"name": "t", "tags": ["a"], "session_id": "s"},
        worker_wait=6,
        trial_reducers=[{"evaluation": "accuracy", "reduction": "TRIAL_REDUCTION_PASS_AT_K", "k": 2}],
        gates=[{"evaluation": "accuracy", "threshold": {"value": 0.8}}],
        budget={"hard": {"cost_usd": 5}},
        cluster_by="document.id",
    )
    assert spec == {
        "name": "n",
        "run_name": "r",
        "description": "d",
        "metadata": {"model": "m", "n": 1},
        "task": {"http": {"url": "http://x/task"}},
        "evaluators": [
            {
                "name": "accuracy",
                "builtin": {"name": "contains", "params": {"ignore_case": True}},
                "timeout": "1.500s",
                "max_concurrency": 2,
            }
        ],
        "composite_evaluator": {
            "name": "overall",
            "http": {"url": "http://x/e", "headers": {"a": "${secret:B}"}},
        },
        "run_evaluators": [
            {"registered": "mean@3"},
            {"name": "g", "grpc": {"target": "h:1", "evaluator": "e", "tls": True, "metadata": {"k": "v"}}},
        ],
        "max_concurrency": 7,
        "task_timeout": "2.500s",
        "evaluator_timeout": "60s",
        "retry": {"max_attempts": 4, "initial_backoff": "0.100s", "max_backoff": "2s", "multiplier": 3.0},
        "repetitions": 3,
        "dry_run_items": 2,
        "langfuse_project": "p",
        "langfuse_sync": "LANGFUSE_SYNC_WAIT",
        "langfuse_sync_timeout": "5s",
        "trace": {"name": "t", "tags": ["a"], "session_id": "s"},
        "worker_wait": "6s",
        "trial_reducers": [{"evaluation": "accuracy", "reduction": "TRIAL_REDUCTION_PASS_AT_K", "k": 2}],
        "gates": [{"evaluation": "accuracy", "threshold": {"value": 0.8}}],
        "budget": {"hard": {"cost_usd": 5.0}},
        "cluster_by": "document.id",
    }
    fields = {field.name for field in experiment_spec_pb2.ExperimentSpec.DESCRIPTOR.fields}
    assert fields - set(spec) == {"items", "langfuse_dataset", "upload"}  # the data


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (HttpTask(url="http://x", headers={"a": "b"}, http2=True), {"http": {"url": "http://x", "headers": {"a": "b"}, "http2": True}}),
        (
            HttpTask(url="http://x", body={"q": "{{input}}"}, selectors={"output": "answer"}, strip=("a",), success="ok"),
            {"http": {"url": "http://x", "body": {"q": "{{input}}"}, "selectors": {"output": "answer"}, "strip": ["a"], "success": "ok"}},
        ),
        (GrpcTask(target="h:1", include_expected_output=True), {"grpc": {"target": "h:1", "include_expected_output": True}}),
        ({"openai": {"model": "m"}}, {"openai": {"model": "m"}}),
        (task_pb2.Task(worker=task_pb2.WorkerTask(function="f")), {"worker": {"function": "f"}}),
    ],
)  # fmt: skip
def test_a_task_is_any_of_the_contract(task: Any, expected: dict[str, Any]) -> None:
    assert built(task=task) == {"task": expected}


def test_what_is_given_beside_a_spec_overrides_it(tmp_path: Path) -> None:
    spec = {"name": "n", "max_concurrency": 3, "evaluators": [{"builtin": {"name": "length"}}]}
    message = ParseDict(spec, experiment_spec_pb2.ExperimentSpec())
    for source in (spec, message, {"experiment": spec}):
        found, _ = build_spec(source, {"name": "other", "evaluators": [], "max_concurrency": None}, None)
        assert (found.name, found.max_concurrency, len(found.evaluators)) == ("other", 3, 0)
    assert message.name == "n"  # the caller's own is left alone


YAML = """
experiment:
  name: From a file
  metadata: {day: 2026-11-22, on: yes}
  items:
    items:
      - input: {value: 9007199254740993}
        expected_output: {text: '1.10'}
        metadata: {value: {when: 2026-11-22}}
  task: {http: {url: "http://x"}}
request_id: mine
"""


def test_a_file_may_be_yaml_and_stays_exact(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(YAML)
    spec, request_id = build_spec(path, {}, None)
    item = spec.items.items[0]
    assert (item.input.text, item.expected_output.text) == ("9007199254740993", "1.10")
    assert item.metadata.text == '{"when":"2026-11-22"}'  # a date is a string, as JSON has no dates
    assert MessageToDict(spec.metadata) == {"day": "2026-11-22", "on": "yes"}
    assert request_id == "mine"
    assert build_spec(path, {}, "other")[1] == "other"


def test_a_request_id_is_made_up() -> None:
    assert build_spec(None, {}, None)[1] != build_spec(None, {}, None)[1]


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"nam": "x"}, "experiment.nam", "run_name"),
        ({"task": {"http": {"uri": "x"}}}, "experiment.task.http.uri", "url"),
        ({"evaluators": [{"builtin": {"nme": "x"}}]}, "experiment.evaluators[0].builtin.nme", "params"),
        ({"max_concurrency": "many"}, "experiment", "max_concurrency"),
    ],
)
def test_a_field_that_the_contract_does_not_know_is_named(
    spec: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build_spec(spec, {}, None)
    assert [each.path for each in caught.value.violations] == [path]
    assert words in caught.value.violations[0].description


@pytest.mark.parametrize("content", ["[1]", "{", "name: [", ""])
def test_a_file_that_holds_no_object_is_refused(tmp_path: Path, content: str) -> None:
    for name in ("spec.json", "spec.yaml"):
        (tmp_path / name).write_text(content)
        with pytest.raises(InvalidRequestError, match=name):
            build_spec(tmp_path / name, {}, None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"task": lambda item: item}, r"a function can be the task of run\(\)"),
        ({"evaluators": [lambda **_: 1]}, r"evaluators\[0\] can be a function only in run\(\)"),
        ({"evaluators": ["accuracy"]}, "not a str"),
        ({"nonsense": 1}, "no field 'nonsense'"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        build_spec(None, fields, None)


def test_a_second_look_takes_no_functions_and_known_scopes_only() -> None:
    with Client() as client:
        with pytest.raises(TypeError, match=r"run_evaluators\[0\] can be a function only in run\(\)"):
            client.evaluate("exp_1", run_evaluators=[lambda **_: 1])
        with pytest.raises(ValueError, match="scope"):
            client.retry("exp_1", scope=cast(Any, "half"))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"max_concurrency": 10**12}, "experiment.max_concurrency"),
        ({"task_timeout": float("nan")}, "experiment.task_timeout"),
        ({"task_timeout": float("inf")}, "experiment.task_timeout"),
        ({"worker_wait": 1e300}, "experiment.worker_wait"),
        ({"langfuse_sync": "never"}, "experiment.langfuse_sync"),
        ({"metadata": {"when": object()}}, "experiment.metadata"),
    ],
)
def test_a_value_that_cannot_be_sent_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build_spec(None, fields, None)
    assert [each.path for each in caught.value.violations] == [path]


def test_items_say_what_is_wrong_with_them() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        list(item_messages([{"input": 1}, {"input": 1, "expected": 2, "meta": 3}]))
    assert [each.path for each in caught.value.violations] == ["data[1].expected", "data[1].meta"]
    for value in (float("nan"), {1, 2}, object(), "\ud800"):
        with pytest.raises(InvalidRequestError) as caught:
            list(item_messages([{"input": {"deep": [value]}}]))
        assert caught.value.violations[0].path == "data[0].input"
    for wrong in ({"input": 1}, 3, [1]):
        with pytest.raises(TypeError, match="data"):
            list(item_messages(wrong))  # type: ignore[arg-type]


def test_a_missing_input_is_left_for_the_server_to_tell() -> None:
    assert list(item_messages([{"id": "a"}])) == [item_pb2.Item(id="a")]


def test_a_langfuse_dataset_carries_its_selection() -> None:
    dataset = LangfuseDataset(
        name="capitals",
        version=datetime(2026, 11, 22, tzinfo=UTC),
        item_ids=("a", "b"),
        metadata_equals={"continent": "Europe"},
        shuffle_seed=0,
        sample_size=10,
        sample_seed=3,
        limit=5,
    )
    assert MessageToDict(dataset.to_message(), preserving_proto_field_name=True) == {
        "name": "capitals",
        "version": "2026-11-22T00:00:00Z",
        "item_ids": ["a", "b"],
        "metadata_equals": {"continent": "Europe"},
        "shuffle": {},
        "sample": {"size": 10, "seed": 3},
        "limit": 5,
    }


def test_an_evaluator_may_be_a_message() -> None:
    message = evaluator_pb2.EvaluatorSpec(registered="a@1")
    assert built(evaluators=[message, {"registered": "b"}]) == {
        "evaluators": [{"registered": "a@1"}, {"registered": "b"}]
    }


def test_yaml_means_what_json_would() -> None:
    text = "{a: on, b: no, c: 1:30, d: 010, e: 1e3, f: -0.5, g: true, h: ~, i: null, j: 2026-11-22, k: 1_000, l: , m: 7}"
    assert parse_yaml(text) == {
        "a": "on", "b": "no", "c": "1:30", "d": "010", "e": 1000.0, "f": -0.5, "g": True, "h": None, "i": None,
        "j": "2026-11-22", "k": "1_000", "l": None, "m": 7,
    }  # fmt: skip


def test_a_judge_and_an_expression_arrive_with_all_their_fields() -> None:
    spec = built(
        name="n",
        task="http://x/task",
        evaluators=[
            judge(
                name="helpful",
                models=["small", {"model": "large", "base_url": "http://x/v1", "api_key": "${secret:KEY}"}],
                rubric="Is it helpful?",
                labels=["yes", "no"],
                samples=3,
                strategy="cascade",
                agreement=0.6,
                reducer="majority",
                prompt="{{output}}?",
                timeout=5,
            ),
            judge(name="faithful", models="small", preset="faithfulness"),
            judge(name="better", models="small", rubric="Which?", pairwise="exp_1"),
            judge(name="stars", models="small", rubric="How good?", scale=(1, 5)),
            expression("size(output) > 1", name="long"),
        ],
    )
    first, faithful, better, stars, long = spec["evaluators"]
    assert first == {
        "name": "helpful",
        "timeout": "5s",
        "judge": {
            "rubric": "Is it helpful?",
            "labels": {"labels": ["yes", "no"]},
            "models": [
                {"model": "small"},
                {"model": "large", "base_url": "http://x/v1", "api_key": "${secret:KEY}"},
            ],
            "strategy": "JUDGE_STRATEGY_CASCADE",
            "samples": 3,
            "reducer": "JUDGE_REDUCER_MAJORITY",
            "agreement": 0.6,
            "prompt": "{{output}}?",
        },
    }
    assert faithful["judge"]["preset"] == "JUDGE_PRESET_FAITHFULNESS"
    assert better["judge"]["pairwise"] == {"baseline_experiment_id": "exp_1"}
    assert stars["judge"]["scale"] == {"min": 1.0, "max": 5.0}
    assert long["expression"] == {"expression": "size(output) > 1"}


def test_labelled_outputs_arrive_with_their_verdicts() -> None:
    evaluator = judge(name="right", models="small", rubric="Right?", boolean=True)
    request = calibration_request(
        evaluator,
        [
            {"input": "q", "output": {"a": 1}, "contexts": ["c", {"text": "d", "id": "1"}], "verdict": True},
            {"output": "x", "verdict": 0.5},
            {"output": "x", "verdict": "good"},
        ],
        0.7,
    )
    assert request.judge == evaluator.judge
    assert request.positive_from == 0.7
    one, two, three = request.labelled_outputs
    assert (one.output.text, one.boolean, [each.text for each in one.contexts]) == (
        '{"a":1}',
        True,
        ["c", "d"],
    )
    assert (two.number, three.label) == (0.5, "good")
    with pytest.raises(InvalidRequestError, match=r"outputs\[0\]\.verdict"):
        calibration_request(evaluator, [{"output": "x"}], None)
    with pytest.raises(InvalidRequestError, match=r"outputs\[0\]\.label: is unknown"):
        calibration_request(evaluator, [{"output": "x", "label": "good"}], None)
