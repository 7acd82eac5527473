"""Measures say how much there is of an output, and do not judge it."""

from __future__ import annotations

import pytest

from tests.evaluators.cases import case, say, value


@pytest.mark.parametrize(
    ("output", "length"), [("Paris", 5), ("", 0), ("Москва", 6), ("北京", 2), ({"a": [1, 2]}, 11), (None, 4)]
)
def test_length(output, length):
    said = value("length", output)
    assert said == length
    assert isinstance(said, float)


def test_the_length_of_what_is_not_there_is_unscored():
    assert say("length", case({"a": 1}), output_path="/b").unscored == "the output has no value at /b"


def test_latency_is_that_of_the_successful_attempt_in_seconds():
    assert say("latency", case("x", duration=1.75)).value == 1.75
