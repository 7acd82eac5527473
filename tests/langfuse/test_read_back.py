"""What the official clients find of what evalrpc wrote: what they do not see does not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.langfuse.capitals import Capitals
from tests.langfuse.recording import observe
from tests.standins.clients import run
from tests.standins.langfuse import LangfuseStandIn, Settings

# The first test of a client may have to install it.
pytestmark = pytest.mark.timeout(400)

V4_MODES = pytest.mark.parametrize(
    "standin",
    [Settings(), Settings(mode="dual"), Settings(score_arrays=False)],
    indirect=True,
    ids=["events_only", "dual", "without score arrays"],
)
OLD_MODES = pytest.mark.parametrize(
    "standin", [Settings(mode="dual"), Settings(mode="legacy")], indirect=True, ids=["dual", "legacy"]
)


@V4_MODES
@pytest.mark.parametrize("reader", ["python-4.18.0", "python-5.0.4", run.JAVASCRIPT])
async def test_clients_read_an_experiment(standin: LangfuseStandIn, app: Capitals, tmp_path: Path, reader):
    run.load_dataset(standin)
    written = await observe(standin, app, "hosted", tmp_path)

    found = await run.read_back(reader, standin, "v4")

    (experiment,) = found["experiments"]
    assert experiment["id"] == written.langfuse.experiment_id
    assert (experiment["name"], experiment["itemCount"]) == (run.RUN_NAME, 3)
    assert experiment["description"] == "Questions about capitals"
    assert experiment["metadata"] == {"model": "plain", "nested.depth": "1"}
    assert [(score["name"], score["value"]) for score in experiment["scores"]] == [("avg_accuracy", 0.5)]

    items = {item["experimentItemId"]: item for item in found["items"]}
    assert set(items) == {"item-france", "item-japan", "item-atlantis"}
    france, atlantis = items["item-france"], items["item-atlantis"]
    assert (france["input"], france["output"], france["expectedOutput"]) == (
        "What is the capital of France?",
        "Paris",
        "Paris",
    )
    assert france["experimentItemMetadata"] == {"continent": "Europe", "size": "2"}
    assert scores_of(france) == {"accuracy": 1, "verdict": "right", "concise": True}
    assert (atlantis["level"], atlantis["scores"]) == ("ERROR", [])
    assert atlantis["input"] == "What is the capital of Atlantis?"

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
    assert {one["traceName"] for one in observations} == {"Capitals"}
    assert len(found["scores"]) == 7
    assert {score["environment"] for score in found["scores"]} == {"sdk-experiment"}


@OLD_MODES
@pytest.mark.parametrize("reader", ["python-3.15.0", "python-4.18.0", run.JAVASCRIPT])
async def test_clients_read_a_dataset_run(standin: LangfuseStandIn, app: Capitals, tmp_path: Path, reader):
    run.load_dataset(standin)
    written = await observe(standin, app, "hosted", tmp_path)

    found = await run.read_back(reader, standin, "legacy", run.DATASET, run.RUN_NAME)

    (dataset_run,) = found["run"]
    assert dataset_run["id"] == written.langfuse.dataset_run_id == written.langfuse.experiment_id
    assert dataset_run["description"] == "Questions about capitals"
    assert dataset_run["metadata"] == {"model": "plain", "nested": {"depth": 1}}
    assert len(found["run_items"]) == len(found["traces"]) == 3
    traces = {str(trace["input"]): trace for trace in found["traces"]}
    france = traces["What is the capital of France?"]
    assert (france["name"], france["output"], france["environment"]) == (
        "Capitals",
        "Paris",
        "sdk-experiment",
    )
    assert len(france["observations"]) == 7
    assert scores_of(france) == {"accuracy": 1, "verdict": 0, "concise": 1}
    linked = {item["traceId"]: item for item in found["run_items"]}
    assert linked[france["id"]]["observationId"] in {one["id"] for one in france["observations"]}
    run_scores = [score for score in found["scores"] if score["datasetRunId"]]
    assert [(score["name"], score["datasetRunId"]) for score in run_scores] == [
        ("avg_accuracy", dataset_run["id"])
    ]


def scores_of(record: dict[str, Any]) -> dict[str, Any]:
    return {score["name"]: score["value"] for score in record["scores"]}
