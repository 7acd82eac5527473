"""evalrpc through its Python client, used as its documentation shows."""

from __future__ import annotations

import asyncio

from evalrpc import AsyncClient, LangfuseDataset, builtin
from tests.benchmark.drivers.job import Job, Outcome


async def run(job: Job) -> Outcome:
    """Runs the job; the results come one by one."""
    outcome = Outcome()
    data = LangfuseDataset(name=job.dataset) if job.dataset else job.items()
    outcome.start()
    async with AsyncClient(job.server) as client:
        events = client.run(
            name="benchmark",
            data=data,
            task=job.task_url,
            evaluators=[builtin("exact_match"), builtin("length")],
            run_evaluators=[builtin("mean", evaluation="exact_match", name="mean_exact_match")],
            max_concurrency=job.concurrency,
        )
        async for event in events:
            if event.item_result is not None:
                outcome.first_result()
                outcome.results += event.item_result.error is None
            elif event.run_evaluations is not None:
                outcome.mean = event.run_evaluations[0].value
        outcome.end()
    return outcome


if __name__ == "__main__":
    asyncio.run(run(Job.read())).report()
