"""What is wrong with a task that speaks a vendor's API, told with its place."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from evalrpc.v1 import experiment_spec_pb2
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.protobuf.spec import spec_from_message, spec_to_message

OPENAI: dict[str, Any] = {"model": "m"}
DIFY: dict[str, Any] = {"url": "http://dify/v1", "api_key": "${secret:K}"}
RAGFLOW: dict[str, Any] = {"url": "http://ragflow", "api_key": "${secret:K}", "chat_id": "c"}


def read(kind: str, fields: dict[str, Any]) -> tuple[ExperimentSpec | None, list[Violation]]:
    given = {"name": "n", "upload": "u", "task": {kind: fields}}
    message = json_format.ParseDict(given, experiment_spec_pb2.ExperimentSpec())
    return spec_from_message(message, item_count=None, path="experiment")


def test_defaults_are_echoed_and_keys_that_are_written_out_are_not():
    spec, _ = read("openai", OPENAI | {"api_key": "sk-0123456789abcdef0123"})
    assert spec is not None
    task = spec_to_message(spec).task.openai
    assert task.base_url == "https://api.openai.com/v1"
    assert task.api_key == "[redacted]"


@pytest.mark.parametrize(
    ("kind", "fields", "path", "words"),
    [
        ("openai", {}, ".model", "is required"),
        ("openai", OPENAI | {"base_url": "ftp://x"}, ".base_url", "http://"),
        ("openai", OPENAI | {"api_key": "a\nb"}, ".api_key", "control characters"),
        ("openai", OPENAI | {"api_key": "${secret:}"}, ".api_key", "write ${secret:NAME}"),
        ("openai", OPENAI | {"parameters": {"stream": True}}, ".parameters", "'stream'"),
        ("openai", OPENAI | {"parameters": {"n": 2}}, ".parameters", "repetitions"),
        (
            "openai",
            OPENAI | {"messages": [{"role": "bot", "content": "x"}]},
            ".messages[0].role",
            "developer",
        ),
        ("openai", OPENAI | {"messages": [{"role": "user"}]}, ".messages[0].content", "is required"),
        (
            "openai",
            OPENAI | {"messages": [{"role": "user", "content": 1}]},
            ".messages[0].content",
            "a string",
        ),
        (
            "openai",
            OPENAI | {"messages": [{"role": "user", "content": [{"text": "{{output}}"}]}]},
            ".messages[0].content[0].text",
            "there is no 'output'",
        ),
        ("dify", {"url": "http://dify/v1"}, ".api_key", "is required"),
        ("dify", DIFY | {"query": "{{input"}, ".query", "{{ without its }}"),
        ("dify", DIFY | {"inputs": {"a": {"b": "{{x}}"}}}, ".inputs.a.b", "there is no 'x'"),
        ("dify", DIFY | {"url": "http://d/v1/workflows/run", "app": "DIFY_APP_CHAT"}, "", "another kind"),
        ("ragflow", {"url": "http://r", "api_key": "k"}, "", "exactly one of chat_id, agent_id; none is set"),
        ("ragflow", RAGFLOW | {"chat_id": ""}, "", "none is set"),
        ("ragflow", RAGFLOW | {"agent_inputs": {"a": 1}}, "", "only an agent"),
        ("ragflow", RAGFLOW | {"route": "RAGFLOW_ROUTE_OPENAI", "session_id": "s"}, "", "does not take"),
        ("ragflow", RAGFLOW | {"question": "{{expected_output}}"}, ".question", "does not get to see"),
    ],
)
def test_violations_name_the_path(kind, fields, path, words):
    spec, violations = read(kind, fields)
    assert spec is None
    assert [violation.path for violation in violations] == [f"experiment.task.{kind}{path}"]
    assert words in violations[0].description
