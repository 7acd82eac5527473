"""What is known of the server behind a project: its generation, and with it how results are tied to dataset items.

There are three: servers before version 4 (`legacy`), and servers of version 4 that keep the old tables as well (`dual`) or
not any more (`events_only`). The last has experiments only where spans carry their attributes; the others show dataset runs
only where `POST /dataset-run-items` made them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from msgspec import Struct

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.langfuse.api import Answer, ApiError, LangfuseApi
from evalrpc_server.langfuse.projects import LinkSetting

PROBE_SECONDS = 600.0
"""How long an answer about the server's generation is used before it is asked again."""


class Generation(StrEnum):
    """What tables a server keeps."""

    LEGACY = "legacy"
    DUAL = "dual"
    EVENTS_ONLY = "events_only"


class ServerInfo(Struct, frozen=True, kw_only=True):
    """What a server told.

    Attributes:
        project_id: Langfuse's id of the project.
        project_name: as it is called there.
        generation: what tables it keeps.
        clock_skew: seconds by which its clock is ahead of ours; None where it does not tell the time.
    """

    project_id: str
    project_name: str
    generation: Generation
    clock_skew: float | None

    def link_mode(self, setting: LinkSetting) -> LinkMode:
        """Returns how results are tied to dataset items, as far as the operator leaves it open."""
        if setting is LinkSetting.AUTO:
            by_attributes = self.generation is Generation.EVENTS_ONLY
        else:
            by_attributes = setting is LinkSetting.V4
        return LinkMode.ATTRIBUTES if by_attributes else LinkMode.RUN_ITEMS


class LangfuseServer:
    """The server of one project, asked once and again after `PROBE_SECONDS`, or when it turns out to have changed."""

    def __init__(self, api: LangfuseApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._known: ServerInfo | None = None
        self._asked = 0.0
        self._asking = asyncio.Lock()
        self._takes_score_arrays: bool | None = None

    @property
    def known(self) -> ServerInfo | None:
        """What the server told last; None where it was never reached."""
        return self._known

    @property
    def project_id(self) -> str:
        """Langfuse's id of the project; empty until it is known."""
        return self._api.project.project_id or (self._known.project_id if self._known else "")

    @property
    def takes_score_arrays(self) -> bool:
        """Whether `POST /scores` takes an array, as far as is known."""
        if self._takes_score_arrays is None:
            return self._known is None or self._known.generation is not Generation.LEGACY
        return self._takes_score_arrays

    def note_score_arrays(self, *, taken: bool) -> None:
        """Remembers what the server did with an array of scores."""
        self._takes_score_arrays = taken

    def forget(self) -> None:
        """Has the server asked again, because it did what it should not have done."""
        self._asked = self._clock.monotonic() - PROBE_SECONDS
        self._takes_score_arrays = None

    async def info(self) -> ServerInfo:
        """Returns what the server tells of itself, asking it where that is unknown or old.

        Raises:
            ApiError: it could not be asked.
        """
        async with self._asking:
            if self._known is None or self._clock.monotonic() - self._asked >= PROBE_SECONDS:
                info = await self._ask()
                if self._known is None or info.generation is not self._known.generation:
                    self._takes_score_arrays = None
                self._known, self._asked = info, self._clock.monotonic()
            return self._known

    async def version(self) -> str:
        """Returns the server's version; empty where it does not say."""
        try:
            return str((await self._api.request("GET", "/api/public/health")).json()["version"])
        except (ApiError, KeyError, TypeError):
            return ""

    async def _ask(self) -> ServerInfo:
        projects = await self._api.retried("GET", "/api/public/projects", attempts=3)
        found = projects.json()
        try:
            project = found["data"][0]
            project_id, name = str(project["id"]), str(project.get("name", ""))
        except (KeyError, IndexError, TypeError):
            raise ApiError(
                "names no project for these keys; check that they are a project's", status=projects.status
            ) from None
        return ServerInfo(
            project_id=project_id,
            project_name=name,
            generation=await self._generation(),
            clock_skew=_clock_skew(projects.headers, self._clock.now()),
        )

    async def _generation(self) -> Generation:
        experiments = await self._api.retried(
            "GET",
            "/api/public/experiments",
            params={"fromStartTime": self._clock.now().isoformat(), "limit": 1},
            attempts=3,
            expected={404},
        )
        if experiments.status == 404:
            return Generation.LEGACY
        run_items = await self._api.retried(
            "GET",
            "/api/public/dataset-run-items",
            params={"datasetId": "-", "runName": "-", "limit": 1},
            attempts=3,
            expected={400, 404, 405, 410},
        )
        return Generation.DUAL if _is_served(run_items) else Generation.EVENTS_ONLY


def _is_served(answer: Answer) -> bool:
    """Tells an endpoint that found nothing from one that the server does not have."""
    if answer.status != 404:
        return answer.status in {200, 400}
    try:
        body = answer.json()
    except ApiError:
        return False
    if not isinstance(body, dict):
        return False
    return body.get("error") == "LangfuseNotFoundError" and "events_only" not in str(body.get("message"))


def _clock_skew(headers: Mapping[str, str], now: datetime) -> float | None:
    try:
        told = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    return (told - now).total_seconds()
