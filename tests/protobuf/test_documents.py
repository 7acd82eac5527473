from __future__ import annotations

import json
import math

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from evalrpc.v1 import json_pb2
from evalrpc_server.domain.documents import Document, InvalidDocumentError, parse_document
from evalrpc_server.protobuf.documents import Encoding, document_from_message, document_to_message

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(codec="utf-8")), children),
    max_leaves=20,
)


def value_of(text: str) -> json_pb2.Json:
    """A message as a person types it."""
    return json_format.Parse(json.dumps({"value": json.loads(text)}), json_pb2.Json())


@given(JSON)
def test_text_comes_back_byte_for_byte(value):
    text = Document(json.dumps(value, indent=1))
    message = document_to_message(text, Encoding.TEXT)
    wire = json_pb2.Json.FromString(message.SerializeToString())
    assert document_from_message(wire) == text


@given(JSON)
def test_a_value_that_is_sent_means_the_same(value):
    message = document_to_message(Document(json.dumps(value)), Encoding.VALUE)
    wire = json_pb2.Json.FromString(message.SerializeToString())
    assert parse_document(document_from_message(wire)) == value


@given(JSON)
def test_a_value_that_is_sent_can_be_printed_as_json(value):
    message = document_to_message(Document(json.dumps(value)), Encoding.VALUE)
    printed = json.loads(json_format.MessageToJson(message))
    assert printed["value"] == value if "value" in printed else json.loads(printed["text"]) == value


@pytest.mark.parametrize("text", ["3", "-3", "0", "9007199254740992", "-9007199254740992"])
def test_whole_numbers_stay_whole(text):
    assert document_from_message(value_of(text)) == text
    assert document_to_message(Document(text), Encoding.VALUE).WhichOneof("kind") == "value"


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",
        "12345678901234567890",
        "0.1000000000000000000001",
        "1e999",
        "[" * 40 + "]" * 40,
        '{"a": {"b": [1, 123456789012345678901]}}',
    ],
)
def test_what_a_value_cannot_carry_exactly_is_sent_as_text(text):
    assert document_to_message(Document(text), Encoding.VALUE) == json_pb2.Json(text=text)


def test_the_same_object_has_the_same_text_whatever_the_order_of_its_members():
    assert document_from_message(value_of('{"b": 1, "a": {"d": 2, "c": 3}}')) == document_from_message(
        value_of('{"a": {"c": 3, "d": 2}, "b": 1}')
    )


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (json_pb2.Json(), "either value or text"),
        (json_pb2.Json(text=""), "not valid JSON"),
        (json_pb2.Json(text="{"), "not valid JSON"),
        (json_pb2.Json(text="NaN"), "not valid JSON"),
        (json_pb2.Json(text="[" * 5000 + "]" * 5000), "too deep"),
        (json_pb2.Json(text=json.dumps("x" * 2**20)), "the limit is 1048576 bytes"),
        (json_pb2.Json(value=struct_pb2.Value(number_value=math.nan)), "NaN or Infinity"),
        (json_pb2.Json(value=struct_pb2.Value(number_value=math.inf)), "NaN or Infinity"),
        (json_pb2.Json(value=struct_pb2.Value(string_value="x" * 2**20)), "the limit is 1048576 bytes"),
        (json_pb2.Json(value=struct_pb2.Value()), "of no kind"),
    ],
)
def test_what_is_no_document_is_refused(message, words):
    with pytest.raises(InvalidDocumentError, match=words):
        document_from_message(message)
