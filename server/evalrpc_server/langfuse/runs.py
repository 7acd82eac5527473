"""Which experiment of Langfuse's the trials of one number belong to.

For data of our own, and on servers that tie by attributes, the id is derived. On older servers the dataset run's id is it,
which the server gives with the run's first item: traces and run scores wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.identity import dataset_experiment_id, local_experiment_id, run_name
from evalrpc_server.langfuse.projects import path_segment
from evalrpc_server.langfuse.server import LangfuseServer

_MAX_KNOWN = 10_000
_LOOK_SECONDS = 10.0

V = TypeVar("V")


class Runs:
    """The ids of a project's runs; those that a server gave are remembered, and asked for after a restart.

    Args:
        api: of the project.
        server: of the project.
        clock: tells the time.
        no_more_links: whether no run item is on its way that could still give an id.
    """

    def __init__(
        self, api: LangfuseApi, server: LangfuseServer, clock: Clock, *, no_more_links: Callable[[], bool]
    ) -> None:
        self._api = api
        self._clock = clock
        self._server = server
        self._no_more_links = no_more_links
        self._given: dict[tuple[str, int], str] = {}
        self._looked: dict[tuple[str, int], float] = {}

    def note(self, experiment_id: str, trial: int, run_id: str) -> None:
        """Remembers the id that the server gave a run. The first one stays, so that a run never has two."""
        _bounded(self._given).setdefault((experiment_id, trial), run_id)

    def known(self, experiment: Experiment, trial: int) -> str:
        """Returns the id in Langfuse as far as it is known; empty where a server has still to be asked."""
        status, run = experiment.langfuse, run_name(experiment.spec.run_name, trial)
        if status is None or not status.dataset_id:
            return local_experiment_id(experiment.id, trial)
        if status.link_mode is LinkMode.RUN_ITEMS:
            return self._given.get((experiment.id, trial), "")
        project_id = self._server.project_id
        return dataset_experiment_id(project_id, status.dataset_id, run) if project_id else ""

    async def experiment_id(self, experiment: Experiment, trial: int) -> str | None:
        """Returns the id in Langfuse; None where the server gives it with a run item that has still to be made.

        Raises:
            ApiError: the server cannot be asked.
        """
        if known := self.known(experiment, trial):
            return known
        status = experiment.langfuse
        if status is None or status.link_mode is not LinkMode.RUN_ITEMS:
            await self._server.info()
            return self.known(experiment, trial)
        no_more_links = self._no_more_links()
        found = await self._find(experiment, trial, urgent=no_more_links)
        if found is None and no_more_links:
            # Every link was refused, as when all items were archived meanwhile.
            project_id = (await self._server.info()).project_id
            run = run_name(experiment.spec.run_name, trial)
            found = dataset_experiment_id(project_id, status.dataset_id, run)
        if found is not None:
            self.note(experiment.id, trial, found)
        return found

    async def _find(self, experiment: Experiment, trial: int, *, urgent: bool) -> str | None:
        """Looks a run up by its name, as after a restart; not too often, because its first link tells it anyway."""
        key, now = (experiment.id, trial), self._clock.monotonic()
        if not urgent and now - self._looked.get(key, -_LOOK_SECONDS) < _LOOK_SECONDS:
            return None
        _bounded(self._looked)[key] = now
        dataset = experiment.spec.langfuse_dataset
        assert dataset is not None, "only runs over datasets have run items"
        name = run_name(experiment.spec.run_name, trial)
        answer = await self._api.request(
            "GET",
            f"/api/public/datasets/{path_segment(dataset.name)}/runs/{path_segment(name)}",
            expected={404},
        )
        if answer.status == 404:
            return None
        try:
            return str(answer.json()["id"])
        except (KeyError, TypeError):
            raise ApiError("answered without the run's id", status=answer.status) from None


def _bounded(known: dict[tuple[str, int], V]) -> dict[tuple[str, int], V]:
    """Forgets what was learned first, where there is too much."""
    while len(known) >= _MAX_KNOWN:
        known.pop(next(iter(known)))
    return known
