"""Runs made up for tests and measurements of the report, without a server."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from evalrpc import Error, Evaluation, Experiment, ExperimentState, Item, ItemResult, Usage
from evalrpc._model.experiment import Progress

HOSTILE = (
    """</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'"><!--"""
)
WORDS = [
    "customers",
    "may",
    "return",
    "unopened",
    "goods",
    "within",
    "thirty",
    "days",
    "of",
    "delivery",
    "in",
    "their",
    "own",
    "packaging",
]


def an_experiment(count: int, *, name: str = "Support answers", **fields: object) -> Experiment:
    """An experiment that has ended, with so many results."""
    begin = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    values: dict[str, object] = {
        "id": "exp_1",
        "name": name,
        "run_name": "prompt v2",
        "state": ExperimentState.SUCCEEDED,
        "evaluators": ("correct", "helpful", "tone"),
        "progress": Progress(count, count),
        "start_time": begin,
        "end_time": begin + timedelta(seconds=90),
    }
    return Experiment(**(values | fields))  # type: ignore[arg-type]  # the fields of an experiment


def results(count: int, *, right: float = 0.8, seed: int = 1) -> Iterator[ItemResult]:
    """Yields results with texts of the size of a support answer; every fiftieth task fails."""
    items, outcomes = random.Random(0), random.Random(seed)
    for index in range(count):
        question, answer = sentence(items, 12), sentence(items, 24)
        item = Item(
            id=f"ticket-{index:05}",
            index=index,
            input_json=json.dumps({"question": question, "account": 12345678901234567890}),
            expected_output_json=json.dumps(answer),
        )
        seconds = outcomes.lognormvariate(0, 0.5)
        if index % 50 == 49:
            error = Error("TASK_TIMEOUT", "no answer within 120 s", retryable=True)
            yield ItemResult(item=item, error=error, task_duration=seconds, attempts=3)
            continue
        correct = outcomes.random() < right
        output = answer if correct else answer.replace("days", "weeks") + " Sorry."
        evaluations = (
            Evaluation("correct", correct),
            Evaluation("helpful", round(outcomes.betavariate(8, 2), 3), comment=sentence(outcomes, 10)),
            Evaluation("tone", outcomes.choice(["friendly", "neutral", "curt"])),
        )
        usage = Usage(input_tokens=300, output_tokens=80, cost_usd=0.0012)
        yield ItemResult(
            item=item,
            output_json=json.dumps(output),
            evaluations=evaluations,
            task_duration=seconds,
            attempts=1,
            usage=usage,
        )


def hostile() -> tuple[Experiment, list[ItemResult]]:
    """A run in which every text tries to become part of the page."""
    text = json.dumps(HOSTILE)
    item = Item(HOSTILE, 0, text, text, json.dumps({HOSTILE: HOSTILE}))
    evaluations = (
        Evaluation(HOSTILE, 1.5, comment=HOSTILE, metadata={HOSTILE: HOSTILE}),
        Evaluation("label", HOSTILE),
        Evaluation("error", error=Error(HOSTILE, HOSTILE)),
    )
    worst = ItemResult(
        item=item,
        output_json=json.dumps({HOSTILE: [HOSTILE, "\ud800"]}),
        evaluations=evaluations,
        trace_url="javascript:document.title='owned'",
    )
    failed = ItemResult(item=Item("\ud800", 1, '"\\udfff"'), error=Error("TASK_FAILED", HOSTILE))
    fields = {"run_name": HOSTILE, "description": HOSTILE, "metadata": {HOSTILE: HOSTILE}}
    return an_experiment(2, name=HOSTILE, **fields), [worst, failed]


def sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words)).capitalize() + "."
