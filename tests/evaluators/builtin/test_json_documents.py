"""JSON builtins compare values, not spellings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluators.cases import Raw, value

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
