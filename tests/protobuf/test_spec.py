from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from evalrpc.v1 import evaluator_pb2, experiment_spec_pb2
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.protobuf.spec import evaluator_from_message, spec_from_message, spec_to_message

SMALLEST: dict[str, Any] = {
    "name": "n",
    "upload": "upl_1",
    "task": {"http": {"url": "http://127.0.0.1:9000/task"}},
}


def read(fields: dict[str, Any]) -> tuple[ExperimentSpec | None, list[Violation]]:
    message = json_format.ParseDict(fields, experiment_spec_pb2.ExperimentSpec())
    return spec_from_message(message, item_count=None, path="experiment")


def test_defaults_are_filled_in_and_echoed():
    spec, violations = read(SMALLEST)
    assert violations == []
    assert spec is not None
    echo = json_format.MessageToDict(spec_to_message(spec), preserving_proto_field_name=True)
    assert echo["max_concurrency"] == 50
    assert echo["task_timeout"] == "120s"
    assert echo["retry"]["max_attempts"] == 3
    assert echo["upload"] == "upl_1"


def test_a_spec_survives_both_ways():
    fields = {
        **SMALLEST,
        "description": "d",
        "metadata": {"model": "m", "temperature": 0.7},
        "task": {"grpc": {"target": "127.0.0.1:9001", "metadata": {"x": "${secret:KEY}"}}},
        "evaluators": [
            {
                "name": "a",
                "builtin": {"name": "contains", "params": {"ignore_case": True}},
                "timeout": "2.5s",
            },
            {"registered": "accuracy@3", "max_concurrency": 7},
        ],
        "composite_evaluator": {"name": "c", "http": {"url": "https://example.com/c"}},
        "run_evaluators": [{"name": "r", "grpc": {"target": "example.com:443", "tls": True}}],
        "task_timeout": "0.25s",
        "retry": {"max_attempts": 5, "initial_backoff": "0.1s", "multiplier": 3},
        "dry_run_items": 2,
    }
    spec, violations = read(fields)
    assert violations == []
    assert spec is not None
    assert spec_from_message(spec_to_message(spec), item_count=None, path="x") == (spec, [])


def test_secret_references_are_echoed_and_literal_credentials_are_not():
    headers = {"Authorization": "Bearer literal", "X-Api-Key": "Bearer ${secret:KEY}", "X-App": "geo"}
    spec, _ = read({**SMALLEST, "task": {"http": {"url": "http://127.0.0.1:9000", "headers": headers}}})
    assert spec is not None
    assert dict(spec_to_message(spec).task.http.headers) == {
        "Authorization": "Bearer [redacted]",
        "X-Api-Key": "Bearer ${secret:KEY}",
        "X-App": "geo",
    }


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"name": ""}, "experiment.name", "is required"),
        ({"task": {}}, "experiment.task", "exactly one"),
        ({"task": {"http": {"url": "ftp://x"}}}, "experiment.task.http.url", "http://"),
        ({"task": {"http": {"url": ""}}}, "experiment.task.http.url", "is required"),
        (
            {"task": {"http": {"url": "http://a", "headers": {"X": "a\r\nb"}}}},
            "experiment.task.http.headers",
            "control characters",
        ),
        ({"task": {"grpc": {"target": "nowhere"}}}, "experiment.task.grpc.target", "host:port"),
        ({"max_concurrency": 0}, "experiment.max_concurrency", "greater than or equal to 1"),
        ({"max_concurrency": -5}, "experiment.max_concurrency", "greater than or equal to 1"),
        ({"task_timeout": "0s"}, "experiment.task_timeout", "above 0s"),
        ({"repetitions": 0}, "experiment.repetitions", "1"),
        ({"evaluators": [{"name": "x"}]}, "experiment.evaluators[0]", "exactly one"),
        (
            {"evaluators": [{"registered": "a"}, {"name": "x", "http": {"url": "nope"}}]},
            "experiment.evaluators[1].http.url",
            "http://",
        ),
        ({"evaluators": [{"registered": "a@0"}]}, "experiment.evaluators[0].registered", "accuracy@3"),
        ({"langfuse_dataset": {"name": ""}}, "experiment.langfuse_dataset.name", "is required"),
    ],
)
def test_violations_name_the_path(change, path, words):
    fields = {**SMALLEST, **change}
    if "langfuse_dataset" in change:
        del fields["upload"]
    spec, violations = read(fields)
    assert spec is None
    assert [violation.path for violation in violations] == [path]
    assert words in violations[0].description


