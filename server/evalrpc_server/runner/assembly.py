"""Assembly: the parts of a run, built from its spec."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Protocol

from msgspec.structs import replace

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.sealed import sealed_values
from evalrpc_server.evaluators.registry import (
    EvaluatorResources,
    ask_together,
    open_evaluator,
    open_run_evaluator,
)
from evalrpc_server.runner.collection import Collection
from evalrpc_server.runner.earlier import EarlierResults
from evalrpc_server.runner.hosting import Hosting
from evalrpc_server.runner.integration import Integration
from evalrpc_server.runner.judging import Judge, Member, RunJudge
from evalrpc_server.runner.parts import Parts
from evalrpc_server.runner.pipeline import Pipeline
from evalrpc_server.runner.reporting import NoReporter, Reporter
from evalrpc_server.store.port import ExperimentStore, ItemStore
from evalrpc_server.targets.registry import TargetResources, open_target
from evalrpc_server.workers.functions import FunctionKind, FunctionRef
from evalrpc_server.workers.hub import Workers

RUN_EVALUATOR_SECONDS = 600.0
"""How long a run evaluator may take unless its spec says otherwise: it reads every result."""

_IN_A_QUEUE = 10_000  # builtins wait for the executor together, which bounds what runs at once by itself


class AssemblyStore(ItemStore, ExperimentStore, Protocol):
    """Where runs read what they work on."""


class SpecAssembly:
    """Builds targets, evaluators and collections from specs."""

    def __init__(
        self,
        *,
        store: AssemblyStore,
        clock: Clock,
        targets: TargetResources,
        evaluators: EvaluatorResources,
        integration: Integration,
        workers: Workers,
    ) -> None:
        self._store = store
        self._clock = clock
        self._targets = targets
        self._evaluators = evaluators
        self._integration = integration
        self._workers = workers

    async def parts(self, experiment: Experiment) -> Parts:
        """Returns the parts of one run."""
        spec = experiment.spec
        scope = self._targets.outbound.scoped(sealed_values([spec, *experiment.registered.values()]))
        evaluators = replace(self._evaluators, outbound=scope)
        pipeline = Pipeline(
            experiment=experiment.ref,
            target=open_target(spec.task, replace(self._targets, outbound=scope)),
            task_timeout=spec.task_timeout,
            retry=spec.retry,
            retry_timeouts=bool(spec.task.http and spec.task.http.retry_timeouts),
            judges=_judges(experiment, evaluators),
            composite=_judge(experiment, spec.composite_evaluator, evaluators)
            if spec.composite_evaluator
            else None,
            clock=self._clock,
        )
        return Parts(
            pipeline=pipeline,
            run_judges=[_run_judge(experiment, each, evaluators) for each in spec.run_evaluators],
            collection=Collection(
                experiment.items, store=self._store, source=self._integration.source(experiment)
            ),
            hosting=self._hosting(experiment),
            earlier=EarlierResults(experiment.origin, self._store) if experiment.origin else None,
            limits=scope.limits,
        )

    async def settle(self, experiment: Experiment) -> tuple[Experiment, Reporter]:
        """Asks the integration what was not asked when the experiment was accepted.

        Raises:
            RequestError: it refuses, or does not answer.
        """
        spec, langfuse = await self._integration.accept(experiment.spec, path="experiment")
        settled = replace(experiment, spec=spec, langfuse=langfuse, unsettled=False)
        return settled, self.reporter(settled)

    def reporter(self, experiment: Experiment) -> Reporter:
        """Returns what tells of the experiment elsewhere."""
        return self._integration.reporter(experiment) or NoReporter()

    def _hosting(self, experiment: Experiment) -> Hosting | None:
        """Returns what the run needs of workers, or None where it calls no function of theirs."""
        spec = experiment.spec
        called = experiment.origin is None or experiment.origin.calls_task
        tasks = [spec.task.worker] if spec.task.worker and called else []
        composite = [spec.composite_evaluator] if spec.composite_evaluator else []
        of_items = _functions(experiment, [*spec.evaluators, *composite])
        of_runs = _functions(experiment, spec.run_evaluators)
        if not (tasks or of_items or of_runs):
            return None
        functions = [
            *(FunctionRef(task.function, FunctionKind.TASK) for task in tasks),
            *(FunctionRef(name, FunctionKind.EVALUATOR) for name in of_items),
        ]
        return self._workers.hosting(experiment.id, functions)


def _judges(experiment: Experiment, resources: EvaluatorResources) -> list[Judge]:
    """Returns the judges of items; neighbours with the same bounds are asked together where that can be."""
    judges: list[Judge] = []
    for (_, _, at_once), group in groupby(experiment.spec.evaluators, key=partial(_bounds, experiment)):
        alike = [_judge(experiment, given, resources) for given in group]
        panel = ask_together([judge.evaluator for judge in alike], resources)
        if panel is None:
            judges += alike
        else:
            members = [member for judge in alike for member in judge.members]
            slots = asyncio.Semaphore(at_once or _IN_A_QUEUE)
            judges.append(replace(alike[0], members=members, evaluator=panel, slots=slots))
    return judges


def _judge(experiment: Experiment, given: EvaluatorSpec, resources: EvaluatorResources) -> Judge:
    spec = experiment.spec
    evaluator = open_evaluator(_resolved(experiment, given), resources)
    return Judge(
        members=[Member(given.evaluation_name, given.registered or evaluator.reference)],
        evaluator=evaluator,
        timeout=given.timeout or spec.evaluator_timeout,
        slots=asyncio.Semaphore(given.max_concurrency or spec.max_concurrency),
    )


def _run_judge(experiment: Experiment, given: EvaluatorSpec, resources: EvaluatorResources) -> RunJudge:
    evaluator = open_run_evaluator(_resolved(experiment, given), resources)
    return RunJudge(
        member=Member(given.evaluation_name, given.registered or evaluator.reference),
        evaluator=evaluator,
        timeout=given.timeout or RUN_EVALUATOR_SECONDS,
    )


def _bounds(experiment: Experiment, given: EvaluatorSpec) -> tuple[str, float | None, int | None]:
    return _resolved(experiment, given).kind, given.timeout, given.max_concurrency


def _functions(experiment: Experiment, given: Sequence[EvaluatorSpec]) -> list[str]:
    """Returns the names of the worker functions among evaluators."""
    resolved = [_resolved(experiment, evaluator) for evaluator in given]
    return [evaluator.worker.function for evaluator in resolved if evaluator.worker]


def _resolved(experiment: Experiment, given: EvaluatorSpec) -> EvaluatorSpec:
    """Returns what an evaluator does; a registered one is as it was when the experiment was accepted."""
    if given.registered is None:
        return given
    return experiment.registered[given.registered].model_copy(update={"name": given.evaluation_name})
