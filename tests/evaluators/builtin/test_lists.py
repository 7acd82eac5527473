"""Lists are compared element by element."""

from __future__ import annotations

import pytest

from tests.evaluators.cases import case, say, value


@pytest.mark.parametrize(
    ("output", "expected", "params", "score"),
    [
        ([1, 2, 3], [3, 2, 1], {}, 1.0),
        ([1, 2, 3], [3, 2, 1], {"ordered": True}, 1 / 3),
        (["a", "b"], ["a", "c"], {}, 0.5),
        (["A"], ["a"], {"ignore_case": True}, 1.0),
        (["é"], ["e\u0301"], {}, 1.0),
        ([1, 1, 2], [1, 2, 2], {}, 2 / 3),
        ([{"a": 1, "b": 2}], [{"b": 2.0, "a": 1}], {}, 1.0),
        ([True], [1], {}, 0.0),
        ([1, 2, 3, 4], [1, 2], {"score": "precision"}, 0.5),
        ([1, 2, 3, 4], [1, 2], {"score": "recall"}, 1.0),
        ('["a", "b"]', ["a", "b"], {}, 1.0),
        ([], [], {}, 1.0),
        ([], [1], {}, 0.0),
        ({"tags": ["x"]}, ["x"], {"output_path": "/tags"}, 1.0),
    ],
)
def test_list_f1(output, expected, params, score):
    assert value("list_f1", output, expected, **params) == pytest.approx(score)


def test_an_output_that_is_no_list_scores_nothing_and_says_why():
    said = say("list_f1", case("a, b", ["a", "b"]))
    assert (said.value, said.comment) == (0.0, "the output is text, not a list")


def test_an_expected_output_that_is_no_list_judges_nothing():
    assert say("list_f1", case(["a"], "a")).unscored == "expected_output is text, not a list"
