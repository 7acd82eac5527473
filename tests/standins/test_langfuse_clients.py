"""The proof that the stand-in is a Langfuse: the official SDKs run their experiments on it and read them back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.standins.clients import observe, run
from tests.standins.langfuse import Fault, LangfuseStandIn, Settings
from tests.standins.langfuse.run_items import stable_run_id

# The first test of a client may have to install it.
pytestmark = pytest.mark.timeout(400)

DUAL = pytest.mark.parametrize("langfuse", [Settings(mode="dual")], indirect=True)
LEGACY = pytest.mark.parametrize("langfuse", [Settings(mode="legacy")], indirect=True)


@pytest.mark.parametrize("source", observe.SOURCES)
@pytest.mark.parametrize("client", run.CLIENTS)
async def test_a_client_writes_what_was_observed(client, source):
    assert await observe.observe(client, source) == observe.observed(client)[source]


@pytest.mark.parametrize("reader", ["python-4.18.0", "python-5.0.4", run.JAVASCRIPT])
async def test_clients_read_a_new_experiment_back(langfuse: LangfuseStandIn, reader):
    run.load_dataset(langfuse)
    written = await run.experiment("python-5.0.4", langfuse, "hosted")

    found = await run.read_back(reader, langfuse, "v4")

    dataset = langfuse.project().datasets.get(run.DATASET)
    (experiment,) = found["experiments"]
    assert experiment["id"] == written["experiment_id"]
    assert experiment["id"] == stable_run_id("project-one", dataset.id, run.RUN_NAME)
    assert experiment["name"] == run.RUN_NAME
    assert experiment["itemCount"] == 3
    assert experiment["datasetId"] == dataset.id
    assert experiment["metadata"] == {"model": "plain", "nested.depth": "1"}
    assert [(score["name"], score["value"]) for score in experiment["scores"]] == [("avg_accuracy", 0.5)]
    # The SDK describes two of an item's spans only, and the server asks any of them.
    assert experiment["description"] == ""

    items = {item["experimentItemId"]: item for item in found["items"]}
    assert set(items) == {"item-france", "item-japan", "item-atlantis"}
    france, atlantis = items["item-france"], items["item-atlantis"]
    assert (france["input"], france["output"], france["expectedOutput"]) == (
        "What is the capital of France?",
        "Paris",
        "Paris",
    )
    assert scores_of(france) == {"accuracy": 1, "verdict": "right", "concise": True}
    assert (atlantis["level"], atlantis["output"], atlantis["scores"]) == (
        "ERROR",
        "Error: no such country",
        [],
    )

    observations = [one for one in found["observations"] if one["traceId"] == france["traceId"]]
    assert sorted((one["name"], one["type"]) for one in observations) == [
        ("accuracy", "EVALUATOR"),
        ("broken", "EVALUATOR"),
        ("concise", "EVALUATOR"),
        ("experiment-item-evaluation", "SPAN"),
        ("experiment-item-run", "SPAN"),
        ("experiment-item-task", "SPAN"),
        ("verdict", "EVALUATOR"),
    ]
    assert {one["environment"] for one in observations} == {"sdk-experiment"}
    assert len(found["scores"]) == 7


@DUAL
@pytest.mark.parametrize("reader", ["python-3.15.0", "python-4.18.0", run.JAVASCRIPT])
async def test_clients_read_a_dataset_run_back(langfuse: LangfuseStandIn, reader):
    run.load_dataset(langfuse)
    await run.experiment("python-4.18.0", langfuse, "hosted")

    found = await run.read_back(reader, langfuse, "legacy", run.DATASET, run.RUN_NAME)

    (dataset_run,) = found["run"]
    assert dataset_run["description"] == "Questions about capitals"
    assert {item["datasetItemId"] for item in dataset_run["datasetRunItems"]} == {
        "item-france",
        "item-japan",
        "item-atlantis",
    }
    assert len(found["run_items"]) == len(found["trace_list"]) == len(found["traces"]) == 3
    check_traces(found, observations=7)
    assert sorted(score["name"] for score in found["scores"] if score["datasetRunId"]) == ["avg_accuracy"]


@LEGACY
async def test_the_oldest_client_on_the_oldest_server(langfuse: LangfuseStandIn):
    run.load_dataset(langfuse)
    await run.experiment("python-3.15.0", langfuse, "hosted")

    found = await run.read_back("python-3.15.0", langfuse, "legacy", run.DATASET, run.RUN_NAME)

    assert len(found["run_items"]) == 3
    check_traces(found, observations=1)


@DUAL
async def test_what_the_oldest_client_sends_to_a_dual_server_is_no_experiment(langfuse: LangfuseStandIn):
    run.load_dataset(langfuse)
    await run.experiment("python-3.15.0", langfuse, "hosted")

    found = await run.read_back("python-4.18.0", langfuse, "v4")

    assert found["experiments"] == found["items"] == found["observations"] == []
    assert len(found["scores"]) == 7


async def test_a_client_repeats_scores_after_429_and_loses_spans_after_500(langfuse: LangfuseStandIn):
    langfuse.faults.add(Fault(("429",), path="/scores", times=2, retry_after=1))
    langfuse.faults.add(Fault(("500",), path="/otel", times=1))

    written = await run.experiment("python-5.0.4", langfuse, "local")

    assert len(written["items"]) == 2
    counts = langfuse.stats()["projects"]["project-one"]
    assert (counts["scores"], counts["spans"]) == (7, 0)
    assert langfuse.log.count("POST /api/public/scores", status=429) == 2


def scores_of(record: dict[str, Any]) -> dict[str, Any]:
    return {score["name"]: score["value"] for score in record["scores"]}


def check_traces(found: dict[str, Any], *, observations: int) -> None:
    """The traces of a run, read in full: the item about France went well."""
    traces = {str(trace["input"]): trace for trace in found["traces"]}
    france = traces["What is the capital of France?"]
    assert france["output"] == "Paris"
    assert france["environment"] == "sdk-experiment"
    assert len(france["observations"]) == observations
    assert scores_of(france) == {"accuracy": 1, "verdict": 0, "concise": 1}
    assert {score["stringValue"] for score in france["scores"] if score["name"] == "verdict"} == {"right"}
