"""Evaluators as functions: several verdicts at once, no verdict, of all verdicts together, of the whole run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from evalrpc import Client, Evaluation, create_evaluator_from_autoevals


async def judge(*, output: str, expected_output: str | None) -> list[Evaluation] | Evaluation:
    """Gives two verdicts, or says why it gives none."""
    if expected_output is None:
        return Evaluation("right", unscored="nothing is expected")
    right = output == expected_output
    return [Evaluation("right", right, comment="letter by letter"), Evaluation("tone", "loud")]


def broken() -> float:
    """Fails, which is no 0."""
    raise RuntimeError("the judge is out")


def overlap(*, output: str, expected: str | None = None, **_: Any) -> SimpleNamespace:
    """Scores how many letters two texts share, in the shape of the autoevals package's evaluators."""
    here, there = {*output}, {*(expected or "")}
    return SimpleNamespace(name="overlap", score=len(here & there) / len(here | there), metadata={})


def passed(*, evaluations: list[Evaluation]) -> bool:
    """Sees an item's verdicts, and adds one."""
    return any(each.name == "right" and each.value is True for each in evaluations)


def answered(*, item_results: list[Any]) -> Evaluation:
    """Sees all results, those of failed items included."""
    count = sum(each.error is None for each in item_results)
    return Evaluation("answered", count, comment=f"{count} of {len(item_results)}")


def shout(*, item: Any) -> str:
    """Fails for what is not text."""
    return item.input.upper()  # type: ignore[no-any-return] # an item holds any JSON


with Client() as client:
    result = client.run_experiment(
        name="Judged",
        data=[{"input": "paris", "expected_output": "PARIS"}, {"input": "rome"}, {"input": 3}],
        task=shout,
        evaluators=[judge, broken, create_evaluator_from_autoevals(overlap)],
        composite_evaluator=passed,
        run_evaluators=[answered],
    )
print(result.format(include_item_results=True))
