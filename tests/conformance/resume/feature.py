"""The connection is cut again and again under a run and its functions; both go on."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage


def run(stage: Stage) -> Any:
    cuts = 0
    sequences, outputs = [], []
    with stage.client(stage.wire_address) as client:
        run = client.run(
            name=stage.unique("run"),
            data=[{"input": number} for number in range(30)],
            task=lambda *, item: item.input,
            max_concurrency=2,
            retry=5,
        )
        for event in run:
            sequences.append(event.sequence)
            if event.item_result:
                outputs.append(event.item_result.output)
                if len(outputs) in (5, 12, 20):
                    stage.cut()
                    cuts += 1
        state = run.result().state
    return {
        "state": state,
        "without_gaps": sequences == list(range(1, len(sequences) + 1)),
        "cuts": cuts,
        "outputs": sorted(outputs),
    }
