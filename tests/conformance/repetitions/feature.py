"""Each item is run several times, and only the first items are."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage


def task(*, item: Any, trial: int) -> str:
    return f"{item.input}-{trial}"


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("run"),
            data=[{"id": each, "input": each} for each in ("a", "b", "c")],
            task=task,
            repetitions=3,
            dry_run_items=2,
        ).result()
    return {
        "trials": [[each.item.id, each.trial, each.output] for each in result.item_results],
        "total": result.experiment.progress.total,
    }
