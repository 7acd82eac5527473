"""Payloads as experiments: PowerRAG's configurations, specs, definitions, and what overrides what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from evalrpc_server.domain.definitions import Definition
from evalrpc_server.domain.errors import InvalidRequestError
from evalrpc_server.protobuf.fields import FIELD_NAMES, spec_fields, spec_from_fields
from evalrpc_server.triggers.delivery import Delivery
from evalrpc_server.triggers.planning import Plan, SpecNames, plan

URL = "http://ragflow.example"
HTTP = {"http": {"url": "http://app.example/task"}}
SEED = {
    "bridge": "ragflow",
    "powerrag_api_key": "app-k",
    "powerrag_api_url": "http://h:2801/service-api/v1/chat-messages",
    "inputs": {"user": "langfuse-dataset-runner"},
    "ragflow_api_key": "ragflow-k",
    "ragflow_chat_id": "c",
}


def definition(name: str = "nightly", problem: str = "", **fields: Any) -> Definition:
    return Definition(
        name=name,
        fields=None if problem and not fields else fields,
        problem=problem,
        update_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def planned(
    payload: dict[str, Any], defaults: Definition | None = None, named: Definition | None = None
) -> Plan:
    return plan(
        Delivery(dataset="capitals", project_id="p", payload=payload),
        SpecNames(members=FIELD_NAMES, read=spec_fields),
        defaults=defaults,
        definition=named,
        ragflow_url=URL,
    )


def task_of(payload: dict[str, Any]) -> Any:
    fields = planned(payload).fields
    spec, violations = spec_from_fields(fields)
    assert spec is not None, violations
    assert violations == []
    return fields["task"]


def problems(payload: dict[str, Any], **definitions: Definition) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as raised:
        planned(payload, **definitions)
    return {each.path: each.description for each in raised.value.violations}


def test_the_seed_configuration_calls_ragflow():
    assert task_of(SEED) == {"ragflow": {"url": URL, "api_key": "ragflow-k", "chat_id": "c"}}
    fields = planned(SEED).fields
    assert (fields["name"], fields["langfuse_dataset"]) == ("capitals", {"name": "capitals"})
    assert (fields["max_concurrency"], fields["task_timeout"]) == (8, "300s")


@pytest.mark.parametrize(
    "change", [{"bridge": "dify"}, {"bridge": "PowerRAG"}, {"bridge": None, "ragflow_chat_id": ""}]
)
def test_the_other_half_calls_dify(change):  # fmt: skip
    assert task_of(SEED | change) == {
        "dify": {
            "url": SEED["powerrag_api_url"],
            "api_key": "app-k",
            "inputs": {"user": "langfuse-dataset-runner"},
        }
    }


def test_an_agent_comes_before_an_assistant():
    inputs = {"city": {"type": "line", "value": "Paris"}}
    payload = {
        "ragflow_chat_id": "c",
        "ragflow_agent_id": "a",
        "ragflow_agent_inputs": inputs,
        "ragflow_session_id": "s",
        "ragflow_user_id": "u",
        "ragflow_api_url": "http://other.example/api/v1/agents/a/completions",
    }
    assert task_of(payload) == {
        "ragflow": {
            "url": payload["ragflow_api_url"],
            "api_key": "${secret:RAGFLOW_API_KEY}",
            "agent_id": "a",
            "agent_inputs": inputs,
            "session_id": "s",
            "user_id": "u",
        }
    }


def test_keys_may_come_from_the_server():
    payload = {"powerrag_api_url": "http://h/v1"}
    assert task_of(payload)["dify"]["api_key"] == "${secret:POWERRAG_API_KEY}"


@pytest.mark.parametrize(
    ("payload", "path", "words"),
    [
        ({"bridge": "x"}, "payload.bridge", "dify, powerrag, ragflow"),
        ({"bridge": 5}, "payload.bridge", "string"),
        ({"bridge": "ragflow"}, "payload.ragflow_chat_id", "required"),
        ({"bridge": "dify"}, "payload.powerrag_api_url", "required"),
        ({"ragflow_api_key": "k"}, "payload.ragflow_chat_id", "required"),
        ({"ragflow_chat_id": ["c"]}, "payload.ragflow_chat_id", "string"),
        ({"ragflow_agent_id": "a", "ragflow_agent_inputs": "x"}, "payload.ragflow_agent_inputs", "object"),
        ({"powerrag_api_url": "http://h", "inputs": 1}, "payload.inputs", "object"),
        ({}, "payload", "says nothing to run"),
        ({"max_concurrency": 3}, "payload", "says nothing to run"),
        ({"taks": {}}, "payload.taks", "neither a member of a spec"),
        ({"task": {"htp": {}}}, "payload.task.htp", "not a field"),
        ({"experiment": 5}, "payload.experiment", "object"),
        ({"experiment": {"task": {"http": {"url": 5}}}}, "payload.experiment.task.url", "type"),
    ],
)
def test_a_payload_that_cannot_be_followed_is_told(payload, path, words):
    found = problems(payload)
    assert list(found) == [path]
    assert words in found[path]


def test_a_bridge_may_hold_keys_of_others_and_members_of_a_spec():
    made = planned(SEED | {"theirs": 1, "evaluators": [{"builtin": {"name": "length"}}], "maxConcurrency": 2})
    assert list(made.ignored) == ["theirs"]
    assert made.fields["max_concurrency"] == 2
    assert made.fields["evaluators"] == [{"builtin": {"name": "length"}}]


def test_a_whole_spec_runs_on_the_dataset_that_was_asked_for():
    whole = {
        "name": "mine",
        "task": HTTP,
        "langfuse_dataset": {"name": "another", "limit": 3},
        "metadata": {"model": "m"},
    }
    for payload in (whole, {"experiment": whole}):
        fields = planned(payload).fields
        assert fields["name"] == "mine"
        assert fields["langfuse_dataset"] == {"name": "capitals", "limit": 3}
    assert "items" not in planned({"task": HTTP, "items": {"items": [{"input": {"value": 1}}]}}).fields


def test_the_payload_overrides_the_definition_which_overrides_the_defaults():
    defaults = definition(
        "defaults", evaluators=[{"registered": "a"}], metadata={"a": 1, "b": 1}, max_concurrency=1
    )
    nightly = definition(task=HTTP, metadata={"b": 2, "c": 2}, max_concurrency=2)
    made = planned({"metadata": {"c": 3}, "max_concurrency": 3}, defaults=defaults, named=nightly).fields
    assert made["name"] == "nightly"
    assert made["evaluators"] == [{"registered": "a"}]
    assert made["metadata"] == {"a": 1, "b": 2, "c": 3}
    assert made["max_concurrency"] == 3
    assert made["task"] == HTTP


def test_lists_and_other_kinds_of_task_take_the_place_of_what_was_there():
    nightly = definition(task=HTTP, evaluators=[{"registered": "a"}, {"registered": "b"}])
    made = planned(
        {"task": {"dify": {"url": "u", "api_key": "k"}}, "evaluators": [{"registered": "c"}]}, named=nightly
    ).fields
    assert made["task"] == {"dify": {"url": "u", "api_key": "k"}}
    assert made["evaluators"] == [{"registered": "c"}]
    changed = planned({"task": {"http": {"headers": {"x": "y"}}}}, named=nightly).fields["task"]
    assert changed == {"http": {"url": "http://app.example/task", "headers": {"x": "y"}}}


def test_bridge_bounds_are_those_of_the_definition_where_it_has_some():
    made = planned(SEED, defaults=definition("defaults", max_concurrency=20)).fields
    assert (made["max_concurrency"], made["task_timeout"]) == (20, "300s")


def test_a_definition_that_cannot_be_used_is_told():
    found = problems({}, named=definition(problem="task: is required"))
    assert found == {"definition": "nightly cannot be used: task: is required"}
