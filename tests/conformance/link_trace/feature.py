"""A trace of the caller's own is tied to a dataset item, as part of a run."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.conformance.stage import Stage, error_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def run(stage: Stage) -> Any:
    with stage.client() as client:
        link = partial(
            client.link_dataset_item,
            dataset_name="capitals",
            run_name=stage.unique("run"),
            observation_id="00f067aa0ba902b7",
            run_metadata={"model": "m"},
        )
        made = link(dataset_item_id="de", trace_id=TRACE)
        missing = error_of(lambda: link(dataset_item_id="none", trace_id=TRACE))
        wrong = error_of(lambda: link(dataset_item_id="de", trace_id="none"))
    return {
        "linked": made.dataset_run_id != "",
        "item": made.span_attributes["langfuse.experiment.item.id"],
        "root": made.span_attributes["langfuse.experiment.item.root_observation_id"],
        "missing": {"kind": missing["kind"], "reason": missing["reason"]},
        "wrong": wrong["violations"],
    }
