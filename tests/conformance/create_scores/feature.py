"""Scores of traces, observations and runs; the same content is one score, however often it is written."""

from __future__ import annotations

from typing import Any

from evalrpc import Score
from tests.conformance.stage import Stage, error_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def run(stage: Stage) -> Any:
    mine = stage.unique("mine")
    scores = [
        Score(name="accuracy", value=0.5, trace_id=TRACE, comment="half", metadata={"by": "hand"}),
        Score(name="right", value=True, trace_id=TRACE, observation_id="00f067aa0ba902b7", id=mine),
        Score(name="tone", value="polite", dataset_run_id="a-run"),
    ]
    with stage.client() as client:
        first, again = (client.create_scores(scores, wait=True) for _ in range(2))
        wrong = error_of(lambda: client.create_scores([Score(name="none", value=1)]))
    return {
        "deliveries": [each.delivery for each in first],
        "own_id": first[1].id == mine,
        "same_ids_again": [each.id for each in first] == [each.id for each in again],
        "wrong": {"kind": wrong["kind"], "violations": len(wrong["violations"])},
    }
