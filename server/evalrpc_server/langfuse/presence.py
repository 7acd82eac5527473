"""Looking for what may have arrived: an export whose answer was lost is looked for before it is sent again.

Langfuse shows a span that came twice twice, until its database has merged the rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evalrpc_server.domain.trace import span_id
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.documents import iso
from evalrpc_server.langfuse.server import Generation, LangfuseServer

_PAGE = 100


class Presence:
    """What a project's server shows of traces. Servers before version 4 merge spans by themselves and are not asked."""

    def __init__(self, api: LangfuseApi, server: LangfuseServer) -> None:
        self._api = api
        self._server = server

    async def of_trace(self, trace_id: str) -> bool:
        """Returns whether the spans that were exported of a trace are there; those of the application do not count.

        Raises:
            ApiError: the server cannot be asked.
        """
        if not await self.shows_spans():
            return False
        answer = await self._api.request(
            "GET",
            "/api/public/v2/observations",
            params={
                "traceId": trace_id,
                "parentObservationId": span_id(trace_id, "run"),
                "fields": "core",
                "limit": _PAGE,
            },
            expected={404},
        )
        if answer.status == 404:
            return False
        task = span_id(trace_id, "task")
        try:
            return any(observation["id"] == task for observation in answer.json()["data"])
        except (KeyError, TypeError):
            raise ApiError("answered without the trace's observations", status=answer.status) from None

    async def of_items(self, experiment_id: str, first: datetime, last: datetime) -> set[str]:
        """Returns the traces of an experiment's items that began within a time.

        Args:
            experiment_id: in Langfuse.
            first: when the earliest began.
            last: when the latest began.

        Raises:
            ApiError: the server cannot be asked.
        """
        found: set[str] = set()
        cursor = ""
        while True:
            params: dict[str, str | int] = {
                "experimentId": experiment_id,
                "fromStartTime": iso(first),
                "toStartTime": iso(last + timedelta(seconds=1)),
                "fields": "core",
                "limit": _PAGE,
            }
            if cursor:
                params["cursor"] = cursor
            answer = await self._api.request("GET", "/api/public/experiment-items", params=params)
            try:
                body = answer.json()
                found.update(str(item["traceId"]) for item in body["data"])
                cursor = body["meta"].get("cursor") or ""
            except (KeyError, TypeError, AttributeError):
                raise ApiError("answered without the experiment's items", status=answer.status) from None
            if not cursor:
                return found

    async def shows_spans(self) -> bool:
        """Returns whether the server can be asked for spans; others have no need of it.

        Raises:
            ApiError: the server cannot be asked what it is.
        """
        return (await self._server.info()).generation is not Generation.LEGACY
