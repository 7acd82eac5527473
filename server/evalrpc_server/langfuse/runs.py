"""Which experiment of Langfuse's the trials of one number belong to.

For data of our own, and on servers that tie by attributes, the id is derived. On older servers the dataset run's id is it,
which the server gives with the run's first item: traces and run scores wait for that.
"""

from __future__ import annotations

from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.langfuse.api import ApiError, LangfuseApi
from evalrpc_server.langfuse.identity import dataset_experiment_id, local_experiment_id, run_name
from evalrpc_server.langfuse.projects import path_segment
from evalrpc_server.langfuse.server import LangfuseServer

_MAX_KNOWN = 10_000


class Runs:
    """The ids of a project's runs; those that a server gave are remembered, and asked for after a restart."""

    def __init__(self, api: LangfuseApi, server: LangfuseServer) -> None:
        self._api = api
        self._server = server
        self._given: dict[tuple[str, int], str] = {}

    def note(self, experiment_id: str, trial: int, run_id: str) -> None:
        """Remembers the id that the server gave a run. The first one stays, so that a run never has two."""
        if len(self._given) >= _MAX_KNOWN:
            self._given.pop(next(iter(self._given)))
        self._given.setdefault((experiment_id, trial), run_id)

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
        if status is not None and status.link_mode is LinkMode.RUN_ITEMS:
            return await self.find(experiment, trial)
        await self._server.info()
        return self.known(experiment, trial)

    async def find(self, experiment: Experiment, trial: int) -> str | None:
        """Looks a dataset run up by its name and remembers its id; None where there is none.

        Raises:
            ApiError: the server cannot be asked.
        """
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
            run_id = str(answer.json()["id"])
        except (KeyError, TypeError):
            raise ApiError("answered without the run's id", status=answer.status) from None
        self.note(experiment.id, trial, run_id)
        return run_id
