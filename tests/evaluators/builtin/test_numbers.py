"""Number builtins reckon with decimals as people write them."""

from __future__ import annotations

import pytest

from tests.evaluators.cases import Raw, case, say, value


@pytest.mark.parametrize(
    ("output", "expected", "params", "verdict"),
    [
        (42, 42.0, {}, True),
        (0.1 + 0.2, 0.3, {}, True),
        (1.1, 1.0, {"absolute": 0.1}, True),
        (1.2, 1.0, {"absolute": 0.1}, False),
        (105, 100, {"relative": 0.05}, True),
        (105.1, 100, {"relative": 0.05}, False),
        (-105, -100, {"relative": 0.05}, True),
        (0, 0, {"absolute": 0, "relative": 0}, True),
        ("42", 42, {}, True),
        (" -3.5e2 ", -350, {}, True),
        ("+.5", "0.50", {}, True),
        ("The answer is 42.", 42, {}, False),
        ("The answer is 42.", 42, {"extract": "last"}, True),
        ("Of 7 tries, 3 failed", 7, {"extract": "first"}, True),
        ("Of 7 tries, 3 failed", 3, {"extract": "last"}, True),
        ("1,234", 1234, {}, False),
        ({"n": 5}, {"m": 5}, {"output_path": "/n", "expected_path": "/m"}, True),
        (Raw(f"1{'0' * 400}"), Raw(f"1{'0' * 400}"), {}, True),
        (Raw(f"1{'0' * 399}1"), Raw(f"1{'0' * 400}"), {"relative": 0}, False),
        (Raw(f"1{'0' * 400}"), 1, {}, False),
        (1e308, -1e308, {"absolute": 1e308}, False),
        (1e308, -1e308, {"relative": 1.9}, False),
        (5, 4, {"negate": True}, True),
    ],
)
def test_numeric_close(output, expected, params, verdict):
    assert value("numeric_close", output, expected, **params) is verdict


@pytest.mark.parametrize("output", ["no idea", "", True, None, [42], {"n": 42}, "1e999", "٣"])
def test_an_output_that_is_no_number_is_a_wrong_answer(output):
    said = say("numeric_close", case(output, 42))
    assert said.value is False
    assert "not a number" in said.comment


@pytest.mark.parametrize("expected", ["many", True, None, [42]])
def test_an_expected_output_that_is_no_number_judges_nothing(expected):
    said = say("numeric_close", case(42, expected))
    assert said.value is None
    assert "not a number" in (said.unscored or "")


@pytest.mark.parametrize(
    ("output", "expected", "params", "difference"),
    [
        (1.1, 1, {}, 0.1),
        (-3, 4, {}, 7.0),
        ("about 90 of them", 100, {"extract": "first", "relative": True}, 0.1),
        (Raw(f"1{'0' * 400}"), Raw(f"1{'0' * 399}1"), {}, 1.0),
    ],
)
def test_numeric_difference(output, expected, params, difference):
    assert value("numeric_difference", output, expected, **params) == difference


def test_a_difference_that_does_not_exist_is_unscored():
    assert say("numeric_difference", case("no idea", 3)).unscored == "the output is text and is not a number"
    assert say("numeric_difference", case(3, "many")).unscored == "expected_output is text, not a number"
    assert "is 0" in (say("numeric_difference", case(3, 0), relative=True).unscored or "")
    assert say("numeric_difference", case(Raw(f"1{'0' * 400}"), 3)).error is not None
