"""Reads a project back through the typed models of the installed Python SDK; prints all of it as one JSON line.

Arguments: ``v4`` (experiments, their items, observations, scores), or ``legacy`` and the names of a dataset and a run
(the run with its items, its traces in full, scores). Needs nothing but the SDK.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from langfuse import Langfuse

GROUPS = {
    "experiments": "core,metadata,scores",
    "items": "core,dataset,io,metadata,itemMetadata,experimentMetadata,scores",
    "observations": "core,basic,time,io,metadata,model,usage,metrics,trace_context",
    "scores": "core,details,subject,annotation",
}


def cursor_pages(read: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """Every record of a list that is paged by cursor."""
    cursor = None
    while True:
        page = read(limit=100, cursor=cursor, **arguments)
        yield from page.data
        cursor = page.meta.cursor
        if cursor is None:
            return


def numbered_pages(read: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """Every record of a list that is paged by number."""
    number = 1
    while True:
        page = read(limit=100, page=number, **arguments)
        yield from page.data
        if number >= page.meta.total_pages:
            return
        number += 1


def plain(model: Any) -> Any:
    """A typed model as a document, under the names of the wire."""
    return json.loads(model.json())


def read_v4(api: Any) -> dict[str, Iterable[Any]]:
    since = datetime.now(UTC) - timedelta(days=1)
    scores = api.scores_v3.get_many_v3 if hasattr(api, "scores_v3") else api.scores.get_many
    experiments, items = api.experiments.list, api.experiments.list_items
    return {
        "experiments": cursor_pages(experiments, from_start_time=since, fields=GROUPS["experiments"]),
        "items": cursor_pages(items, from_start_time=since, fields=GROUPS["items"]),
        "observations": cursor_pages(api.observations.get_many, fields=GROUPS["observations"]),
        "scores": cursor_pages(scores, fields=GROUPS["scores"]),
    }


def read_legacy(client: Any, dataset_name: str, run_name: str) -> dict[str, Iterable[Any]]:
    api = client.api
    scores = api.score_v_2.get if hasattr(api, "score_v_2") else api.scores.get_many
    run = client.get_dataset_run(dataset_name=dataset_name, run_name=run_name)
    items = numbered_pages(api.dataset_run_items.list, dataset_id=run.dataset_id, run_name=run_name)
    return {
        "run": [run],
        "run_items": items,
        "traces": [api.trace.get(item.trace_id) for item in run.dataset_run_items],
        "trace_list": numbered_pages(api.trace.list),
        "scores": numbered_pages(scores),
    }


def main() -> None:
    client = Langfuse()
    kind, *names = sys.argv[1:]
    found = read_v4(client.api) if kind == "v4" else read_legacy(client, *names)
    print(json.dumps({name: [plain(model) for model in models] for name, models in found.items()}))
    client.shutdown()


main()
