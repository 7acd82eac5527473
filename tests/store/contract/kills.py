"""What every store keeps when its process is killed: all that was acknowledged, and nothing by halves."""

from __future__ import annotations

import random
import re
import signal
import sys

import pytest

from evalrpc_server.failpoints import EXIT_STATUS, VARIABLE
from evalrpc_server.store.port import Store
from evalrpc_server.store.registry import open_store
from tests.processes import Program, running
from tests.store.backends import Backend
from tests.store.contract.log import all_events
from tests.store.load import EXPERIMENTS, ITEMS


async def validate(store: Store, promised: dict[str, int]) -> None:
    """Checks that each log is dense, agrees with the experiment, the results and the outbox, and holds what was promised."""
    total = 0
    for experiment_id in EXPERIMENTS:
        experiment = await store.get_experiment(experiment_id)
        events = await all_events(store, experiment_id)
        if experiment is None:
            assert (events, promised.get(experiment_id, 0)) == ([], 0)
            continue
        assert [event.sequence for event in events] == list(range(1, experiment.sequence + 1))
        assert experiment.sequence >= promised.get(experiment_id, 0)
        count = experiment.sequence - 1
        total += count
        assert (experiment.progress.completed, events[-1].progress.completed) == (count, count)
        assert set(await store.finished_trials(experiment_id, first=0, last=ITEMS)) == {
            (index, 1) for index in range(count)
        }
        assert (await store.outbox_counts(experiment_id)).queued == count
    queued = await store.read_outbox("main", "score", limit=10**6, characters=10**9)
    assert (len(queued), len({entry.record.id for entry in queued})) == (total, total)


def acknowledged(program: Program) -> dict[str, int]:
    """What the process said is stored: the last sequence of each experiment."""
    return {
        name: int(sequence)
        for name, sequence in re.findall(r"^stored (\w+) (\d+)$", program.output, re.MULTILINE)
    }


def load(backend: Backend) -> list[str]:
    """The command of a process that writes until it ends."""
    return [sys.executable, "-m", "tests.store.load", backend.url]


class KillContract:
    async def test_a_killed_process_leaves_whole_commits(self, backend: Backend):
        source = random.Random(7)
        promised: dict[str, int] = {}
        for _ in range(6):
            with running(load(backend)) as program:
                program.wait_for(rf"^stored e2 {promised.get('e2', 1) + source.randrange(1, 120)}$")
                program.signal(signal.SIGKILL)
                assert program.wait() == -signal.SIGKILL
                promised |= acknowledged(program)
            store = open_store(backend.url)
            await store.open()
            await validate(store, promised)
            await store.close()

    @pytest.mark.parametrize(
        ("failpoint", "status"),
        [
            ("store.before_execute=exit@5", EXIT_STATUS),
            ("store.before_commit=kill@5", -signal.SIGKILL),
            ("store.before_commit=exit@0.03:4", EXIT_STATUS),
            ("store.after_commit=exit@5", EXIT_STATUS),
        ],
    )
    async def test_a_process_that_dies_at_a_commit_leaves_it_whole(
        self, backend: Backend, failpoint: str, status: int
    ):
        with running(load(backend), env={VARIABLE: failpoint}) as program:
            assert program.wait() == status
            promised = acknowledged(program)
        store = open_store(backend.url)
        await store.open()
        await validate(store, promised)
        if "after_commit" in failpoint:
            stored = [await store.get_experiment(name) for name in EXPERIMENTS]
            assert sum(e.sequence for e in stored if e is not None) > sum(promised.values())
        await store.close()
