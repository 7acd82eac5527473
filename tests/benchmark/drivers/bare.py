"""A bare aiohttp loop on uvloop: what is left when nothing is recorded, stored or streamed."""

from __future__ import annotations

import asyncio

import aiohttp
import uvloop

from tests.benchmark.drivers.job import Item, Job, Outcome, exact, length


async def run(job: Job) -> Outcome:
    """Calls the task for every item, `concurrency` at a time, and evaluates."""
    outcome, scores, lengths = Outcome(), list[float](), list[float]()
    items = job.items()
    outcome.start()
    left = iter(items)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(item: Item) -> None:
            async with session.post(job.task_url, json={"input": item["input"]}) as response:
                output = (await response.json())["output"]
            scores.append(exact(output, item["expected_output"]))
            lengths.append(length(output))
            outcome.first_result()

        async def slot() -> None:
            for item in left:
                await one(item)

        await asyncio.gather(*(slot() for _ in range(job.concurrency)))
    outcome.mean = sum(scores) / len(scores)
    outcome.end()
    outcome.results = len(lengths)
    return outcome


if __name__ == "__main__":
    uvloop.run(run(Job.read())).report()
