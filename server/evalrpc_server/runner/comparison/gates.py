"""What becomes of an experiment's gates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from evalrpc_server.domain.errors import RequestError, Violation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.gates import GateResult, judge_baseline, judge_threshold, missed
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.verdicts import BaselineGate, Gate
from evalrpc_server.domain.statistics.comparison import EvaluationComparison, Rules
from evalrpc_server.domain.statistics.summaries import EvaluationSummary
from evalrpc_server.runner.comparison.comparisons import Comparisons

BASELINE_SECONDS = 600.0
"""How long a comparison with a baseline may take, others before it included, before its gates fail."""

_ONE_NAME = frozenset({"builtin", "expression"})


async def judge_gates(
    experiment: Experiment, summaries: Mapping[str, EvaluationSummary], comparisons: Comparisons
) -> tuple[GateResult, ...]:
    """Returns the result of each gate, in their order; a baseline that cannot be read fails its gates.

    Args:
        experiment: whose results are all stored.
        summaries: of its item evaluations.
        comparisons: compares it with baselines.
    """
    compared = await _compared(experiment, comparisons)
    results: list[GateResult] = []
    for number, gate in enumerate(experiment.spec.gates):
        if gate.baseline is not None:
            found = compared[number]
            if isinstance(found, str):
                results.append(missed(gate, found))
            else:
                results.append(judge_baseline(gate, gate.baseline, found))
        else:
            assert gate.threshold is not None, "a gate has one of the rules"
            completed = experiment.progress.completed
            results.append(
                judge_threshold(gate, gate.threshold, summaries, experiment.run_evaluations, completed)
            )
    return tuple(results)


def unjudged(spec: ExperimentSpec, why: str) -> tuple[GateResult, ...]:
    """Returns the results of gates that are not looked at, and therefore fail."""
    return tuple(missed(gate, why) for gate in spec.gates)


async def _compared(
    experiment: Experiment, comparisons: Comparisons
) -> dict[int, EvaluationComparison | str | None]:
    """Compares with each baseline once; returns by a gate's place what was found, or why nothing was.

    Evaluations that are compared with one baseline by the same rules are corrected together for their number.
    """
    groups: dict[tuple[str, float], list[tuple[int, Gate, BaselineGate]]] = {}
    for number, gate in enumerate(experiment.spec.gates):
        if (rule := gate.baseline) is not None:
            key = rule.experiment.model_dump_json(), rule.confidence
            groups.setdefault(key, []).append((number, gate, rule))
    found: dict[int, EvaluationComparison | str | None] = {}
    for group in groups.values():
        found |= await _compared_once(experiment, group, comparisons)
    return found


async def _compared_once(
    experiment: Experiment, group: Sequence[tuple[int, Gate, BaselineGate]], comparisons: Comparisons
) -> dict[int, EvaluationComparison | str | None]:
    first, _, rule = group[0]
    rules = Rules(
        margins={gate.evaluation: each.margin for _, gate, each in group},
        confidence=rule.confidence,
        max_flips=0,
        evaluations=frozenset(gate.evaluation for _, gate, _ in group),
        lower_is_better=frozenset(gate.evaluation for _, gate, each in group if each.lower_is_better),
    )
    path = f"gates[{first}].baseline.experiment"
    try:
        async with asyncio.timeout(BASELINE_SECONDS):
            comparison = await comparisons.compare_with(rule.experiment, experiment, rules, path=path)
    except RequestError as error:
        return {number: f"the baseline cannot be read: {error.message}" for number, _, _ in group}
    except TimeoutError:
        why = f"the baseline could not be read within {BASELINE_SECONDS:g} s"
        return {number: why for number, _, _ in group}
    by_name = {each.name: each for each in comparison.evaluations}
    return {number: by_name.get(gate.evaluation) for number, gate, _ in group}


async def gate_violations(
    spec: ExperimentSpec,
    registered: Mapping[str, EvaluatorSpec],
    comparisons: Comparisons | None,
    *,
    path: str,
) -> list[Violation]:
    """Returns what is wrong with the gates and reducers of a well-formed spec.

    Args:
        spec: whose gates.
        registered: the registered evaluators that it refers to, by exact reference.
        comparisons: looks baselines up; None where nobody does.
        path: where the spec stands in the request.
    """
    violations = [
        Violation(f"{path}.trial_reducers[{number}].k", f"must be at most repetitions, {spec.repetitions}")
        for number, each in enumerate(spec.trial_reducers)
        if each.k > spec.repetitions
    ]
    of_items, of_runs = _known_names(spec, registered)
    for number, gate in enumerate(spec.gates):
        place = f"{path}.gates[{number}]"
        if problem := _name_problem(gate, of_items, of_runs):
            violations.append(Violation(f"{place}.evaluation", problem))
        if gate.baseline is not None and comparisons is not None:
            where = f"{place}.baseline.experiment"
            try:
                await comparisons.check(gate.baseline.experiment, path=where)
            except RequestError as error:
                field = "id" if gate.baseline.experiment.id else "langfuse_run"
                violations.append(Violation(f"{where}.{field}", f"cannot be a baseline: {error.message}"))
    return violations


def _known_names(
    spec: ExperimentSpec, registered: Mapping[str, EvaluatorSpec]
) -> tuple[set[str] | None, set[str] | None]:
    """Returns the names of item and run evaluations; None where an evaluator names its evaluations itself."""
    composite = [spec.composite_evaluator] if spec.composite_evaluator else []
    return (
        _names([*spec.evaluators, *composite], registered),
        _names(spec.run_evaluators, registered),
    )


def _names(evaluators: Sequence[EvaluatorSpec], registered: Mapping[str, EvaluatorSpec]) -> set[str] | None:
    names: set[str] = set()
    for each in evaluators:
        resolved = registered.get(each.registered, each) if each.registered else each
        if resolved.kind not in _ONE_NAME:
            return None
        names.add(each.evaluation_name)
    return names


def _name_problem(gate: Gate, of_items: set[str] | None, of_runs: set[str] | None) -> str:
    if gate.baseline is not None:
        if of_items is None or gate.evaluation in of_items:
            return ""
        return f"is no item evaluation, which a baseline needs; those there are: {_listed(of_items)}"
    if of_items is None or of_runs is None or gate.evaluation in of_items | of_runs:
        return ""
    return f"no evaluator gives {gate.evaluation!r}; those there are: {_listed(of_items | of_runs)}"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)[:10]) or "none"
