"""Evaluators of the autoevals package as evaluators here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalrpc._model.evaluation import Evaluation


def create_evaluator_from_autoevals(evaluator: Any, **kwargs: Any) -> Callable[..., Evaluation]:
    """Returns an evaluator of the autoevals package as a function to pass to `run()`.

    A score of None is unscored, not a 0.

    Args:
        evaluator: the evaluator, such as `Levenshtein()`; called with input, output and expected.
        **kwargs: what else to call it with.
    """

    def judge(*, input: Any, output: Any, expected_output: Any) -> Evaluation:  # noqa: A002 - the name that is offered
        score = evaluator(input=input, output=output, expected=expected_output, **kwargs)
        metadata = score.metadata or {}
        return Evaluation(
            score.name,
            score.score,
            unscored=f"{score.name} gave no score" if score.score is None else None,
            comment=metadata.get("comment"),
            metadata=metadata,
        )

    judge.__name__ = getattr(evaluator, "__name__", type(evaluator).__name__)
    return judge
