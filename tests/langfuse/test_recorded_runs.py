"""Runs that Langfuse has, compared by their names: they say what the experiments behind them say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from evalrpc.v1 import comparison_pb2, comparison_requests_pb2
from tests.langfuse.capitals import Capitals
from tests.langfuse.recording import Recording, recording
from tests.service.calls import SECONDS, reason, run, spec
from tests.standins.langfuse import LangfuseStandIn, Settings

DATASET = "numbers"
MODES = pytest.mark.parametrize(
    "standin",
    [Settings(), Settings(mode="dual"), Settings(mode="legacy")],
    indirect=True,
    ids=["events_only", "dual", "legacy"],
)


def experiment(app: Capitals, name: str, wrong: str, **fields: Any) -> dict[str, Any]:
    """An experiment whose inputs are right answers, but for those that contain a text."""
    made = spec(
        f"{app.url}/parrot",
        name=name,
        run_name=name,
        langfuse_sync="LANGFUSE_SYNC_WAIT",
        evaluators=[
            {"name": "right", "builtin": {"name": "regex", "params": {"pattern": f"^[^{wrong}]*$"}}},
            {"name": "length", "builtin": {"name": "length"}},
        ],
        **fields,
    )
    del made["items"]
    return made | {"langfuse_dataset": {"name": DATASET}}


async def compared(
    server: Recording, *refs: comparison_pb2.ExperimentRef, **fields: Any
) -> comparison_pb2.Comparison:
    request = comparison_requests_pb2.CompareExperimentsRequest(experiments=refs, **fields)
    answer = await server.stubs.experiments.CompareExperiments(request, timeout=SECONDS)
    (comparison,) = answer.comparisons
    return comparison


def by_name(name: str) -> comparison_pb2.ExperimentRef:
    return comparison_pb2.ExperimentRef(
        langfuse_run=comparison_pb2.LangfuseRun(dataset=DATASET, run_name=name)
    )


@MODES
async def test_runs_are_compared_by_name(standin: LangfuseStandIn, app: Capitals, tmp_path: Path) -> None:
    words = [f"word {number}" for number in range(20)]
    items = [
        {"id": f"i{number}", "input": word, "metadata": {"half": number % 2}}
        for number, word in enumerate(words)
    ]
    standin.project().datasets.load(DATASET, items)
    async with recording(tmp_path, standin) as server:
        ids = [
            (await run(server.stubs, experiment(app, name, wrong, repetitions=2)))[-1].experiment.id
            for name, wrong in (("first", "3"), ("second", "1"))
        ]
        stored = await compared(server, *(comparison_pb2.ExperimentRef(id=identity) for identity in ids))
        recorded = await compared(server, by_name("first"), by_name("second"))
        mixed = await compared(server, comparison_pb2.ExperimentRef(id=ids[0]), by_name("second"))

        missing = by_name("third")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await compared(server, missing, by_name("first"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason(refused.value) == "EXPERIMENT_NOT_FOUND"

    assert [each.name for each in stored.evaluations] == ["length", "right"]
    right = stored.evaluations[1]
    assert (right.n, right.lost, right.gained) == (20, 10, 1)
    assert right.verdict == comparison_pb2.VERDICT_REGRESSED
    for other in (recorded, mixed):
        assert other.matched_items == 20
        assert [numbers(each) for each in other.evaluations] == [numbers(each) for each in stored.evaluations]
        assert [shown(flip) for flip in other.evaluations[1].flips] != []
    assert recorded.baseline == "first"
    assert {shown(flip) for flip in recorded.evaluations[1].flips} == {shown(flip) for flip in right.flips}


def numbers(comparison: comparison_pb2.EvaluationComparison) -> tuple[Any, ...]:
    interval = comparison.interval
    return (
        comparison.name,
        comparison.verdict,
        comparison.n,
        comparison.difference,
        interval.low,
        interval.high,
        comparison.p_value,
        comparison.gained,
        comparison.lost,
    )


def shown(flip: comparison_pb2.Flip) -> tuple[Any, ...]:
    outputs = flip.baseline_output.value.string_value, flip.candidate_output.value.string_value
    return flip.item.dataset_item_id, flip.item.input.value.string_value, *outputs
