"""Composites judge by what the others said, and take no error for a zero."""

from __future__ import annotations

from typing import Any

import pytest

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.reasons import Reason
from tests.evaluators.cases import case, say, scored

SAID = [
    scored(True, "accuracy"),
    scored(0.5, "style"),
    scored("polite", "tone"),
    Evaluation(name="unknown", unscored="nothing expected"),
    Evaluation(name="broken", error=Error(reason=Reason.EVALUATOR_TIMEOUT, message="late")),
]


def judged(name: str, **params: Any) -> Evaluation:
    return say(name, case("x", evaluations=SAID), **params)


def test_a_weighted_mean():
    assert judged("weighted_mean", weights={"accuracy": 3, "style": 1}).value == pytest.approx(0.875)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "broken is an error"),
        ("unknown", "unknown is unscored"),
        ("tone", "tone is a label, not a number"),
        ("absent", "the item has no evaluation named absent"),
    ],
)
def test_a_weighted_mean_without_one_of_its_values_is_unscored(name, reason):
    assert judged("weighted_mean", weights={"accuracy": 1, name: 1}).unscored == reason


@pytest.mark.parametrize(
    ("name", "params", "verdict"),
    [
        ("all_pass", {"evaluations": ["accuracy", "style"]}, False),
        ("all_pass", {"evaluations": ["accuracy", "style"], "threshold": 0.5}, True),
        ("all_pass", {"evaluations": ["style", "broken"]}, False),
        ("all_pass", {}, False),
        ("all_pass", {"threshold": 0.5}, None),
        ("any_pass", {}, True),
        ("any_pass", {"evaluations": ["style", "broken"]}, None),
        ("any_pass", {"evaluations": ["style"]}, False),
    ],
)
def test_all_and_any(name, params, verdict):
    said = judged(name, **params)
    assert said.value is verdict
    assert bool(said.unscored) is (verdict is None)


def test_all_pass_names_what_fails():
    assert judged("all_pass", evaluations=["accuracy", "style"]).comment == "below 1: style"


def test_without_other_evaluations_there_is_nothing_to_compose():
    assert "composite_evaluator" in (say("all_pass", case("x")).unscored or "")
