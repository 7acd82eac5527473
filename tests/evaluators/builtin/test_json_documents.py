"""JSON builtins compare values, not spellings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.domain.documents import parse_document
from tests.evaluators.cases import Raw, case, say, value

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("output", "expected", "params", "verdict"),
    [
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, {}, True),
        ('{"a": 1}', {"a": 1}, {}, True),
        ('```json\n{"a": 1}\n```', {"a": 1}, {}, True),
        ("```\n[1, 2]\n```\n", [1, 2], {}, True),
        ('{"a": 1}', {"a": 1}, {"parse_text": False}, False),
        ("Paris", "Paris", {}, True),
        ("3", 3, {}, True),
        ([1, [2, 3]], [[3, 2], 1], {}, False),
        ([1, [2, 3]], [[3, 2], 1], {"ignore_order": True}, True),
        ([1, 1, 2], [1, 2, 2], {"ignore_order": True}, False),
        ([1.0, {"a": [True, None]}], [{"a": [None, True]}, 1], {"ignore_order": True}, True),
        ([True], [1], {"ignore_order": True}, False),
        (["1"], [1], {"ignore_order": True}, False),
        (None, False, {}, False),
        ({"a": None}, {}, {}, False),
        ({"a": {"b": 1}}, {"b": 1}, {"output_path": "/a"}, True),
        ({"a": 1}, {"a": 2}, {"negate": True}, True),
    ],
)
def test_json_equal(output, expected, params, verdict):
    assert value("json_equal", output, expected, **params) is verdict


def test_numbers_that_floating_point_cannot_tell_apart_differ():
    assert value("json_equal", Raw("9007199254740993"), Raw("9007199254740992")) is False
    assert value("json_equal", Raw("9007199254740993"), Raw("9007199254740992"), ignore_order=True) is False
    assert value("json_equal", Raw(f"1{'0' * 22}"), Raw("1e22")) is True


@given(json_values)
def test_a_value_equals_itself_with_and_without_order(document):
    assert value("json_equal", document, document) is True
    assert value("json_equal", document, document, ignore_order=True) is True


@given(st.lists(json_values, max_size=6), st.randoms(use_true_random=False))
def test_without_order_a_shuffled_list_is_equal(values, source: random.Random):
    shuffled = source.sample(values, len(values))
    assert value("json_equal", shuffled, values, ignore_order=True) is True


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        ('{"a": 1}', True),
        ("```json\n[1]\n```", True),
        ("3", True),
        ({"a": 1}, True),
        ("{'a': 1}", False),
        ("", False),
        ("Here it is: {}", False),
        ('{"a": NaN}', False),
    ],
)
def test_json_valid(output, verdict):
    said = say("json_valid", case(output))
    assert said.value is verdict
    assert bool(said.comment) is not verdict


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("output", "schema", "verdict"),
    [
        ({"name": "Ada", "age": 36}, PERSON, True),
        ('{"name": "Ada"}', PERSON, True),
        ('```json\n{"name": "Ada"}\n```', PERSON, True),
        ({"age": -1}, PERSON, False),
        ("Ada", {"type": "string"}, True),
        ("42", {"type": "string"}, True),
        ("42", {"type": "integer"}, True),
        ("2026-11-22", {"pattern": "^[0-9-]+$"}, True),
    ],
)
def test_json_schema(output, schema, verdict):
    assert value("json_schema", output, schema=schema) is verdict


def test_json_schema_names_the_problems_and_their_places():
    said = say("json_schema", case({"name": 3, "age": -1}), schema=PERSON)
    assert "/name: 3 is not of type" in said.comment
    assert "/age: -1 is less than the minimum of 0" in said.comment


@pytest.mark.parametrize(
    ("output", "expected", "params", "score"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {}, 0.5),
        ({"a": 1}, {"a": 1, "b": {"c": 1, "d": 2}}, {}, 1 / 3),
        ([1, 2, 3], [1, 2], {}, 2 / 3),
        ({"a": 1, "x": 9}, {"a": 1}, {"ignore_extra": True}, 1.0),
        ({"a": 1.01}, {"a": 1}, {"tolerance": 0.01}, 1.0),
        ("abcd", "abce", {"similar_text": True}, 0.75),
        ('{"a": [1]}', {"a": [1]}, {}, 1.0),
        ({}, {}, {}, 1.0),
        ({"a": 1}, [1], {}, 0.0),
        (True, 1, {}, 0.0),
    ],
)
def test_json_diff(output, expected, params, score):
    assert value("json_diff", output, expected, **params) == pytest.approx(score)


def test_json_diff_names_the_places_that_differ():
    said = say("json_diff", case({"a/b": [1, 2], "x": 0}, {"a/b": [1, 3], "y": 0}))
    assert said.metadata is not None
    assert parse_document(said.metadata) == {
        "differing": 3,
        "changed": ["/a~1b/1"],
        "missing": ["/y"],
        "unexpected": ["/x"],
    }
    assert said.comment == "3 of 4 differ; changed: /a~1b/1; missing: /y; unexpected: /x"


@given(json_values)
def test_a_value_does_not_differ_from_itself(document):
    assert value("json_diff", document, document) == 1.0


@pytest.mark.parametrize(
    ("output", "params", "verdict"),
    [
        ({"status": "ok"}, {"path": "/status", "value": "ok"}, True),
        ({"status": "ok"}, {"path": "/status", "value": "bad"}, False),
        ({"status": None}, {"path": "/status"}, True),
        ({"status": None}, {"path": "/status", "value": None}, True),
        ({"status": 1}, {"path": "/status", "value": None}, False),
        ({"n": 3}, {"path": "/n", "value": 3.0}, True),
        ({}, {"path": "/status"}, False),
        ({}, {"path": "/status", "negate": True}, False),
        ('[{"a": true}]', {"path": "/0/a", "value": True}, True),
        ("no JSON", {"path": "/a"}, False),
    ],
)
def test_json_value(output, params, verdict):
    assert value("json_value", output, **params) is verdict
