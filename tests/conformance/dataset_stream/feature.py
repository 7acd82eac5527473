"""A dataset's items as they arrive, a selection of them, and one that is not there."""

from __future__ import annotations

from typing import Any

from evalrpc import LangfuseDataset
from tests.conformance.stage import Stage, error_of


def run(stage: Stage) -> Any:
    with stage.client() as client:
        dataset = client.get_dataset("numbers")
        items = {each.id: each for each in client.list_dataset_items("numbers")}
        asia = LangfuseDataset(name="capitals", metadata_equals={"continent": "Asia"})
        first = next(iter(client.list_dataset_items("numbers")))
        return {
            "name": dataset.name,
            "count": len(items),
            "input": items["n-107"].input_json,
            "selected": [each.id for each in client.list_dataset_items(asia)],
            "left": first.id in items,
            "missing": error_of(lambda: list(client.list_dataset_items("none")))["reason"],
        }
