"""Reading back what arrived: an accepted record is not yet one that Langfuse shows.

Servers of version 4 list an experiment's items with their scores, which makes counting cheap. Older ones do not, and are not
read back. Up to 50 scores of an item, and of a run, are shown and counted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.documents import iso
from evalrpc_server.langfuse.identity import run_name
from evalrpc_server.langfuse.runs import Runs
from evalrpc_server.langfuse.server import Generation, LangfuseServer

_PAGE = 100
_SCORES = 50
_MARGIN = timedelta(minutes=1)


class Verification:
    """Counts an experiment's records in Langfuse."""

    def __init__(self, api: LangfuseApi, server: LangfuseServer, runs: Runs) -> None:
        self._api = api
        self._server = server
        self._runs = runs

    async def count(self, experiment: Experiment) -> int | None:
        """Returns how many traces, scores and links are shown; None where the server cannot tell.

        Raises:
            ApiError: it cannot be asked.
        """
        if (await self._server.info()).generation is Generation.LEGACY:
            return None
        found = 0
        for trial in range(1, experiment.spec.repetitions + 1):
            identity = await self._runs.experiment_id(experiment, trial)
            if identity is None:
                continue
            params: dict[str, str | int] = {
                "fromStartTime": iso(experiment.create_time - _MARGIN),
                "fields": "core,scores",
                "scoreLimit": _SCORES,
                "limit": _PAGE,
            }
            async for item in self._listed(
                "/api/public/experiment-items", params | {"experimentId": identity}
            ):
                found += 1 + len(item.get("scores") or ())
            async for run in self._listed("/api/public/experiments", params | {"id": identity}):
                found += len(run.get("scores") or ())
            found += await self._links(experiment, trial)
        return found

    async def _links(self, experiment: Experiment, trial: int) -> int:
        status = experiment.langfuse
        if status is None or not status.dataset_id or status.link_mode is not LinkMode.RUN_ITEMS:
            return 0
        params: dict[str, str | int] = {
            "datasetId": status.dataset_id,
            "runName": run_name(experiment.spec.run_name, trial),
            "limit": 1,
        }
        answer = await self._api.request(
            "GET", "/api/public/dataset-run-items", params=params, expected={404}
        )
        return 0 if answer.status == 404 else int(answer.json()["meta"]["totalItems"])

    async def _listed(self, path: str, params: dict[str, str | int]) -> AsyncGenerator[dict[str, JsonValue]]:
        cursor = ""
        while True:
            answer = await self._api.request(
                "GET", path, params=params | ({"cursor": cursor} if cursor else {})
            )
            body = answer.json()
            try:
                for entry in body["data"]:
                    yield entry
                cursor = body["meta"].get("cursor") or ""
            except (KeyError, TypeError, AttributeError):
                raise ApiError("answered a list without its data", status=answer.status) from None
            if not cursor:
                return
