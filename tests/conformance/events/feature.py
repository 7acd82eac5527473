"""Events as they happen: each once, in order, with the progress; and again for whoever comes later."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage


def run(stage: Stage) -> Any:
    with stage.client() as client:
        seen = list(
            client.run(
                name=stage.unique("run"),
                data=[{"input": number} for number in range(5)],
                task=lambda *, item: item.input,
            )
        )
        last = seen[-1].experiment
        assert last is not None
        again = [event.sequence for event in client.watch(last.id, after_sequence=2)]
    results = [event for event in seen if event.item_result]
    return {
        "without_gaps": [event.sequence for event in seen] == list(range(1, len(seen) + 1)),
        "results": sorted(event.item_result.output for event in results if event.item_result),
        "completed": [event.progress.completed for event in results],
        "last": [last.state, last.progress.completed],
        "again": again == list(range(3, len(seen) + 1)),
    }