def test_all_violations_are_told_at_once():
    spec, violations = read(
        {
            **SMALLEST,
            "name": " ",
            "task": {"http": {"url": "nope"}},
            "evaluators": [{"name": "x", "http": {"url": "nope"}}, {"registered": "@"}],
            "max_concurrency": -1,
        }
    )
    assert spec is None
    assert [violation.path for violation in violations] == [
        "experiment.name",
        "experiment.task.http.url",
        "experiment.evaluators[0].http.url",
        "experiment.evaluators[1].registered",
        "experiment.max_concurrency",
    ]


def test_no_data_source_is_a_violation_and_inline_items_count_as_one():
    message = json_format.ParseDict(
        {"name": "n", "task": SMALLEST["task"]}, experiment_spec_pb2.ExperimentSpec()
    )
    spec, violations = spec_from_message(message, item_count=None, path="experiment")
    assert spec is None
    assert "exactly one of items, langfuse_dataset, upload" in violations[0].description
    spec, violations = spec_from_message(message, item_count=3, path="experiment")
    assert violations == []
    assert spec is not None
    assert not spec_to_message(spec).HasField("items")


def test_an_evaluators_violations_begin_at_its_own_path():
    message = evaluator_pb2.EvaluatorSpec(http=evaluator_pb2.HttpEvaluator(url="nope"))
    spec, violations = evaluator_from_message(message, path="evaluator")
    assert spec is None
    assert violations[0].path == "evaluator.http.url"


def test_values_that_json_cannot_carry_are_all_named():
    message = experiment_spec_pb2.ExperimentSpec(name="n")
    message.langfuse_dataset.version.seconds = 10**15
    message.task_timeout.seconds = 10**15
    message.metadata["x"] = float("nan")
    message.evaluators.add().builtin.params["x"] = float("inf")
    spec, violations = spec_from_message(message, item_count=None, path="experiment")
    assert spec is None
    assert {violation.path for violation in violations} == {
        "experiment.langfuse_dataset.version",
        "experiment.task_timeout",
        "experiment.metadata",
        "experiment.evaluators[0].builtin.params",
    }


def test_a_selection_survives_both_ways_with_its_version_to_the_millisecond():
    selection = {
        "name": "geo/städte",
        "version": "2026-11-01T02:00:00.123456+02:00",
        "item_ids": ["a", "b"],
        "metadata_equals": {"continent": "Europe", "n": 1, "nested": {"list": [True, None]}},
        "shuffle": {},
        "sample": {"size": 10, "seed": 7},
        "limit": 5,
    }
    fields = {"name": "n", "langfuse_dataset": selection, "task": SMALLEST["task"]}
    spec, violations = read(fields)
    assert violations == []
    assert spec is not None
    assert spec.langfuse_dataset is not None
    assert spec.langfuse_dataset.version == "2026-11-01T00:00:00.123Z"
    assert spec_from_message(spec_to_message(spec), item_count=None, path="x") == (spec, [])


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"name": " "}, "name", "must not be empty"),
        ({"item_ids": ["a", "b", "a"]}, "item_ids", "a is there twice"),
        ({"item_ids": [""]}, "item_ids[0]", "at least 1 character"),
        ({"sample": {"seed": 1}}, "sample.size", "is required"),
        ({"sample": {"size": -1}}, "sample.size", "greater than or equal to 1"),
        ({"limit": -1}, "limit", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_with_a_selection_is_named(change: dict[str, Any], path: str, words: str):
    selection = {"name": "d"} | change
    _, violations = read({"name": "n", "langfuse_dataset": selection, "task": SMALLEST["task"]})
    (violation,) = violations
    assert violation.path == f"experiment.langfuse_dataset.{path}"
    assert words in violation.description


def test_whole_numbers_stay_whole_and_members_have_a_fixed_order():
    spec, _ = read({**SMALLEST, "metadata": {"z": 1, "a": [2.5, {"y": -3, "b": 1e300}]}})
    assert spec is not None
    assert repr(spec.metadata) == "{'a': [2.5, {'b': 1e+300, 'y': -3}], 'z': 1}"
