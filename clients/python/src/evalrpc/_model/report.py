"""A result as text for a terminal.

The layout is that of `ExperimentResult.format()` in the Langfuse Python SDK, so that whoever knows the one can read the
other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean

from evalrpc._model.evaluation import Evaluation
from evalrpc._model.experiment import Experiment, ExperimentState
from evalrpc._model.item_result import ItemResult

_RULE = "─" * 50
_MAX_TEXT = 50


def report(experiment: Experiment, results: Sequence[ItemResult], *, include_item_results: bool) -> str:
    """Returns the report, without a line break at its end."""
    lines: list[str] = []
    trials = max((result.trial for result in results), default=1)
    if include_item_results:
        for number, result in enumerate(results, start=1):
            lines += _item(number, result, trials=trials)
    else:
        lines.append(f"Individual Results: Hidden ({len(results)} items)")
        lines.append("💡 Set include_item_results=True to view them")
    lines += ["", _RULE]
    lines += _head(experiment, results, trials=trials)
    names = evaluation_names(experiment, results)
    if names:
        lines += ["", "Evaluations:", *(f"  • {name}" for name in names)]
        lines += ["", "Average Scores:", *(f"  • {name}: {_average(name, results)}" for name in names)]
    lines += _failures(results)
    lines += _run_evaluations(experiment.run_evaluations)
    lines += _gates(experiment)
    if experiment.langfuse and experiment.langfuse.url:
        lines += ["", "🔗 Experiment:", f"   {experiment.langfuse.url}"]
    return "\n".join(lines)


def evaluation_names(experiment: Experiment, results: Sequence[ItemResult]) -> list[str]:
    """Returns the names of the item evaluations: in the order of the spec's evaluators, then of the items.

    An evaluator may name its evaluations itself; they stand behind the one before them in their item.
    """
    places = {name: place for place, name in reversed(list(enumerate(experiment.evaluators)))}
    found: dict[str, int] = {}
    for result in results:
        place = 0
        for evaluation in result.evaluations:
            place = places.get(evaluation.name, place)
            found.setdefault(evaluation.name, place)
    return sorted(found, key=found.__getitem__)


def _item(number: int, result: ItemResult, *, trials: int) -> Iterator[str]:
    trial = f", trial {result.trial}" if trials > 1 else ""
    yield ""
    yield f"{number}. Item {result.item.index + 1}{trial}:"
    yield f"   Input:    {shown(result.item.input)}"
    if result.item.expected_output_json is not None:
        yield f"   Expected: {shown(result.item.expected_output)}"
    if result.error is None:
        yield f"   Actual:   {shown(result.output)}"
    else:
        yield f"   Error:    {_line(str(result.error))}"
    if result.evaluations:
        yield ""
        yield "   Scores:"
        for evaluation in result.evaluations:
            yield f"     • {evaluation.name}: {verdict(evaluation)}"
            if evaluation.comment:
                yield f"       💭 {_line(evaluation.comment)}"
    if result.trace_url or result.trace_id:
        yield ""
        yield f"   Trace: {result.trace_url}" if result.trace_url else f"   Trace ID: {result.trace_id}"


def _head(experiment: Experiment, results: Sequence[ItemResult], *, trials: int) -> Iterator[str]:
    yield f"🧪 Experiment: {experiment.name}"
    description = f" - {experiment.description}" if experiment.description else ""
    yield f"📋 Run name: {experiment.run_name}{description}"
    items = len({result.item.index for result in results})
    failed = sum(result.error is not None for result in results)
    all_trials = f", {len(results)} trials" if trials > 1 else ""
    yield f"{items} {'item' if items == 1 else 'items'}{all_trials}, {failed} failed"
    if experiment.state is not ExperimentState.SUCCEEDED:
        reason = f" - {_line(str(experiment.error))}" if experiment.error else ""
        yield f"State: {experiment.state}{reason}"


def _average(name: str, results: Sequence[ItemResult]) -> str:
    evaluations = [each for result in results for each in result.evaluations if each.name == name]
    values = [each.value for each in evaluations if each.value is not None]
    numbers = [value for value in values if not isinstance(value, str)]
    parts: list[str] = []
    if numbers and all(isinstance(value, bool) for value in numbers):
        parts.append(f"{fmean(numbers):.1%} ({sum(numbers):.0f} of {len(numbers)} true)")
    elif numbers:
        parts.append(f"{fmean(numbers):.3f}")
    labels = Counter(value for value in values if isinstance(value, str))
    parts += [f"{label} {count}" for label, count in sorted(labels.items(), key=lambda kv: (-kv[1], kv[0]))]
    unscored = sum(each.unscored is not None for each in evaluations)
    errors = sum(each.error is not None for each in evaluations)
    parts += [f"{unscored} unscored"] * bool(unscored)
    parts += [f"{errors} {'error' if errors == 1 else 'errors'}"] * bool(errors)
    return ", ".join(parts)


def _failures(results: Sequence[ItemResult]) -> list[str]:
    errors = [result.error for result in results if result.error is not None]
    if not errors:
        return []
    counts = Counter(error.reason for error in errors)
    messages = {error.reason: error.message for error in reversed(errors)}
    ordered = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    return ["", "Failures:", *(f"  • {r}: {n} ({_line(messages[r])})" for r, n in ordered)]


def _run_evaluations(evaluations: Sequence[Evaluation]) -> list[str]:
    lines = ["", "Run Evaluations:"] if evaluations else []
    for evaluation in evaluations:
        lines.append(f"  • {evaluation.name}: {verdict(evaluation)}")
        if evaluation.comment:
            lines.append(f"    💭 {_line(evaluation.comment)}")
    return lines


def _gates(experiment: Experiment) -> list[str]:
    lines = ["", "Gates:"] if experiment.gates else []
    for gate in experiment.gates:
        message = f" ({_line(gate.message)})" if gate.message else ""
        lines.append(f"  • {gate.name}: {'passed' if gate.passed else 'failed'}{message}")
    return lines


def verdict(evaluation: Evaluation) -> str:
    """Returns an evaluation's verdict as text."""
    if evaluation.error is not None:
        return f"error {_line(str(evaluation.error))}"
    if evaluation.unscored is not None:
        return f"unscored ({_line(evaluation.unscored)})" if evaluation.unscored else "unscored"
    if isinstance(evaluation.value, float) and not isinstance(evaluation.value, bool):
        return f"{evaluation.value:.3f}"
    return str(evaluation.value)


def shown(value: object) -> str:
    """Returns a document on one line, cut after 50 characters."""
    text = _line(value if isinstance(value, str) else str(value))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def _line(text: str) -> str:
    """Keeps a text on its line."""
    return " ".join(text.split("\n")).strip() if "\n" in text else text
