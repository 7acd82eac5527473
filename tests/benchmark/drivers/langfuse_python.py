"""The Langfuse Python SDK's `run_experiment`, used as its documentation shows; runs in the peers' environment."""

from __future__ import annotations

from typing import Any

import aiohttp
from langfuse import Evaluation, Langfuse

from tests.benchmark.drivers.job import Job, Outcome, exact, length


def exact_match(*, output: str, expected_output: str, **_: Any) -> Evaluation:
    """The first item evaluator."""
    return Evaluation(name="exact_match", value=exact(output, expected_output))


def output_length(*, output: str, **_: Any) -> Evaluation:
    """The second item evaluator."""
    return Evaluation(name="length", value=length(output))


def mean_exact_match(*, item_results: list[Any], **_: Any) -> Evaluation:
    """The run evaluator."""
    values = [
        evaluation.value
        for result in item_results
        for evaluation in result.evaluations
        if evaluation.name == "exact_match"
    ]
    return Evaluation(name="mean_exact_match", value=sum(values) / len(values))


def run(job: Job) -> Outcome:
    """Runs the job; the SDK gives results only when all is done and sent."""
    outcome = Outcome()
    langfuse = Langfuse(public_key="pk-lf-benchmark", secret_key="sk-lf-benchmark", base_url=job.langfuse_url)
    sessions: list[aiohttp.ClientSession] = []

    async def task(*, item: Any, **_: Any) -> str:
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        payload = item["input"] if isinstance(item, dict) else item.input
        async with sessions[0].post(job.task_url, json={"input": payload}) as response:
            return str((await response.json())["output"])

    work: dict[str, Any] = {
        "name": "benchmark",
        "task": task,
        "evaluators": [exact_match, output_length],
        "run_evaluators": [mean_exact_match],
        "max_concurrency": job.concurrency,
    }
    items = [] if job.dataset else job.items()
    outcome.start()
    if job.dataset:
        result = langfuse.get_dataset(job.dataset).run_experiment(**work)
    else:
        result = langfuse.run_experiment(data=items, **work)
    outcome.end()
    outcome.results = len(result.item_results)
    outcome.mean = float(result.run_evaluations[0].value)
    langfuse.shutdown()
    return outcome


if __name__ == "__main__":
    run(Job.read()).report()
