"""Dataset runs and their items: the link of the older generation, and the id it has in the newer one."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

from tests.standins.langfuse.answers import Json, encode_json, not_found
from tests.standins.langfuse.clock import Clock, Visibility, iso
from tests.standins.langfuse.datasets import Dataset, ItemVersion
from tests.standins.langfuse.models import RunItemBody


def stable_run_id(project_id: str, dataset_id: str, run_name: str) -> str:
    """The experiment id of a dataset run: half of a SHA-256 over project, dataset and run name."""
    text = encode_json(["langfuse-experiment-v1", project_id, dataset_id, run_name])
    return hashlib.sha256(text).hexdigest()[:16]


@dataclass(slots=True)
class RunItem:
    """A link between a dataset item and a trace, inside a run."""

    id: str
    run: Run
    item_id: str
    trace_id: str
    observation_id: str | None
    created: int
    stamp: tuple[int, int]

    def show(self) -> dict[str, Json]:
        """The run item as the API returns it."""
        return {
            "id": self.id,
            "datasetRunId": self.run.id,
            "datasetRunName": self.run.name,
            "datasetItemId": self.item_id,
            "traceId": self.trace_id,
            "observationId": self.observation_id,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
        }


@dataclass(slots=True)
class Run:
    """A dataset run; description and metadata are those of the first call that named it."""

    id: str
    name: str
    dataset: Dataset
    description: str | None
    metadata: Json
    created: int
    items: list[RunItem] = field(default_factory=list)

    def show(self) -> dict[str, Json]:
        """The run as the API returns it, without its items."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "metadata": self.metadata,
            "datasetId": self.dataset.id,
            "datasetName": self.dataset.name,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
        }


class RunTable:
    """The dataset runs of one project."""

    def __init__(self, clock: Clock, visibility: Visibility, delay: float) -> None:
        self._clock = clock
        self._visibility = visibility
        self._delay = delay
        self._runs: dict[tuple[str, str], Run] = {}

    def link(self, body: RunItemBody, state: ItemVersion, trace_id: str) -> RunItem:
        """Store a link, creating its run if need be; the same link twice is stored twice."""
        dataset = state.item.dataset
        now = self._clock.now_ms()
        key = (dataset.id, body.runName)
        run = self._runs.get(key)
        if run is None:
            run = Run(str(uuid.uuid4()), body.runName, dataset, body.runDescription, body.metadata or {}, now)
            self._runs[key] = run
        stamp = self._visibility.stamp(self._delay)
        created = body.createdAt or now
        item = RunItem(str(uuid.uuid4()), run, state.item.id, trace_id, body.observationId, created, stamp)
        run.items.append(item)
        return item

    def of_dataset(self, dataset: Dataset) -> list[Run]:
        """A dataset's runs, newest first."""
        runs = [run for run in self._runs.values() if run.dataset is dataset]
        return sorted(runs, key=lambda run: run.created, reverse=True)

    def get(self, dataset: Dataset, name: str) -> Run:
        """A run by name."""
        run = self._runs.get((dataset.id, name))
        if run is None:
            raise not_found("Dataset run not found")
        return run

    def delete(self, run: Run) -> None:
        """Delete a run and its links."""
        del self._runs[run.dataset.id, run.name]

    def readable(self, run: Run) -> list[RunItem]:
        """The run's links that can be read by now, newest first."""
        return [item for item in reversed(run.items) if self._visibility.sees(item.stamp)]

    def all(self) -> list[Run]:
        """Every run of the project."""
        return list(self._runs.values())
