"""Every RPC has a request file that fits its messages."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

REQUESTS = Path("proto/requests")
SERVICES = ("experiment", "evaluator", "dataset", "worker", "task", "evaluation")


def methods() -> list[MethodDescriptor]:
    found = list[MethodDescriptor]()
    for service in SERVICES:
        module = import_module(f"evalrpc.v1.{service}_service_pb2")
        for descriptor in module.DESCRIPTOR.services_by_name.values():
            found.extend(descriptor.methods)
    return found


def documents(text: str) -> list[str]:
    """Splits JSON documents that stand one after another."""
    found, decoder, rest = [], json.JSONDecoder(), text.lstrip()
    while rest:
        _, end = decoder.raw_decode(rest)
        found.append(rest[:end])
        rest = rest[end:].lstrip()
    return found


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_the_request_file_fits_its_rpc(method: MethodDescriptor):
    messages = documents((REQUESTS / f"{method.name}.json").read_text("utf-8"))
    assert messages
    assert method.client_streaming or len(messages) == 1
    for message in messages:
        parsed = json_format.Parse(message, GetMessageClass(method.input_type)())
        echo = json_format.MessageToDict(parsed, preserving_proto_field_name=True)
        assert echo.keys() == json.loads(message).keys()


def test_there_is_no_request_file_without_an_rpc():
    assert {path.stem for path in REQUESTS.glob("*.json")} == {method.name for method in methods()}


def test_every_placeholder_is_explained():
    used = set()
    for path in REQUESTS.glob("*.json"):
        used |= set(re.findall(r"\{\{\w+\}\}", path.read_text("utf-8")))
    assert used == set(
        re.findall(r"^\| `(\{\{\w+\}\})`", (REQUESTS / "README.md").read_text("utf-8"), re.MULTILINE)
    )


def test_the_example_experiment_survives_a_round_trip():
    text = (REQUESTS / "RunExperiment.json").read_text("utf-8")
    request = GetMessageClass(next(m for m in methods() if m.name == "RunExperiment").input_type)()
    json_format.Parse(text, request)
    back = json_format.MessageToDict(request, preserving_proto_field_name=True)
    assert back == json.loads(text)
