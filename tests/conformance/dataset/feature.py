"""A local function over a dataset in Langfuse, and over a part of it; the results are recorded there."""

from __future__ import annotations

from typing import Any

from evalrpc import LangfuseDataset, builtin
from tests.conformance.stage import Stage

CAPITALS = {"Austria": "Vienna", "Germany": "Berlin", "Japan": "Kyoto"}


def answer(*, item: Any) -> str:
    return CAPITALS[item.input]


def run(stage: Stage) -> Any:
    with stage.client() as client:
        result = client.run(
            name=stage.unique("capitals"),
            data=LangfuseDataset(name="capitals"),
            task=answer,
            evaluators=[builtin("exact_match", name="accuracy")],
            langfuse_sync="wait",
        ).result()
        asia = client.run(
            name=stage.unique("part"),
            data=LangfuseDataset(name="capitals", metadata_equals={"continent": "Asia"}),
            task=answer,
        ).result()
    recorded = result.experiment.langfuse
    assert recorded is not None
    return {
        "state": result.state,
        "items": {
            str(each.item.dataset_item_id): [each.item.input, each.evaluations[0].value]
            for each in result.item_results
        },
        "recorded": recorded.accepted > 0 and recorded.dataset_run_id is not None,
        "rejected": recorded.rejected,
        "queued": recorded.queued,
        "in_asia": [each.item.dataset_item_id for each in asia.item_results],
    }
