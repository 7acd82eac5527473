"""What happens, as it happens: events, and a progress bar on a terminal."""

from __future__ import annotations

from typing import Any

from evalrpc import Client
from evalrpc.progress import progress_view


def square(*, item: Any) -> int:
    """Squares a number."""
    return int(item.input) ** 2


with Client() as client, progress_view() as view:
    run = client.run(name="Followed", data=({"input": n} for n in range(3)), task=square, max_concurrency=1)
    for event in run:
        view.update(event)
        if event.item_result:
            print(event.item_result.item.input, "->", event.item_result.output, event.progress.completed)
        elif event.experiment:
            print(event.experiment.state)
    print(len(run.result().item_results), "results")
