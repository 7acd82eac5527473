"""What is measured of experiments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import Commit

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Bounds of the histograms of durations that reach from a local call to a slow model."""

_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_COMMIT_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class ExperimentMetrics:
    """Counts experiments, items, evaluations and commits.

    Metrics: `evalrpc.experiments` (live ones by state), `evalrpc.experiments.ended` (by state), `evalrpc.items` and
    `evalrpc.evaluations` (by outcome), `evalrpc.items.in_flight`, `evalrpc.task.duration`, `evalrpc.task.retries`,
    `evalrpc.store.commit.duration`, `evalrpc.store.commit.events`.
    """

    def __init__(self, meters: MeterProvider) -> None:
        meter = meters.get_meter("evalrpc_server.experiments")
        self._live: dict[str, Experiment] = {}
        meter.create_observable_gauge(
            "evalrpc.experiments",
            [self._by_state],
            "{experiment}",
            "Experiments that have not ended, by state.",
        )
        meter.create_observable_gauge(
            "evalrpc.items.in_flight", [self._in_flight], "{item}", "Trials begun and without a result."
        )
        self._ended = meter.create_counter(
            "evalrpc.experiments.ended", "{experiment}", "Experiments that have ended, by state."
        )
        self._items = meter.create_counter(
            "evalrpc.items", "{item}", "Results: OK, or the reason of the task's failure."
        )
        self._evaluations = meter.create_counter(
            "evalrpc.evaluations", "{evaluation}", "Evaluations: value, unscored, or error."
        )
        self._task_seconds = meter.create_histogram(
            "evalrpc.task.duration",
            "s",
            "How long the last attempt of a task took.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._retries = meter.create_counter(
            "evalrpc.task.retries", "{attempt}", "Task calls that were repeated."
        )
        self._commit_seconds = meter.create_histogram(
            "evalrpc.store.commit.duration",
            "s",
            "How long a commit of a run took until it was durable.",
            explicit_bucket_boundaries_advisory=_COMMIT_SECONDS,
        )
        self._commit_events = meter.create_histogram(
            "evalrpc.store.commit.events",
            "{event}",
            "How many events a run stored in one commit.",
            explicit_bucket_boundaries_advisory=_COMMIT_EVENTS,
        )

    def found(self, experiment: Experiment) -> None:
        """Notes an experiment that is new, or that was found unfinished."""
        self._live[experiment.id] = experiment

    def committed(self, commit: Commit, seconds: float) -> None:
        """Notes a commit that took so many seconds."""
        experiment = commit.experiment
        if not experiment.state.final:
            self._live[experiment.id] = experiment
        elif self._live.pop(experiment.id, None) is not None:
            self._ended.add(1, {"state": str(experiment.state)})
        self._commit_seconds.record(seconds)
        self._commit_events.record(len(commit.events))
        self._count(event.body for event in commit.events if isinstance(event.body, ItemResult))

    def _count(self, results: Iterable[ItemResult]) -> None:
        items, evaluations, retries = Counter[str](), Counter[str](), 0
        for result in results:
            items[_outcome(result)] += 1
            retries += len(result.outcome.retries)
            self._task_seconds.record(result.outcome.task_duration)
            for evaluation in result.evaluations:
                scored = "unscored" if evaluation.value is None else "value"
                evaluations["error" if evaluation.error else scored] += 1
        for outcome, count in items.items():
            self._items.add(count, {"outcome": outcome})
        for outcome, count in evaluations.items():
            self._evaluations.add(count, {"outcome": outcome})
        if retries:
            self._retries.add(retries)

    def _by_state(self, _options: CallbackOptions) -> Iterable[Observation]:
        counts = Counter(experiment.state for experiment in list(self._live.values()))
        return [Observation(counts[state], {"state": str(state)}) for state in State if not state.final]

    def _in_flight(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(sum(each.progress.in_flight for each in list(self._live.values())))]


def _outcome(result: ItemResult) -> str:
    return str(result.outcome.error.reason) if result.outcome.error else "OK"
