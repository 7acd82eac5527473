"""Acceptance: what must be true of a spec before it runs, beyond its shape."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Protocol

from msgspec import Struct, field

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.credentials import Replace
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, Violation
from evalrpc_server.domain.experiments import Experiment, Progress
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.sealed import Model, sealed_spec
from evalrpc_server.evaluators.acceptance import Level, find_violations
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.comparison.gates import gate_violations
from evalrpc_server.runner.integration import Integration, NoIntegration
from evalrpc_server.store.port import EvaluatorStore, ExperimentStore, ItemStore

_EVALUATORS = "evaluators"
_COMPOSITE = "composite_evaluator"
_RUN_EVALUATORS = "run_evaluators"


class AcceptanceStore(EvaluatorStore, ExperimentStore, ItemStore, Protocol):
    """What acceptance looks up."""


def split_reference(reference: str) -> tuple[str, int | None]:
    """Splits `name` or `name@version`; the version is None where none is given."""
    name, _, version = reference.partition("@")
    return name, int(version) if version else None


class _Findings(Struct):
    """The evaluators of a spec with exact references, what these refer to, and what is wrong with them."""

    evaluators: list[EvaluatorSpec] = field(default_factory=list)
    composite: EvaluatorSpec | None = None
    run_evaluators: list[EvaluatorSpec] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    registered: dict[str, EvaluatorSpec] = field(default_factory=dict)
    pinned: Mapping[str, EvaluatorSpec] = field(default_factory=dict)


class Acceptance:
    """Turns a well-formed spec into an experiment that can run, or says everything that is wrong with it.

    Args:
        store: where registered evaluators and uploads are.
        clock: tells the time.
        integration: checks what a spec asks of an outside system; None for none.
        seal: returns a reference to a credential that a spec holds, in which it is sealed; None keeps specs as they are.
        comparisons: looks the baselines of gates up; None for nobody.
    """

    def __init__(
        self,
        store: AcceptanceStore,
        clock: Clock,
        integration: Integration | None = None,
        *,
        seal: Replace | None = None,
        comparisons: Comparisons | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._integration = integration or NoIntegration()
        self._seal = seal
        self._comparisons = comparisons

    async def accept(
        self,
        spec: ExperimentSpec,
        *,
        request_id: str = "",
        path: str = "experiment",
        later: bool = False,
        pinned: Mapping[str, EvaluatorSpec] | None = None,
    ) -> Experiment:
        """Returns a new experiment, its defaults filled in and its registered evaluators pinned.

        Args:
            spec: what to run.
            request_id: the caller's id for the request.
            path: where the spec stands in the request, for violations.
            later: whether what an outside system has to say is asked for only before the experiment runs.
            pinned: registered evaluators by exact reference that an earlier experiment has, whatever became of them since.

        Raises:
            InvalidRequestError: the spec refers to what does not exist, or uses it wrongly.
            NotFoundError: there is no such upload, dataset or Langfuse project.
            PreconditionError: it needs Langfuse, and the server has none.
        """
        checked = await self._check_all(
            spec.evaluators, spec.composite_evaluator, spec.run_evaluators, path, pinned or {}
        )
        spec = spec.model_copy(
            update={
                _EVALUATORS: tuple(checked.evaluators),
                _COMPOSITE: checked.composite,
                _RUN_EVALUATORS: tuple(checked.run_evaluators),
            }
        )
        comparisons = None if later else self._comparisons  # a baseline may be in Langfuse
        gates = await gate_violations(spec, checked.registered, comparisons, path=path)
        if checked.violations or gates:
            raise InvalidRequestError([*checked.violations, *gates])
        experiment_id = f"exp_{secrets.token_hex(10)}"
        count = await self._item_count(spec)
        now = self._clock.now()
        run_name = spec.run_name or f"{spec.name} - {now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        spec = spec.model_copy(update={"run_name": run_name})
        spec = self.sealed(spec)
        if later:
            spec, langfuse = self._integration.choose(spec, path=path)
        else:
            spec, langfuse = await self._integration.accept(spec, path=path)
        return Experiment(
            id=experiment_id,
            spec=spec,
            items=spec.upload or experiment_id,
            progress=Progress(total=_total(spec, count)),
            registered=checked.registered,
            request_id=request_id,
            create_time=now,
            langfuse=langfuse,
            unsettled=later,
        )

    def sealed(self, spec: Model) -> Model:
        """Returns a spec as it is to be stored, with the credentials in it sealed."""
        return spec if self._seal is None else sealed_spec(spec, self._seal)

    async def find_violations(
        self,
        evaluators: Sequence[EvaluatorSpec | None],
        composite: EvaluatorSpec | None,
        run_evaluators: Sequence[EvaluatorSpec | None],
        *,
        path: str = "experiment",
    ) -> list[Violation]:
        """Returns what is wrong with the well-formed evaluators of a spec that is not; the others are None."""
        return (await self._check_all(evaluators, composite, run_evaluators, path, {})).violations

    async def check_evaluator(self, spec: EvaluatorSpec, *, path: str) -> None:
        """Checks an evaluator that is to be registered.

        Raises:
            InvalidRequestError: it cannot be used, neither for items nor for runs.
        """
        if spec.registered is not None:
            raise InvalidRequestError(
                [Violation(f"{path}.registered", "cannot itself be registered; send what it does")]
            )
        item_level = await self.usage_violations(spec, Level.ITEM)
        run_level = find_violations(spec, Level.RUN)
        if item_level and run_level:
            found = min(item_level, run_level, key=len)
            raise InvalidRequestError([Violation(f"{path}.{one.path}", one.description) for one in found])

    async def usage_violations(self, spec: EvaluatorSpec, level: Level) -> list[Violation]:
        """Returns all that is wrong with the use of an evaluator that is not registered; paths begin at the evaluator."""
        found = find_violations(spec, level)
        baseline = spec.judge.pairwise.baseline_experiment_id if spec.judge and spec.judge.pairwise else ""
        if baseline and not await self._store.get_experiment(baseline):
            problem = f"names the experiment {baseline!r}, which there is not; see ListExperiments"
            found.append(Violation("judge.pairwise.baseline_experiment_id", problem))
        return found

    async def _check_all(
        self,
        evaluators: Sequence[EvaluatorSpec | None],
        composite: EvaluatorSpec | None,
        run_evaluators: Sequence[EvaluatorSpec | None],
        path: str,
        pinned: Mapping[str, EvaluatorSpec],
    ) -> _Findings:
        findings = _Findings(pinned=pinned)
        place = f"{path}.{_EVALUATORS}"
        findings.evaluators = await self._check_list(evaluators, place, Level.ITEM, findings)
        if composite:
            place = f"{path}.{_COMPOSITE}"
            findings.composite = await self._check(composite, place, Level.ITEM, findings)
            if not evaluators:
                problem = "needs evaluators whose evaluations it can see; add one"
                findings.violations.append(Violation(place, problem))
        place = f"{path}.{_RUN_EVALUATORS}"
        findings.run_evaluators = await self._check_list(run_evaluators, place, Level.RUN, findings)
        return findings

    async def _check_list(
        self, specs: Sequence[EvaluatorSpec | None], path: str, level: Level, findings: _Findings
    ) -> list[EvaluatorSpec]:
        checked: list[EvaluatorSpec] = []
        places: dict[str, str] = {}
        for number, spec in enumerate(specs):
            if spec is None:
                continue
            place, name = f"{path}[{number}]", spec.evaluation_name
            if name in places:
                problem = f"{name!r} is the name of {places[name]} too; give each a name of its own"
                findings.violations.append(Violation(f"{place}.name", problem))
            places.setdefault(name, place)
            checked.append(await self._check(spec, place, level, findings))
        return checked

    async def _check(
        self, spec: EvaluatorSpec, place: str, level: Level, findings: _Findings
    ) -> EvaluatorSpec:
        """Checks one evaluator and returns it with its reference made exact."""
        if spec.registered is not None:
            return await self._pin(spec, spec.registered, place, level, findings)
        found = await self.usage_violations(spec, level)
        findings.violations.extend(Violation(f"{place}.{one.path}", one.description) for one in found)
        return spec

    async def _pin(
        self, spec: EvaluatorSpec, reference: str, place: str, level: Level, findings: _Findings
    ) -> EvaluatorSpec:
        if (pinned := findings.pinned.get(reference)) is not None:
            findings.registered[reference] = pinned
            return spec
        name, version = split_reference(reference)
        found = await self._store.get_evaluator(name, version)
        if found is None:
            findings.violations.append(
                Violation(
                    f"{place}.registered", f"no evaluator is registered as {reference!r}; see ListEvaluators"
                )
            )
            return spec
        for problem in await self.usage_violations(found.spec, level):
            findings.violations.append(
                Violation(f"{place}.registered", f"{found.reference} {problem.description}")
            )
        findings.registered[found.reference] = found.spec
        return spec.model_copy(update={"registered": found.reference})

    async def _item_count(self, spec: ExperimentSpec) -> int | None:
        if spec.items is not None:
            return spec.items.count
        if spec.upload is None:
            return None
        collection = await self._store.get_collection(spec.upload)
        if collection is None or not collection.complete:
            raise NotFoundError(
                Reason.UPLOAD_NOT_FOUND,
                f"no completed upload has the id {spec.upload!r}; UploadItems returns it",
                upload_id=spec.upload,
            )
        return collection.count


def _total(spec: ExperimentSpec, count: int | None) -> int | None:
    if count is None:
        return None
    return min(count, spec.dry_run_items or count) * spec.repetitions
