"""Langfuse as the integration of the runner: data from it, records to it, for every configured project."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from msgspec.structs import replace

from evalrpc_server.datasets.port import DataSource
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.spec.langfuse import LangfuseSync
from evalrpc_server.langfuse.absent import AbsentProject
from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.langfuse.connections import Connection, Connections
from evalrpc_server.langfuse.dataset_source import open_dataset
from evalrpc_server.langfuse.outbox import Delivery, DeliveryStore
from evalrpc_server.langfuse.pinning import lookup, pin_dataset
from evalrpc_server.langfuse.reporter import LangfuseReporter

logger = logging.getLogger(__name__)


class LangfuseIntegration:
    """All configured projects, as the runner sees them.

    Args:
        connections: to the projects.
        store: where results and records are.
        clock: for waiting.
        spool: the directory for items whose order is being drawn.
    """

    def __init__(self, connections: Connections, *, store: DeliveryStore, clock: Clock, spool: Path) -> None:
        self._connections = connections
        self._clock = clock
        self._spool = spool
        self._deliveries = {
            connection.project.name: Delivery(connection, store=store, clock=clock)
            for connection in connections
        }
        self._absent = AbsentProject(store)
        self._asking: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to deliver what is queued, and asks each server what it is."""
        for delivery in self._deliveries.values():
            delivery.start()
        self._asking = [asyncio.create_task(_get_to_know(connection)) for connection in self._connections]

    async def close(self, seconds: float) -> None:
        """Delivers for at most so many seconds what is queued, and stops; the rest waits for the next start."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await asyncio.gather(*(delivery.close(seconds) for delivery in self._deliveries.values()))

    def delivery(self, project: str) -> Delivery:
        """Returns what delivers the records of a configured project."""
        return self._deliveries[project]

    async def accept(
        self, spec: ExperimentSpec, *, path: str
    ) -> tuple[ExperimentSpec, LangfuseStatus | None]:
        """Chooses the project, pins the dataset, and fixes how the experiment is recorded.

        Raises:
            RequestError: there is no such project or dataset, or Langfuse is needed and does not answer.
        """
        connection = self._chosen(spec, path)
        if connection is None:
            return spec, None
        project = connection.project
        changes: dict[str, object] = {"langfuse_project": project.name}
        status = LangfuseStatus(project=project.name)
        if spec.langfuse_dataset is not None:
            place = f"{path}.langfuse_dataset"
            async with lookup(project.name):
                pinned, dataset_id = await pin_dataset(
                    connection.api, spec.langfuse_dataset, self._clock, path=place
                )
                info = await connection.server.info()
            changes["langfuse_dataset"] = pinned
            status = replace(status, dataset_id=dataset_id, link_mode=info.link_mode(project.link_mode))
        return spec.model_copy(update=changes), status if self._is_recorded(spec) else None

    def choose(self, spec: ExperimentSpec, *, path: str) -> tuple[ExperimentSpec, LangfuseStatus | None]:
        """Chooses the project, without asking Langfuse.

        Raises:
            RequestError: there is no such project.
        """
        connection = self._chosen(spec, path)
        if connection is None:
            return spec, None
        name = connection.project.name
        status = LangfuseStatus(project=name) if self._is_recorded(spec) else None
        return spec.model_copy(update={"langfuse_project": name}), status

    def _chosen(self, spec: ExperimentSpec, path: str) -> Connection | None:
        """Returns the project that a spec needs; None where it needs none."""
        if spec.langfuse_dataset is None and not self._is_recorded(spec) and not spec.langfuse_project:
            return None
        return self._connections.resolve(spec.langfuse_project, path=f"{path}.langfuse_project")

    def _is_recorded(self, spec: ExperimentSpec) -> bool:
        return spec.langfuse_sync is not LangfuseSync.OFF and len(self._connections) > 0

    def source(self, experiment: Experiment) -> DataSource | None:
        """Returns where an experiment's data is fetched from; None for data that is in the store already."""
        connection = self._connections.get(experiment.spec.langfuse_project)
        api = connection.api if connection else None
        return open_dataset(api, experiment.spec, self._clock, spool=self._spool)

    def reporter(self, experiment: Experiment) -> LangfuseReporter | None:
        """Returns what tells Langfuse of the experiment; None where it is not recorded there."""
        status = experiment.langfuse
        if status is None:
            return None
        outlet = self._deliveries.get(status.project) or self._absent
        return LangfuseReporter(outlet, status, clock=self._clock)


async def _get_to_know(connection: Connection) -> None:
    """Asks the server once, so that the first results have their addresses; who needs an answer asks again."""
    try:
        await connection.server.info()
    except ApiError as error:
        logger.warning(
            "Langfuse cannot be asked what it is; records stay queued until it answers",
            extra={"project": connection.project.name, "cause": str(error)},
        )
