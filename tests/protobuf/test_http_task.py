from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from evalrpc.v1 import experiment_spec_pb2
from evalrpc_server.domain.errors import Violation
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.protobuf.spec import spec_from_message, spec_to_message

URL = "http://127.0.0.1:9000"
FULL = {
    "url": f"{URL}/chats/{{{{captured.id}}}}?q={{{{ input.q }}}}",
    "method": "PUT",
    "headers": {"Authorization": "Bearer ${secret:KEY}", "X-Item": "{{item_id}}"},
    "include_expected_output": True,
    "body": {"a": [1, None, {"b": "{{expected_output}}"}], "n": 3},
    "pre_call": {"url": f"{URL}/s", "method": "POST", "capture": {"id": "data.id"}},
    "post_call": {"url": f"{URL}/s/{{{{captured.id}}}}", "method": "DELETE"},
    "selectors": {"output": "result", "contexts": "c.*.text || c[].text"},
    "success": "code == `0`",
    "polling": {
        "url": f"{URL}/j/{{{{captured.job}}}}",
        "capture": {"job": "id"},
        "done": "done",
        "interval": "0.5s",
    },
    "strip": ["(?s)^<think>.*?</think>"],
    "retry_timeouts": True,
}


def read(http: dict[str, Any]) -> tuple[ExperimentSpec | None, list[Violation]]:
    message = json_format.ParseDict(
        {"name": "n", "upload": "u", "task": {"http": http}}, experiment_spec_pb2.ExperimentSpec()
    )
    return spec_from_message(message, item_count=None, path="experiment")


def test_all_of_a_task_survives_both_ways():
    spec, violations = read(FULL)
    assert violations == []
    assert spec is not None
    echo = json_format.MessageToDict(spec_to_message(spec).task.http, preserving_proto_field_name=True)
    assert {key: value for key, value in echo.items() if key != "http2"}.keys() >= FULL.keys()
    assert echo["body"] == FULL["body"]
    assert read(echo)[0] == spec


@pytest.mark.parametrize(
    ("fields", "path", "problem"),
    [
        ({"url": f"{URL}/{{{{input"}, "url", "without its }}"),
        ({"url": "http://{{metadata.host}}/x"}, "url", "the same scheme, host and port"),
        ({"url": "{{input}}://a/x"}, "url", "the same scheme, host and port"),
        ({"url": f"{URL}/?key=${{secret:K}}"}, "url", "send them in headers"),
        ({"url": f"{URL}/a b"}, "url", "must not contain spaces"),
        ({"method": "get it"}, "method", "capital letters"),
        ({"method": "GET", "body": {}}, "body", "cannot be sent with GET"),
        ({"headers": {"X": "{{x y}}"}}, "headers.X", "is no path"),
        ({"headers": {"X": "{{itme}}"}}, "headers.X", "there is no 'itme'"),
        ({"body": {"m": [{"c": "{{}}"}]}}, "body.m[0].c", "is no path"),
        ({"body": {"m": ["{{expected_output}}"]}}, "body.m[0]", "set include_expected_output"),
        ({"body": {"{{input}}": 1}}, "body", "in a member's name"),
        ({"body": {"n": 2.0**60}}, "body.n", "beyond 2^53"),
        ({"body": {"k": ["${secret:K}"]}}, "body.k[0]", "send them in headers"),
        ({"body": "{{captured.id}}"}, "body", "no earlier call captures 'id'"),
        ({"pre_call": {"url": f"{URL}/{{{{captured.id}}}}"}}, "pre_call.url", "no earlier call captures"),
        ({"pre_call": {"url": URL, "capture": {"id": "a["}}}, "pre_call.capture.id", "not valid JMESPath"),
        ({"pre_call": {"url": URL, "capture": {"a b": "a"}}}, "pre_call.capture", "holds the name 'a b'"),
        ({"selectors": {"output": "a..b"}}, "selectors.output", "malformed at character 3"),
        ({"success": "nope(a)"}, "success", "JMESPath does not have"),
        ({"strip": ["("]}, "strip[0]", "RE2"),
        ({"polling": {"url": f"{URL}/x"}}, "polling.done", "is required"),
        ({"polling": {"url": "http://other/x", "done": "d"}}, "polling.url", "the scheme, host and port of url"),
        ({"event_stream": {"output": "x", "text": 1}}, "event_stream.format", "is required"),
        (
            {"event_stream": {"format": 1, "text": 1, "output": "x"}, "selectors": {"output": "y"}},
            "selectors.output",
            "must be empty",
        ),
        (
            {"event_stream": {"format": 1, "text": 1, "output": "x"}, "polling": {"url": URL, "done": "d"}},
            "",
            "at most one of event_stream, polling",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_found_at_its_place(fields, path, problem):
    _, violations = read({"url": URL, **fields})
    [violation] = violations
    assert violation.path == f"experiment.task.http.{path}".rstrip(".")
    assert problem in violation.description


def test_all_faults_are_found_at_once():
    _, violations = read({"url": URL, "body": {"a": "{{x}}", "b": ["{{y}}"]}, "headers": {"H": "{{z}}"}})
    assert [violation.path.removeprefix("experiment.task.http.") for violation in violations] == [
        "headers.H",
        "body.a",
        "body.b[0]",
    ]
