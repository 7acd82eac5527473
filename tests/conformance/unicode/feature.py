"""Text in many scripts, with what needs escaping, arrives as it was."""

from __future__ import annotations

from typing import Any

from evalrpc import Evaluation
from tests.conformance.stage import Stage

TEXTS = [
    "naïve café, e\u0301",
    "首都 \U0001f3f3\ufe0f\u200d\U0001f308",
    '\u0000\u2028"\\\n',
    "\u05e9\u05dc\u05d5\u05dd\u200f",
]


def judge(*, output: Any, **_: Any) -> Evaluation:
    return Evaluation(name="정확도", value="ναι", comment="€ — 😀")


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name="Δοκιμή 🧪",
            data=[{"input": {"ключ": text}} for text in TEXTS],
            task=lambda *, item: item.input,
            evaluators=[judge],
        ).result()
    said = [each.evaluations[0] for each in result.item_results]
    return {
        "outputs": [each.output for each in result.item_results],
        "evaluations": [[each.name, each.value, each.comment] for each in said],
        "name": result.name,
        "code_points": [len(each.output["ключ"]) for each in result.item_results],
    }
