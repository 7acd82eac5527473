"""Results as Markdown, for a comment on a pull request or a summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from evalrpc._model.comparison import Comparison, EvaluationComparison, Flip, Verdict
from evalrpc._model.experiment import EvaluationSummary, Experiment, ExperimentState
from evalrpc._model.report import shown, verdict
from evalrpc._model.result import ExperimentResult
from evalrpc.cli.thresholds import Threshold

_SIGNS = {
    Verdict.PASS: "✅ PASS",
    Verdict.IMPROVED: "✅ IMPROVED",
    Verdict.REGRESSED: "❌ REGRESSED",
    Verdict.INCONCLUSIVE: "❔ INCONCLUSIVE",
}
_MOST_FAILURES = 20


def write_markdown(path: Path, lines: Iterable[str]) -> None:
    """Writes lines to a file.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text("\n".join(lines) + "\n", "utf-8")


def result_lines(
    result: ExperimentResult, reasons: Mapping[Threshold, str], *, passed: bool
) -> Iterator[str]:
    """Yields a result: whether it passes, gates, evaluations with their intervals, what failed."""
    experiment = result.experiment
    yield f"## {'✅' if passed else '❌'} {_text(experiment.name)}"
    yield ""
    yield _headline(experiment)
    if experiment.gates or reasons:
        yield from _table(("", "Gate", "Result"), _gates(experiment, reasons))
    if experiment.summaries:
        header = ("Evaluation", "Mean", "95 % interval", "n", "Unscored", "Errors")
        yield from _table(header, (_summary(each) for each in experiment.summaries))
    if experiment.run_evaluations:
        rows = ((each.name, verdict(each)) for each in experiment.run_evaluations)
        yield from _table(("Run evaluation", "Value"), rows)
    failed = result.failed_items
    if failed:
        yield from _details(
            f"{len(failed)} failed",
            ("Item", "Error"),
            ((each.item.id, str(each.error)) for each in failed[:_MOST_FAILURES]),
        )


def _headline(experiment: Experiment) -> str:
    progress = experiment.progress
    parts = [f"{progress.completed} results, {progress.failed} failed"]
    if experiment.state is not ExperimentState.SUCCEEDED:
        parts.append(
            f"**{experiment.state}**" + (f": {_text(str(experiment.error))}" if experiment.error else "")
        )
    if experiment.langfuse and experiment.langfuse.url:
        parts.append(f"[Langfuse]({experiment.langfuse.url})")
    return f"`{experiment.id}` {_text(experiment.run_name)}: {', '.join(parts)}"


def _gates(experiment: Experiment, reasons: Mapping[Threshold, str]) -> Iterator[Sequence[str]]:
    for gate in experiment.gates:
        yield ("✅" if gate.passed else "❌"), gate.name, gate.message
    for threshold, reason in reasons.items():
        yield "❌", f"not {threshold}", reason


def _summary(summary: EvaluationSummary) -> Sequence[str]:
    labels = ", ".join(f"{label} {count}" for label, count in summary.labels.items())
    return (
        summary.name,
        labels if summary.mean is None else f"{summary.mean:.4g}",
        "" if summary.interval is None else f"{summary.interval[0]:.4g} to {summary.interval[1]:.4g}",
        str(summary.n),
        str(summary.unscored or ""),
        str(summary.errors or ""),
    )


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yields a comparison: the verdict on each evaluation, and what changed most."""
    sign = "❌" if comparison.regressed else "✅"
    yield f"## {sign} {_text(comparison.candidate)} against {_text(comparison.baseline)}"
    yield ""
    only = len(comparison.only_in_baseline), len(comparison.only_in_candidate)
    yield f"{comparison.matched_items} items in both runs, {only[0]} in the baseline only, {only[1]} in the candidate only"
    columns = ("Evaluation", "Verdict", "Baseline", "Candidate", "Difference", "p", "Gained", "Lost", "n")
    yield from _table(columns, (_compared(each) for each in comparison.evaluations))
    for each in comparison.evaluations:
        if each.flips:
            header = ("Item", "Before", "After", "Output before", "Output after")
            yield from _details(f"{each.name}: what changed most", header, map(_flip, each.flips))


def _compared(comparison: EvaluationComparison) -> Sequence[str]:
    interval = comparison.interval
    difference = f"{comparison.difference:+.4g}"
    if interval is not None:
        difference += f" ({interval[0]:+.4g} to {interval[1]:+.4g})"
    sign = _SIGNS.get(comparison.verdict, str(comparison.verdict))
    if comparison.verdict is Verdict.INCONCLUSIVE and comparison.minimum_detectable_difference:
        sign += f", shows {comparison.minimum_detectable_difference:.3g}"
    return (
        comparison.name,
        sign,
        f"{comparison.baseline_mean:.4g}",
        f"{comparison.candidate_mean:.4g}",
        difference,
        "" if comparison.adjusted_p_value is None else f"{comparison.adjusted_p_value:.3g}",
        str(comparison.gained),
        str(comparison.lost),
        str(comparison.n),
    )


def _flip(flip: Flip) -> Sequence[str]:
    return (
        flip.item.id,
        f"{flip.baseline_value:.4g}",
        f"{flip.candidate_value:.4g}",
        shown(flip.baseline_output),
        shown(flip.candidate_output),
    )


def _details(summary: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{_text(summary)}</summary>"
    yield from _table(header, rows)
    yield ""
    yield "</details>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(_text, row))} |"


def _text(text: str) -> str:
    """Returns text that shows as it stands, on one line and in one cell."""
    for special in "\\`*_[]<>|~":
        text = text.replace(special, f"&#{ord(special)};")
    return " ".join(text.split())
