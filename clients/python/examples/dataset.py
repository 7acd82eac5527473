"""A dataset in Langfuse: read it, run over it or a part of it; or link traces of your own and write their scores."""

from __future__ import annotations

import secrets
from typing import Any

from evalrpc import Client, LangfuseDataset, Score, builtin

CAPITALS = {"France": "Paris", "Germany": "Bonn"}


def capital(*, item: Any) -> str:
    """Names a capital."""
    return CAPITALS[item.input]


with Client() as client:
    dataset = client.get_dataset("capitals")
    print(sorted(each.input for each in dataset.items))
    result = dataset.run_experiment(
        name="Capitals",
        task=capital,
        evaluators=[builtin("exact_match", name="accuracy")],
        langfuse_sync="wait",
    )
    print({each.item.input: each.evaluations[0].value for each in result.item_results})
    print("recorded" if result.experiment_url else "not recorded")
    part = LangfuseDataset(name="capitals", metadata_equals={"continent": "Europe"}, limit=1)
    print(len(client.run_experiment(name="Part", data=part, task=capital).item_results))

    # A runner of one's own: the items as a stream, a trace for each, a link, a score.
    for item in client.list_dataset_items("capitals"):
        trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
        link = client.link_dataset_item(
            dataset_name="capitals",
            dataset_item_id=item.id,
            run_name="by hand",
            trace_id=trace_id,
            observation_id=span_id,
        )
        score = Score(name="accuracy", value=1, trace_id=trace_id, observation_id=span_id)
        receipts = client.create_scores([score], wait=True)
        print(len(link.span_attributes) > 0, receipts[0].delivery)
