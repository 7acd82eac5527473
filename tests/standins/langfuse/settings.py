"""What a stand-in is told at its start: server generation, delays, projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["events_only", "dual", "legacy"]

# Versions that stand for a behaviour: the last one whose POST /scores takes a single object, the
# first one documented to take arrays, and a late one of the generation before experiments.
VERSION_OBJECT_SCORES = "4.16.0"
VERSION_ARRAY_SCORES = "4.59.0"
VERSION_LEGACY = "3.225.11"


@dataclass(frozen=True, slots=True)
class ProjectKeys:
    """A project and the one key pair that opens it."""

    id: str
    name: str
    public_key: str
    secret_key: str


DEFAULT_PROJECTS = (
    ProjectKeys("project-one", "Project One", "pk-lf-one", "sk-lf-one"),
    ProjectKeys("project-two", "Project Two", "pk-lf-two", "sk-lf-two"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How one stand-in behaves.

    Attributes:
        mode: Write mode of the server: ``events_only`` (v4 default), ``dual`` (v4), ``legacy`` (v3).
        score_arrays: Whether ``POST /scores`` takes arrays; default: yes in the v4 modes.
        projects: The projects that exist.
        organization_keys: A public and secret key that belong to the organization, not to a project.
        span_delay: Seconds from the receipt of spans until they can be read.
        event_delay: Seconds from the receipt of scores and run items until they can be read.
        staging_delay: Seconds until spans sent without ingestion version 4 reach the events tables (dual).
        otlp_body_limit: Bytes of one OTLP request before 413; None as in a self-hosted server.
        count_only: Count spans, scores and run items without keeping them, for benchmarks.
    """

    mode: Mode = "events_only"
    score_arrays: bool | None = None
    projects: tuple[ProjectKeys, ...] = DEFAULT_PROJECTS
    organization_keys: tuple[str, str] = ("pk-lf-org", "sk-lf-org")
    span_delay: float = 0.0
    event_delay: float = 0.0
    staging_delay: float = 600.0
    otlp_body_limit: int | None = None
    count_only: bool = False

    @property
    def takes_score_arrays(self) -> bool:
        """Whether this server's ``POST /scores`` takes an array."""
        return self.mode != "legacy" if self.score_arrays is None else self.score_arrays

    @property
    def version(self) -> str:
        """The version that ``GET /health`` names."""
        if self.mode == "legacy":
            return VERSION_LEGACY
        return VERSION_ARRAY_SCORES if self.takes_score_arrays else VERSION_OBJECT_SCORES
