"""The conclusion of a run: what its results say together, once there are no more to come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

from msgspec import Struct, field

from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.gates import GateResult
from evalrpc_server.domain.spec.verdicts import reducers_of
from evalrpc_server.domain.statistics.summaries import EvaluationSummary, Summarizer
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.comparison.gates import judge_gates, unjudged
from evalrpc_server.runner.comparison.runs import StoredRun
from evalrpc_server.store.port import ExperimentStore


class Conclusion(Struct, frozen=True):
    """What is known at the end: the statistics of each evaluation by name, and what became of the gates."""

    statistics: Mapping[str, EvaluationSummary] = field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()


NOTHING_CONCLUDED = Conclusion()
"""What is known while a run goes on."""


class Conclusions:
    """Draws conclusions from stored results."""

    def __init__(self, store: ExperimentStore, comparisons: Comparisons | None = None) -> None:
        self._store = store
        self._comparisons = comparisons or Comparisons(store)

    async def draw(self, experiment: Experiment) -> Conclusion:
        """Returns the conclusion of a run that came to its end.

        Raises:
            StoreError: the results cannot be read.
        """
        statistics = await self._summarize(experiment)
        return Conclusion(statistics, await judge_gates(experiment, statistics, self._comparisons))

    async def draw_unfinished(self, experiment: Experiment, why: str) -> Conclusion:
        """Returns the conclusion of a run that was cut off: its gates fail.

        Raises:
            StoreError: the results cannot be read.
        """
        return Conclusion(await self._summarize(experiment), unjudged(experiment.spec, why))

    def failed(self, experiment: Experiment) -> Conclusion:
        """Returns the conclusion of a run whose results could not be summed up: its gates fail."""
        return Conclusion(gates=unjudged(experiment.spec, "the results could not be summed up"))

    async def _summarize(self, experiment: Experiment) -> Mapping[str, EvaluationSummary]:
        spec = experiment.spec
        summarizer = Summarizer(reducers_of(spec.trial_reducers), repeated=spec.repetitions > 1)
        async with aclosing(StoredRun(self._store, experiment).scores(spec.cluster_by)) as pages:
            async for trials in pages:
                await asyncio.to_thread(summarizer.add, trials)
        return await asyncio.to_thread(summarizer.summaries)
