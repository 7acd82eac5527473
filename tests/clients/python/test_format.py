"""What `format()` shows, compared with golden files.

`EVALRPC_WRITE_GOLDEN=1 pytest tests/clients/python/test_format.py` writes them anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalrpc import (
    Error,
    Evaluation,
    Experiment,
    ExperimentResult,
    ExperimentState,
    GateResult,
    Item,
    ItemResult,
    LangfuseStatus,
)

GOLDEN = Path(__file__).parent / "golden"
WRITE = "EVALRPC_WRITE_GOLDEN" in os.environ

QUIZ = Experiment(
    id="exp_1",
    name="Geography Quiz",
    run_name="Geography Quiz - 2026-11-22T19:38:45.385763Z",
    state=ExperimentState.SUCCEEDED,
    evaluators=("accuracy", "response_length", "tone", "overall"),
)


def item_result(index: int, output: Any, *evaluations: Evaluation, **fields: Any) -> ItemResult:
    """Returns the result of an item that asks for a capital."""
    item = Item(
        id=f"item-{index}",
        index=index,
        input_json=json.dumps({"question": f"What is the capital of country number {index}, please?"}),
        expected_output_json=json.dumps("Paris"),
    )
    return ItemResult(
        item=item, output_json=json.dumps(output), evaluations=evaluations, trace_id=f"{index:032x}", **fields
    )


def failed(index: int, reason: str, message: str) -> ItemResult:
    """Returns the result of an item whose task failed."""
    return replace(item_result(index, None), output_json=None, error=Error(reason, message))


MIXED = [
    failed(3, "TASK_TIMEOUT", "no answer within 120 s"),
    item_result(
        0,
        "The capital of France is Paris.\nIt always was.",
        Evaluation("accuracy", True, evaluator="builtin/contains@1"),
        Evaluation("response_length", 46.0, comment="short"),
        Evaluation("politeness", 0.25),
        Evaluation("tone", "friendly", comment="says please\nand thank you"),
    ),
    item_result(
        1,
        ["Berlin", None, 3],
        Evaluation("accuracy", False),
        Evaluation("response_length", error=Error("EVALUATOR_TIMEOUT", "no answer within 60 s")),
        Evaluation("tone", "rude"),
        Evaluation("overall", 0.5),
    ),
    item_result(
        2,
        None,
        Evaluation("accuracy", unscored="the item has no expected_output"),
        Evaluation("response_length", 0.0),
        Evaluation("tone", "friendly"),
    ),
    failed(4, "TASK_HTTP_STATUS", "the endpoint answered 500"),
    failed(5, "TASK_TIMEOUT", "no answer within 120 s"),
]

RUN_EVALUATIONS = (
    Evaluation("avg_accuracy", 0.5, comment="over 2 values"),
    Evaluation("all_right", False),
    Evaluation("broken", error=Error("EVALUATOR_FAILED", "division by zero")),
    Evaluation("nothing", unscored="no values"),
)

RESULTS = {
    "mixed": ExperimentResult.of(
        replace(
            QUIZ,
            description="Testing basic functionality",
            run_evaluations=RUN_EVALUATIONS,
            langfuse=LangfuseStatus(project="default", url="https://langfuse.example/project/p/experiments/e"),
        ),
        MIXED,
    ),
    "all_failed": ExperimentResult.of(QUIZ, [failed(0, "TASK_TIMEOUT", "too slow"), failed(1, "TASK_TIMEOUT", "too slow")]),
    "trials": ExperimentResult.of(
        QUIZ, [replace(item_result(0, "Paris", Evaluation("accuracy", trial == 2)), trial=trial) for trial in (2, 1, 3)]
    ),
    "cancelled": ExperimentResult.of(replace(QUIZ, state=ExperimentState.CANCELLED), [item_result(0, "Paris")]),
    "run_failed": ExperimentResult.of(
        replace(QUIZ, state=ExperimentState.FAILED, error=Error("NO_WORKER", "no worker hosts answer")), []
    ),
    "gates": ExperimentResult.of(
        replace(QUIZ, gates=(GateResult("accuracy mean >= 0.8", False, "0.5 is below 0.8", 0.5), GateResult("fast", True))),
        [item_result(0, "Paris", Evaluation("accuracy", 0.5))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("include_item_results", [False, True], ids=["short", "items"])
@pytest.mark.parametrize("name", RESULTS)
def test_the_report_is_as_kept(name: str, include_item_results: bool) -> None:
    text = RESULTS[name].format(include_item_results=include_item_results)
    path = GOLDEN / f"{name}{'_items' if include_item_results else ''}.txt"
    if WRITE:
        path.write_text(f"{text}\n", "utf-8")
    assert f"{text}\n" == path.read_text("utf-8")


def test_evaluations_stand_in_the_order_of_the_spec_whatever_completes_first() -> None:
    text = RESULTS["mixed"].format()
    names = [
        line.removeprefix("  • ")
        for line in text.split("Evaluations:\n", 1)[1].split("\n\n", 1)[0].splitlines()
    ]
    assert names == ["accuracy", "response_length", "politeness", "tone", "overall"]
