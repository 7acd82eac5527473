"""The metrics as a scraper sees them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.store.port import Commit
from evalrpc_server.store.registry import open_store
from evalrpc_server.telemetry.experiments import ExperimentMetrics
from evalrpc_server.telemetry.lag import measured_lag
from evalrpc_server.telemetry.providers import Telemetry
from evalrpc_server.telemetry.store import MeasuredExperiments
from tests.store.builders import START, make_items, make_result, make_spec

LINE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\.)*",?)*\})? \S+')


@pytest.fixture
async def telemetry() -> AsyncIterator[Telemetry]:
    telemetry = Telemetry()
    yield telemetry
    await telemetry.aclose()


def sample(telemetry: Telemetry, name: str) -> float | None:
    """Returns the value of a sample by its name with labels."""
    for line in telemetry.prometheus().splitlines():
        key, _, value = line.rpartition(" ")
        if key == name:
            return float(value)
    return None


def test_the_text_is_well_formed(telemetry: Telemetry):
    meter = telemetry.meter_provider.get_meter("test")
    meter.create_counter("odd.name-of/things", "By", 'has "quotes"\nand \\ lines').add(
        2, {"la bel": 'a"b\\c\nd'}
    )
    meter.create_up_down_counter("level").add(-3)
    meter.create_histogram("took", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1.5)
    lines = telemetry.prometheus().splitlines()
    assert [line for line in lines if not line.startswith("# ") and not LINE.fullmatch(line)] == []
    assert 'odd_name_of_things_bytes_total{la_bel="a\\"b\\\\c\\nd"} 2' in lines
    assert '# HELP odd_name_of_things_bytes_total has "quotes"\\nand \\\\ lines' in lines
    assert "level -3" in lines
    assert [line for line in lines if line.startswith("took")] == [
        'took_seconds_bucket{le="1"} 0',
        'took_seconds_bucket{le="2"} 1',
        'took_seconds_bucket{le="+Inf"} 1',
        "took_seconds_sum 1.5",
        "took_seconds_count 1",
    ]


async def test_a_blocked_event_loop_shows(telemetry: Telemetry):
    async with measured_lag(telemetry.meter_provider, interval=0.01):
        await asyncio.sleep(0.05)
        time.sleep(0.3)  # noqa: ASYNC251  blocking is what is measured
        await asyncio.sleep(0.05)
    late = sample(telemetry, "evalrpc_event_loop_lag_seconds_sum")
    assert late is not None
    assert late >= 0.25


@asynccontextmanager
async def measured(telemetry: Telemetry, directory: Path) -> AsyncIterator[MeasuredExperiments]:
    store = open_store(directory)
    await store.open()
    try:
        yield MeasuredExperiments(store, ExperimentMetrics(telemetry.meter_provider))
    finally:
        await store.close()


def an_experiment(state: State = State.PENDING, sequence: int = 1) -> Experiment:
    return Experiment(
        id="exp_1", spec=make_spec(), items="col_1", state=state, sequence=sequence, create_time=START
    )


def changed(experiment: Experiment) -> Commit:
    event = Event(sequence=experiment.sequence, time=START, progress=experiment.progress, body=experiment)
    return Commit(experiment=experiment, events=[event])


async def test_experiments_are_counted_by_state_from_their_beginning_to_their_end(
    telemetry: Telemetry, tmp_path: Path
):
    async with measured(telemetry, tmp_path) as experiments:
        await experiments.create_experiment(changed(an_experiment()), items=make_items(1))
        assert sample(telemetry, 'evalrpc_experiments{state="PENDING"}') == 1
        running = an_experiment(State.RUNNING, 2)
        await experiments.commit(changed(replace(running, progress=replace(running.progress, in_flight=7))))
        assert sample(telemetry, 'evalrpc_experiments{state="PENDING"}') == 0
        assert sample(telemetry, 'evalrpc_experiments{state="RUNNING"}') == 1
        assert sample(telemetry, "evalrpc_items_in_flight") == 7
        await experiments.commit(changed(an_experiment(State.SUCCEEDED, 3)))
        assert sample(telemetry, 'evalrpc_experiments{state="RUNNING"}') == 0
        assert sample(telemetry, 'evalrpc_experiments_ended_total{state="SUCCEEDED"}') == 1
        assert sample(telemetry, "evalrpc_items_in_flight") == 0


async def test_experiments_that_are_taken_up_again_are_counted(telemetry: Telemetry, tmp_path: Path):
    async with measured(telemetry, tmp_path) as experiments:
        await experiments.create_experiment(changed(an_experiment()))
    again = Telemetry()
    async with measured(again, tmp_path) as experiments:
        assert len(await experiments.unfinished_experiments()) == 1
        assert sample(again, 'evalrpc_experiments{state="PENDING"}') == 1
    await again.aclose()


async def test_results_are_counted_by_outcome(telemetry: Telemetry, tmp_path: Path):
    items = make_items(3)
    results = [make_result(items[0]), make_result(items[1]), make_result(items[2], failed=True)]
    async with measured(telemetry, tmp_path) as experiments:
        await experiments.create_experiment(changed(an_experiment()), items=items)
        running = an_experiment(State.RUNNING, 4)
        events = [
            Event(sequence=2 + number, time=START, progress=running.progress, body=result)
            for number, result in enumerate(results)
        ]
        await experiments.commit(Commit(experiment=running, events=events))
    assert sample(telemetry, 'evalrpc_items_total{outcome="OK"}') == 2
    assert sample(telemetry, 'evalrpc_items_total{outcome="TASK_HTTP_STATUS"}') == 1
    assert sample(telemetry, 'evalrpc_evaluations_total{outcome="value"}') == 6
    assert sample(telemetry, 'evalrpc_evaluations_total{outcome="unscored"}') == 2
    assert sample(telemetry, 'evalrpc_evaluations_total{outcome="error"}') == 2
    assert sample(telemetry, "evalrpc_task_retries_total") == 2
    assert sample(telemetry, "evalrpc_task_duration_seconds_count") == 3
    assert sample(telemetry, "evalrpc_store_commit_events_sum") == 3
    assert sample(telemetry, "evalrpc_store_commit_duration_seconds_count") == 1
