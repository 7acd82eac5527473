"""What evaluator functions see, and all that they may say."""

from __future__ import annotations

from typing import Any

from evalrpc import Evaluation
from tests.conformance.stage import Stage, evaluations


def number(*, output: Any, **_: Any) -> float:
    return 0.25


async def flag(*, output: Any, **_: Any) -> bool:
    return True


def label(*, output: Any, **_: Any) -> str:
    return "polite"


def nothing(*, output: Any, **_: Any) -> None:
    return None


def several(*, input: Any, output: Any, expected_output: Any, metadata: Any) -> list[Evaluation]:
    seen = [input, output, expected_output, metadata]
    return [
        Evaluation(name="first", value=1, comment="all of it", metadata={"seen": seen}),
        Evaluation(name="second", value=False),
    ]


def broken(*, output: Any, **_: Any) -> float:
    raise ValueError("cannot judge")


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"input": "in", "expected_output": "exp", "metadata": {"k": 1}}],
            task=lambda *, item: "out",
            evaluators=[number, flag, label, nothing, several, broken],
        ).result()
    (found,) = result.item_results
    summaries = {each.name: [each.n, each.unscored, each.errors] for each in result.experiment.summaries}
    return {
        "evaluations": evaluations(found.evaluations),
        "comment": found.evaluations[4].comment,
        "metadata": found.evaluations[4].metadata,
        "summaries": {name: summaries[name] for name in ("number", "nothing", "broken")},
    }
