from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.evaluators.answers import read_evaluations
from evalrpc_server.outbound.json_answers import InvalidAnswerError


def read(answer: Any) -> tuple[Evaluation, ...]:
    return read_evaluations(Document(answer if isinstance(answer, str) else json.dumps(answer)))


@pytest.mark.parametrize(
    ("value", "read_value"), [(0.5, 0.5), (3, 3.0), (True, True), (False, False), ("good", "good"), ("", "")]
)
def test_values_keep_their_kind(value, read_value):
    (evaluation,) = read({"value": value})
    assert evaluation == Evaluation(name="", value=read_value)
    assert type(evaluation.value) is type(read_value)


def test_null_is_unscored():
    assert read({"name": "tone", "value": None, "comment": "too short"}) == (
        Evaluation(name="tone", unscored="the evaluator answered null", comment="too short"),
    )


def test_all_parts_are_read():
    text = (
        '{"name": "a", "value": 1, "comment": "c", "metadata": {"k" : 1.50}, "config_id": "cfg", "more": []}'
    )
    assert read(text) == (
        Evaluation(name="a", value=1.0, comment="c", metadata=Document('{"k" : 1.50}'), config_id="cfg"),
    )


def test_null_parts_are_absent():
    parts = ("name", "comment", "metadata", "data_type", "config_id")
    assert read({"value": 1, **dict.fromkeys(parts)}) == (Evaluation(name="", value=1.0),)


def test_lists_and_envelopes_keep_their_order():
    many = [{"name": "a", "value": 1}, {"name": "b", "value": "x"}]
    expected = (Evaluation(name="a", value=1.0), Evaluation(name="b", value="x"))
    assert read(many) == expected
    assert read({"evaluations": many, "value": "ignored"}) == expected
    assert read([]) == ()
    assert read({"evaluations": []}) == ()


@pytest.mark.parametrize(
    ("data_type", "value", "read_value"),
    [
        ("NUMERIC", 1, 1.0),
        ("NUMERIC", True, 1.0),
        ("BOOLEAN", 1, True),
        ("BOOLEAN", 0.0, False),
        ("BOOLEAN", True, True),
        ("CATEGORICAL", "x", "x"),
        ("TEXT", "x", "x"),
        ("NUMERIC", None, None),
    ],
)
def test_a_data_type_decides_the_kind(data_type, value, read_value):
    (evaluation,) = read({"value": value, "data_type": data_type})
    assert evaluation.value == read_value
    assert type(evaluation.value) is type(read_value)


@pytest.mark.parametrize(
    ("answer", "field", "words"),
    [
        ("0.5", "answer", '{"value": 0.5}'),
        ("null", "answer", '{"value": 0.5}'),
        ({}, "value", "is missing"),
        ({"score": 1}, "value", "is missing"),
        ({"value": [1]}, "value", "must be a number, a boolean, a string or null"),
        ({"value": {"score": 1}}, "value", "must be a number, a boolean, a string or null"),
        ('{"value": 1e999}', "value", "must be a number"),
        ({"value": 10**400}, "value", "a double can hold"),
        ({"name": 5, "value": 1}, "name", "must be"),
        ({"name": "n" * 256, "value": 1}, "name", "at most 255"),
        ({"value": 1, "comment": {}}, "comment", "must be"),
        ({"value": 1, "metadata": "m"}, "metadata", "must be an object"),
        ({"value": 1, "config_id": 7}, "config_id", "must be"),
        ({"value": "high", "data_type": "NUMERIC"}, "value", "does not fit the data_type NUMERIC"),
        ({"value": 2, "data_type": "BOOLEAN"}, "value", "does not fit the data_type BOOLEAN"),
        ({"value": 1, "data_type": "STARS"}, "data_type", "must be NUMERIC"),
        ([{"value": 1}, {"value": []}], "[1].value", "must be a number"),
        ([{"value": 1}, {"name": "x"}], "[1].value", "is missing"),
        ([5], "[0]", "must be"),
        ({"evaluations": [{"value": 1}, {"value": {}}]}, "evaluations[1].value", "must be a number"),
        ({"evaluations": {"value": 1}}, "evaluations", "must be"),
        ({"evaluations": None}, "evaluations", "must be"),
        ([{"value": 1}] * 101, "answer", "at most 100"),
    ],
)
def test_faults_name_the_field(answer, field, words):
    with pytest.raises(InvalidAnswerError) as raised:
        read(answer)
    assert raised.value.field == field
    assert words in raised.value.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: (
        st.lists(children) | st.dictionaries(st.text() | st.sampled_from(["value", "name"]), children)
    ),
    max_leaves=8,
)


@given(
    JSON
    | st.fixed_dictionaries({"value": JSON}, optional={"name": JSON, "metadata": JSON, "data_type": JSON})
)
def test_any_json_is_read_or_refused(answer):
    evaluations: tuple[Evaluation, ...] = ()
    with contextlib.suppress(InvalidAnswerError):
        evaluations = read(answer)
    for evaluation in evaluations:
        assert (evaluation.value is None) == (evaluation.unscored is not None)
