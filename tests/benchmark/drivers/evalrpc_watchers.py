"""A thousand watchers of one run, some of which read nothing until the others have seen its end.

A result counts when every watcher has seen it, so a watcher that misses an event makes the run a wrong one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import grpc
import uvloop

from evalrpc.v1 import (
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    json_pb2,
)
from tests.benchmark.drivers.evalrpc_stubs import message, request, take
from tests.benchmark.drivers.job import Job, Outcome

WATCHERS = 1_000
SLOW = 50
CHANNELS = 10

Stub = experiment_service_pb2_grpc.ExperimentServiceStub
Watch = grpc.aio.UnaryStreamCall[
    experiment_service_pb2.WatchExperimentRequest, experiment_service_pb2.WatchExperimentResponse
]


async def watched(watch: Watch, outcome: Outcome) -> list[int]:
    """Reads a watch to its end and returns the sequences that it gave; `outcome` gets what the events tell."""
    sequences = []
    async for response in watch:
        if response.event.sequence:
            sequences.append(response.event.sequence)
        take(response.event, outcome)
    return sequences


async def channels(address: str, stack: AsyncExitStack) -> AsyncIterator[grpc.aio.Channel]:
    """Connections of their own, so that the watchers come as from several callers."""
    for number in range(CHANNELS):
        options = [("evalrpc.benchmark", number), ("grpc.use_local_subchannel_pool", 1)]
        yield await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options))


def judge(seen: Sequence[tuple[list[int], Outcome]], outcome: Outcome) -> None:
    """Sums the watchers' outcomes up: what all of them saw."""
    outcome.results = min(watcher.results for _, watcher in seen)
    outcome.mean = seen[0][1].mean
    longest = max(len(sequences) for sequences, _ in seen)
    gapless = sum(sequences == list(range(1, longest + 1)) for sequences, _ in seen)
    outcome.notes.append(f"{gapless} of {len(seen)} watchers saw all of {longest} events, in order and once")


async def run(job: Job) -> Outcome:
    """Starts the job, watches it from all sides, and returns when the slowest watcher has seen its end."""
    outcome = Outcome()
    async with AsyncExitStack() as stack:
        stubs = [Stub(channel) async for channel in channels(job.server, stack)]
        async with grpc.aio.insecure_channel(job.server) as channel:
            spec = (await request(job, [message(item) for item in job.items()], channel)).experiment
        outcome.start()
        start = experiment_service_pb2.StartExperimentRequest(experiment=spec)
        started = await stubs[0].StartExperiment(start)
        watch = experiment_service_pb2.WatchExperimentRequest(
            id=started.experiment.id, json_encoding=json_pb2.JSON_ENCODING_TEXT
        )
        watches = [stubs[number % CHANNELS].WatchExperiment(watch) for number in range(WATCHERS)]
        views = [Outcome() for _ in watches]
        fast = await asyncio.gather(*map(watched, watches[SLOW:], views[SLOW:]))
        slow = await asyncio.gather(*map(watched, watches[:SLOW], views[:SLOW]))
        outcome.first_result_ns = max(view.first_result_ns for view in views[SLOW:])
        outcome.end()
    judge(list(zip([*slow, *fast], views, strict=True)), outcome)
    return outcome


if __name__ == "__main__":
    uvloop.run(run(Job.read())).report()
