"""Comparisons of runs, and plans for experiments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from evalrpc._documents import decode
from evalrpc._model.item_result import Item
from evalrpc._model.plain import to_plain


class Verdict(StrEnum):
    """How a candidate stands to its baseline."""

    UNSPECIFIED = "UNSPECIFIED"
    PASS = "PASS"  # noqa: S105  a verdict, not a password
    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class LangfuseRun:
    """A run that Langfuse has, to be compared.

    Attributes:
        dataset: the dataset's name.
        run_name: the run's name.
        project: the project, by its name on the server; None for the only one there.
    """

    dataset: str
    run_name: str
    project: str | None = None


@dataclass(frozen=True)
class Flip:
    """An item whose value changed. Documents are kept as JSON text and parsed on first use.

    Attributes:
        item: the item, as the candidate has it.
        baseline_value: the value before; `candidate_value` after.
        baseline_output_json: the output before; None if there is none. `candidate_output_json` likewise after.
    """

    item: Item
    baseline_value: float
    candidate_value: float
    baseline_output_json: str | None = None
    candidate_output_json: str | None = None

    @cached_property
    def baseline_output(self) -> Any:
        """The baseline's output, of its first trial."""
        return decode(self.baseline_output_json)

    @cached_property
    def candidate_output(self) -> Any:
        """The candidate's output, of its first trial."""
        return decode(self.candidate_output_json)


@dataclass(frozen=True, slots=True)
class EvaluationComparison:
    """One evaluation in both runs, over the items that have a value in both; trials are reduced first.

    Attributes:
        name: of the evaluation.
        verdict: against the margin.
        n: the items that have a value in both runs.
        baseline_mean: the baseline's mean over them; `candidate_mean` likewise.
        difference: the mean of the differences, candidate less baseline.
        standard_error: the difference's; None below two items.
        interval: the difference's, low and high.
        p_value: the probability of such a difference by chance.
        adjusted_p_value: corrected for the number of evaluations.
        test: behind the p value: PAIRED_T, MCNEMAR_EXACT or SIGN_FLIP.
        correlation: of both runs' values; None where one does not vary.
        minimum_detectable_difference: what so many items show with a power of 0.8.
        margin: by how much the candidate may be worse.
        gained: items whose value became better; `lost`: worse.
        baseline_only: matched items with a value in the baseline alone; `candidate_only` in the candidate alone.
        flips: the items whose value changed most, losses first.
    """

    name: str
    verdict: Verdict
    n: int
    baseline_mean: float
    candidate_mean: float
    difference: float
    standard_error: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None
    test: str | None = None
    correlation: float | None = None
    minimum_detectable_difference: float | None = None
    margin: float = 0.0
    gained: int = 0
    lost: int = 0
    baseline_only: int = 0
    candidate_only: int = 0
    flips: tuple[Flip, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside its baseline, item by item.

    Attributes:
        baseline: the baseline's id or run name.
        candidate: the candidate's.
        evaluations: of which both runs have numbers or booleans, by name.
        matched_items: items that both runs have.
        only_in_baseline: ids that only the baseline has, the first thousand; `only_in_candidate` likewise.
    """

    baseline: str
    candidate: str
    evaluations: tuple[EvaluationComparison, ...] = ()
    matched_items: int = 0
    only_in_baseline: tuple[str, ...] = ()
    only_in_candidate: tuple[str, ...] = ()

    @property
    def regressed(self) -> bool:
        """Whether any evaluation is worse than the baseline's, with confidence."""
        return any(each.verdict is Verdict.REGRESSED for each in self.evaluations)

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as what `json.dumps` takes, without what is None or empty."""
        return to_plain(self)


@dataclass(frozen=True, slots=True)
class Variances:
    """What scatters: the items' difference without the scatter of trials, and an item's trials in either run."""

    between_items: float = 0.0
    baseline_within_item: float = 0.0
    candidate_within_item: float = 0.0


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """So many items with so many trials each, and the task calls that one run of them takes."""

    trials: int
    items: int
    task_calls: int


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans, one for each number of trials, and the variances that they are for."""

    plans: tuple[ExperimentPlan, ...]
    variances: Variances

    def to_dict(self) -> dict[str, Any]:
        """Returns the plans as what `json.dumps` takes."""
        return to_plain(self)
