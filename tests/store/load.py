"""A process that writes to a store until it is killed, and prints what is stored: `python -m tests.store.load URL`."""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from evalrpc_server.store.port import Commit, Store
from evalrpc_server.store.registry import open_store
from tests.store.builders import advance, create, make_items, make_record, make_result

EXPERIMENTS = ("e1", "e2")
ITEMS = 20_000
_MOST_AT_ONCE = 12


async def write(store: Store, experiment_id: str) -> None:
    """Adds one result after another to an experiment, several commits at a time, from where the store left it."""
    experiment = await store.get_experiment(experiment_id) or await create(store, experiment_id, items=ITEMS)
    print(f"stored {experiment_id} {experiment.sequence}", flush=True)
    for turn in count():
        writes = []
        for _ in range(1 + turn % _MOST_AT_ONCE):
            (item,) = make_items(1, first=experiment.progress.completed)
            record = make_record(f"{experiment_id}-{item.index}", experiment_id)
            commit = advance(experiment, [make_result(item, failed=item.index % 7 == 0)], outbox=[record])
            experiment = commit.experiment
            writes.append(report(store, commit))
        await asyncio.gather(*writes)


async def report(store: Store, commit: Commit) -> None:
    """Stores a commit and says so once that is true."""
    await store.commit(commit)
    print(f"stored {commit.experiment.id} {commit.experiment.sequence}", flush=True)


async def main(url: str) -> None:
    """Writes to all experiments at once."""
    store = open_store(url)
    await store.open()
    await asyncio.gather(*(write(store, experiment_id) for experiment_id in EXPERIMENTS))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
