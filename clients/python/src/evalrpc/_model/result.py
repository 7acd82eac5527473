"""A run's results together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalrpc._model.evaluation import Error, Evaluation
from evalrpc._model.experiment import Experiment, ExperimentState
from evalrpc._model.item_result import ItemResult
from evalrpc._model.plain import to_plain
from evalrpc._model.report import report


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """What became of a run.

    Attributes:
        experiment: the experiment at its end.
        item_results: one for each item and trial, failed ones included, by item in the order of the data, then by trial.
    """

    experiment: Experiment
    item_results: tuple[ItemResult, ...]

    @classmethod
    def of(cls, experiment: Experiment, results: Sequence[ItemResult]) -> ExperimentResult:
        """Puts results into the order of the data."""
        ordered = sorted(results, key=lambda result: (result.item.index, result.trial))
        return cls(experiment, tuple(ordered))

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.experiment.name

    @property
    def run_name(self) -> str:
        """This run's name."""
        return self.experiment.run_name

    @property
    def description(self) -> str | None:
        """What the run is about."""
        return self.experiment.description

    @property
    def run_evaluations(self) -> tuple[Evaluation, ...]:
        """What the run evaluators said, failures included."""
        return self.experiment.run_evaluations

    @property
    def experiment_id(self) -> str:
        """The experiment's id on the server."""
        return self.experiment.id

    @property
    def experiment_url(self) -> str | None:
        """The run's page in Langfuse; None if it is not recorded there."""
        return self.experiment.langfuse.url if self.experiment.langfuse else None

    @property
    def state(self) -> ExperimentState:
        """How the run ended."""
        return self.experiment.state

    @property
    def error(self) -> Error | None:
        """Why the run could not go on; only in state FAILED."""
        return self.experiment.error

    @property
    def failed_items(self) -> tuple[ItemResult, ...]:
        """The results whose task failed."""
        return tuple(result for result in self.item_results if result.error is not None)

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as what `json.dumps` takes: {"experiment": ..., "item_results": [...]}."""
        return to_plain(self)

    def format(self, *, include_item_results: bool = False) -> str:
        """Returns the result as text for a terminal, in the layout of the Langfuse SDK's `format()`.

        Besides what that shows: failures are counted and named, booleans are shown as such, evaluations come in the order
        of the spec, and unscored and failed evaluations are told from values.

        Args:
            include_item_results: whether to show each item.
        """
        return report(self.experiment, self.item_results, include_item_results=include_item_results)
