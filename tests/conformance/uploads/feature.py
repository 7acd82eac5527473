"""Items from an iterator, more than fit into a request, are stored as they come; a source that fails leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.conformance.stage import Stage, error_of

TEXT = "x" * 1000


def rows(count: int = 4000) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"id": f"row-{number}", "input": {"n": number, "text": TEXT}}


def broken_rows() -> Iterator[dict[str, Any]]:
    yield from rows(3)
    raise RuntimeError("the source has failed")


def task(*, item: Any) -> int:
    return int(item.input["n"] + 1)


def run(stage: Stage) -> Any:
    with stage.client() as client:
        upload = client.upload(rows(), description="rows")

        def outputs(name: str, data: Any, count: int) -> Any:
            run = client.run(name=stage.unique(name), data=data, task=task, dry_run_items=count)
            return [each.output for each in run.result().item_results]

        first, again = outputs("first", upload, 3), outputs("again", upload.id, 2)
        streamed = client.run(name=stage.unique("streamed"), data=rows(), task=task, dry_run_items=3).result()
        try:
            client.upload(broken_rows())
            broken = None
        except RuntimeError as error:
            broken = str(error)
        twice = error_of(lambda: client.upload([{"id": "same", "input": 1}] * 2))
    return {
        "item_count": upload.item_count,
        "first": first,
        "again": again,
        "streamed": [each.output for each in streamed.item_results],
        "total": streamed.experiment.progress.total,
        "broken": broken,
        "violations": twice["violations"],
    }
