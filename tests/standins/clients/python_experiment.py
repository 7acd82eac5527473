"""Runs one experiment with the installed version of Langfuse's Python SDK; prints its result as one JSON line.

The first argument says where the items come from: ``local``, or ``hosted`` and the name of a dataset. Keys and
address come from ``LANGFUSE_*``. Needs nothing but the SDK, so that it runs in every version's environment.
"""

from __future__ import annotations

import json
import sys

from langfuse import Evaluation, Langfuse

ITEMS = [
    {
        "input": "What is the capital of France?",
        "expected_output": "Paris",
        "metadata": {"continent": "Europe", "size": 2},
    },
    {"input": {"question": "What is the capital of Japan?"}, "expected_output": {"answer": "Tokyo"}},
    {
        "input": "What is the capital of Atlantis?",
        "expected_output": "Poseidonis",
        "metadata": {"myth": True},
    },
]


async def task(*, item, **_kwargs):
    question = item["input"] if isinstance(item, dict) else item.input
    if "Atlantis" in str(question):
        raise ValueError("no such country")
    return "Paris" if "France" in str(question) else {"answer": "Kyoto"}


async def accuracy(*, output, expected_output, **_kwargs):
    comment = "as expected" if output == expected_output else "not as expected"
    return Evaluation(name="accuracy", value=float(output == expected_output), comment=comment)


async def verdict(*, output, expected_output, **_kwargs):
    value = "right" if output == expected_output else "wrong"
    return Evaluation(name="verdict", value=value, data_type="CATEGORICAL", metadata={"judge": "plain"})


async def concise(*, output, **_kwargs):
    return Evaluation(name="concise", value=len(str(output)) < 10, data_type="BOOLEAN")


async def broken(**_kwargs):
    raise RuntimeError("judge is out")


async def average(*, item_results, **_kwargs):
    values = [one.value for item in item_results for one in item.evaluations if one.name == "accuracy"]
    return Evaluation(name="avg_accuracy", value=sum(values) / len(values), comment="mean of accuracy")


def main() -> None:
    client = Langfuse()
    source, *rest = sys.argv[1:]
    arguments = {
        "name": "Capitals",
        "run_name": "capitals run",
        "description": "Questions about capitals",
        "task": task,
        "evaluators": [accuracy, verdict, concise, broken],
        "run_evaluators": [average],
        "metadata": {"model": "plain", "nested": {"depth": 1}},
    }
    if source == "local":
        result = client.run_experiment(data=ITEMS, **arguments)
    else:
        result = client.get_dataset(rest[0]).run_experiment(**arguments)
    identity = getattr(result, "experiment_id", None)
    url = getattr(result, "experiment_url", None) or getattr(result, "dataset_run_url", None)
    print(
        json.dumps(
            {
                "experiment_id": identity,
                "run_name": result.run_name,
                "url": url,
                "items": [
                    {
                        "output": one.output,
                        "trace_id": one.trace_id,
                        "evaluations": {score.name: score.value for score in one.evaluations},
                    }
                    for one in result.item_results
                ],
                "run_evaluations": {score.name: score.value for score in result.run_evaluations},
            }
        )
    )
    client.shutdown()


main()
