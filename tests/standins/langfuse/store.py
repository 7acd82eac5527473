"""Everything a stand-in holds, project by project."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.standins.langfuse.clock import Clock, Visibility
from tests.standins.langfuse.datasets import DatasetTable
from tests.standins.langfuse.run_items import RunTable
from tests.standins.langfuse.scores import ScoreTable
from tests.standins.langfuse.settings import ProjectKeys, Settings
from tests.standins.langfuse.spans import SpanTable


@dataclass(slots=True)
class Tally:
    """The counts of count-only mode: records received, and how many of them were different."""

    spans: int = 0
    scores: int = 0
    run_items: int = 0
    span_keys: set[bytes] = field(default_factory=set)
    score_ids: set[str] = field(default_factory=set)


class ProjectData:
    """The records of one project."""

    def __init__(self, keys: ProjectKeys, settings: Settings, clock: Clock) -> None:
        self.keys = keys
        self.visibility = Visibility(clock)
        self.datasets = DatasetTable(clock, keys.id)
        self.runs = RunTable(clock, self.visibility, settings.event_delay)
        self.scores = ScoreTable(clock, self.visibility, keys.id, settings.event_delay)
        self.spans = SpanTable(self.visibility, experiments=settings.mode != "legacy")
        self.tally = Tally()

    def show(self) -> dict[str, object]:
        """The project as ``GET /projects`` returns it."""
        return {
            "id": self.keys.id,
            "name": self.keys.name,
            "organization": {"id": "organization", "name": "Stand-in"},
            "metadata": {},
        }

    def counts(self, *, count_only: bool) -> dict[str, int]:
        """How many records came in, and how many of them were different ones."""
        if count_only:
            tally = self.tally
            return {
                "spans_received": tally.spans,
                "spans": len(tally.span_keys),
                "scores_received": tally.scores,
                "scores": len(tally.score_ids),
                "run_items": tally.run_items,
            }
        return {
            "spans_received": self.spans.received,
            "spans": self.spans.received - self.spans.duplicates,
            "traces": len(self.spans.trace_ids()),
            "experiments": len(self.spans.experiment_ids()),
            "scores_received": self.scores.writes,
            "scores": len(self.scores.all()),
            "scores_dropped": len(self.scores.dropped),
            "runs": len(self.runs.all()),
            "run_items": sum(len(run.items) for run in self.runs.all()),
        }
