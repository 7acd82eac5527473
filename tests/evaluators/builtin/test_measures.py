"""Measures say how much there is of an output, and do not judge it."""

from __future__ import annotations

import pytest

from evalrpc_server.domain.usage import Usage
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


@pytest.mark.parametrize(
    ("output", "words"),
    [("One, two; three!", 3), ("", 0), ("北京是首都", 5), ("नई दिल्ली", 2), ({"a": "b c"}, 3)],
)
def test_word_count(output, words):
    assert value("word_count", output) == words


def test_cost_and_tokens_are_what_the_task_said():
    judged = case("x", usage=Usage(input_tokens=10, output_tokens=5, cost_usd=0.25))
    assert say("cost", judged).value == 0.25
    assert [say("tokens", judged, count=count).value for count in ("total", "input", "output")] == [15, 10, 5]


def test_usage_that_the_task_did_not_tell_is_unscored_and_not_zero():
    assert say("cost", case("x")).unscored == "the task did not say what its answer cost (usage.cost_usd)"
    partly = case("x", usage=Usage(input_tokens=10))
    assert say("tokens", partly, count="input").value == 10
    assert "usage.output_tokens" in (say("tokens", partly).unscored or "")
