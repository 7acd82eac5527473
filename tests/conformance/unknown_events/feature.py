"""A server of a later version tells of things that this client does not know."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage


def run(stage: Stage) -> Any:
    with stage.client(stage.scripted_address) as client:
        run = client.watch("exp_scripted")
        seen = list(run)
    return {
        "state": run.experiment.state if run.experiment else None,
        "outputs": [event.item_result.output for event in seen if event.item_result],
        "sequences": [event.sequence for event in seen],
    }
