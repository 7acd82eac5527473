"""Experiments as tests: `pytest test_accuracy.py`."""

from __future__ import annotations

from typing import Any

import pytest

from evalrpc import ExperimentResult, builtin
from evalrpc.testing import assert_passes
from pytest_evalrpc import RunExperiment

QUESTIONS = [
    {"id": "fr", "input": "France", "expected_output": "Paris"},
    {"id": "de", "input": "Germany", "expected_output": "Berlin"},
]


def quiz(run_experiment: RunExperiment, answers: dict[str, str]) -> ExperimentResult:
    """Asks for capitals."""

    def capital(*, item: Any) -> str:
        return answers[item.input]

    return run_experiment(
        name="Capitals",
        data=QUESTIONS,
        task=capital,
        evaluators=[builtin("exact_match", name="accuracy")],
        run_evaluators=[builtin("mean", name="avg_accuracy", evaluation="accuracy")],
    )


def test_accuracy_passes_above_0_8(run_experiment: RunExperiment) -> None:
    """Both answers are right."""
    assert_passes(quiz(run_experiment, {"France": "Paris", "Germany": "Berlin"}), {"avg_accuracy": 0.8})


def test_accuracy_fails_below(run_experiment: RunExperiment) -> None:
    """One of two is right; the assertion names the other."""
    result = quiz(run_experiment, {"France": "Paris", "Germany": "Bonn"})
    with pytest.raises(AssertionError, match=r"avg_accuracy is 0\.5[^$]*2\. de\n *input: *Germany"):
        assert_passes(result, {"avg_accuracy": 0.8})
