from __future__ import annotations

import json
from typing import Any

import pytest

from evalrpc_server.domain.errors import InvalidRequestError
from evalrpc_server.triggers.delivery import read_delivery

PAYLOAD = {"bridge": "ragflow", "n": 1}


def body(**fields: Any) -> bytes:
    return json.dumps({"projectId": "p", "datasetId": "d", "datasetName": "capitals", **fields}).encode()


@pytest.mark.parametrize(
    "payload", [PAYLOAD, json.dumps(PAYLOAD), json.dumps(json.dumps(PAYLOAD)), f"  {json.dumps(PAYLOAD)}\n"]
)
def test_a_payload_may_be_an_object_or_a_string_that_holds_one(payload):
    assert read_delivery(body(payload=payload)).payload == PAYLOAD


@pytest.mark.parametrize("payload", [None, "", "  ", "{}", {}, "null", '""'])
def test_a_payload_may_be_empty(payload):
    assert read_delivery(body(payload=payload)).payload == {}


def test_a_payload_may_be_missing():
    delivery = read_delivery(body())
    assert (delivery.payload, delivery.dataset, delivery.project_id) == ({}, "capitals", "p")


@pytest.mark.parametrize("payload", ["hello", "[1", "[1]", 5, True, [1], "5", '{"a": sk-secret-1}'])
def test_any_other_payload_is_refused_without_being_quoted(payload):
    with pytest.raises(InvalidRequestError) as raised:
        read_delivery(body(payload=payload))
    (violation,) = raised.value.violations
    assert violation.path == "payload"
    assert "secret" not in violation.description


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b"{}", "datasetName"),
        (b'{"datasetName": " "}', "datasetName"),
        (b'{"datasetName": 5}', "datasetName"),
        (b'{"datasetName": "d", "projectId": 5}', "projectId"),
    ],
)
def test_a_body_of_another_form_is_refused(content, path):
    with pytest.raises(InvalidRequestError) as raised:
        read_delivery(content)
    assert [violation.path for violation in raised.value.violations] == [path]
