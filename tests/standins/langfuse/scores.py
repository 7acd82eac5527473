"""Scores: how they merge, which the worker drops after a good answer, and how lists pick them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tests.standins.langfuse.answers import Json, conflict, not_found
from tests.standins.langfuse.clock import SECOND, Clock, Visibility, iso
from tests.standins.langfuse.models import ScoreBody, ScoreConfigBody, value_problem
from tests.standins.langfuse.observation import environment_of

DAY = 86_400 * SECOND


@dataclass(slots=True)
class ScoreConfig:
    """A score config, which restricts the scores that name it."""

    id: str
    project_id: str
    body: ScoreConfigBody
    created: int
    archived: bool = False

    def show(self) -> dict[str, Json]:
        """The config as the API returns it."""
        body = self.body
        return {
            "id": self.id,
            "name": body.name,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
            "projectId": self.project_id,
            "dataType": body.dataType,
            "isArchived": self.archived,
            "minValue": body.minValue,
            "maxValue": body.maxValue,
            "categories": [entry.model_dump() for entry in body.categories] if body.categories else None,
            "description": body.description,
        }

    def problem(self, body: ScoreBody) -> str | None:
        """Why a score does not fit this config, or None."""
        if self.archived:
            return "config is archived"
        if body.name != self.body.name:
            return "name differs from the config's"
        if body.dataType is not None and body.dataType != self.body.dataType:
            return "data type differs from the config's"
        if problem := value_problem(body.value, self.body.dataType):
            return problem
        if isinstance(body.value, str):
            labels = [entry.label for entry in self.body.categories or ()]
            return None if not labels or body.value in labels else "no such category"
        low, high = self.body.minValue, self.body.maxValue
        if (low is not None and body.value < low) or (high is not None and body.value > high):
            return "value out of range"
        return None


@dataclass(slots=True)
class Score:
    """A stored score."""

    id: str
    project_id: str
    name: str
    value: float | str
    data_type: str
    trace_id: str | None
    session_id: str | None
    run_id: str | None
    observation_id: str | None
    comment: str | None
    metadata: Json
    config_id: str | None
    environment: str
    source: str
    queue_id: str | None
    timestamp: int
    created: int
    updated: int
    stamp: tuple[int, int]
    writes: int = 1

    @property
    def key(self) -> tuple[int, str]:
        """The order of lists: newest timestamp first."""
        return self.timestamp, self.id


class ScoreTable:
    """The scores and score configs of one project."""

    def __init__(self, clock: Clock, visibility: Visibility, project_id: str, delay: float) -> None:
        self._clock = clock
        self._visibility = visibility
        self._project_id = project_id
        self._delay = delay
        self._scores: dict[tuple[str, str, int], Score] = {}
        self._by_target: dict[str, list[Score]] = {}
        self._sorted: list[Score] | None = None
        self.configs: dict[str, ScoreConfig] = {}
        self.dropped: list[tuple[str, str]] = []
        self.writes = 0

    def put(self, body: ScoreBody, timestamp: int | None) -> str:
        """Accept a checked score and do the worker's part; returns its id.

        The id, the name and the UTC day of the timestamp identify a score: writing it again replaces the
        value, keeps what is left out, and keeps the target of the first write. A score that does not fit
        its config is accepted and dropped, with an entry in `dropped`.
        """
        identity = body.id or str(uuid.uuid4())
        self.writes += 1
        if problem := self._config_problem(body):
            self.dropped.append((identity, problem))
            return identity
        now = self._clock.now_ms()
        moment = now if timestamp is None else timestamp
        key = (identity, body.name, moment // DAY)
        known = self._scores.get(key)
        if known is None:
            self._insert(key, self._made(body, identity, moment, now))
        else:
            self._merge(known, body, timestamp, now)
        self._sorted = None
        return identity

    def _config_problem(self, body: ScoreBody) -> str | None:
        if body.configId is None:
            return None
        config = self.configs.get(body.configId)
        return "no such config" if config is None else config.problem(body)

    def _made(self, body: ScoreBody, identity: str, moment: int, now: int) -> Score:
        config = self.configs.get(body.configId) if body.configId else None
        inferred = "CATEGORICAL" if isinstance(body.value, str) else "NUMERIC"
        data_type = body.dataType or (config.body.dataType if config else inferred)
        return Score(
            identity,
            self._project_id,
            "output" if data_type == "CORRECTION" else body.name,
            body.value,
            data_type,
            body.traceId,
            body.sessionId,
            body.datasetRunId,
            body.observationId,
            body.comment,
            body.metadata,
            body.configId,
            environment_of(body.environment),
            body.source or "API",
            body.queueId,
            moment,
            now,
            now,
            self._visibility.stamp(self._delay),
        )

    def _insert(self, key: tuple[str, str, int], score: Score) -> None:
        self._scores[key] = score
        target = score.trace_id or score.session_id or score.run_id
        if target is not None:
            self._by_target.setdefault(target, []).append(score)

    def _merge(self, score: Score, body: ScoreBody, timestamp: int | None, now: int) -> None:
        score.value = body.value
        score.comment = body.comment if body.comment is not None else score.comment
        score.metadata = body.metadata if body.metadata is not None else score.metadata
        score.timestamp = timestamp if timestamp is not None else score.timestamp
        score.updated = now
        score.writes += 1

    def readable(self) -> list[Score]:
        """All scores that can be read by now, newest first."""
        if self._sorted is not None:
            return self._sorted
        visible = sorted(
            (score for score in self._scores.values() if self._visibility.sees(score.stamp)),
            key=lambda score: score.key,
            reverse=True,
        )
        if len(visible) == len(self._scores):
            self._sorted = visible
        return visible

    def of_target(self, target: str) -> list[Score]:
        """The readable scores of a trace, session or run, newest first."""
        found = [score for score in self._by_target.get(target, ()) if self._visibility.sees(score.stamp)]
        return sorted(found, key=lambda score: score.key, reverse=True)

    def all(self) -> list[Score]:
        """Every stored score, readable or not."""
        return list(self._scores.values())

    def delete(self, identity: str) -> None:
        """Delete all rows of a score id."""
        gone = [key for key in self._scores if key[0] == identity]
        for key in gone:
            score = self._scores.pop(key)
            target = score.trace_id or score.session_id or score.run_id
            if target is not None:
                self._by_target[target].remove(score)
        self._sorted = None

    def delete_of_traces(self, trace_ids: set[str]) -> None:
        """Delete the scores of deleted traces."""
        for trace_id in trace_ids:
            for score in list(self._by_target.get(trace_id, ())):
                self.delete(score.id)

    def add_config(self, body: ScoreConfigBody) -> ScoreConfig:
        """Create a score config; its name is free to be used again only under another id."""
        if any(config.body.name == body.name and not config.archived for config in self.configs.values()):
            raise conflict(f"Score config {body.name} exists")
        config = ScoreConfig(uuid.uuid4().hex, self._project_id, body, self._clock.now_ms())
        self.configs[config.id] = config
        return config

    def config(self, identity: str) -> ScoreConfig:
        """A score config by id."""
        if identity not in self.configs:
            raise not_found("Score config not found")
        return self.configs[identity]
