"""Runs that Langfuse has, whoever made them, for comparisons."""

from __future__ import annotations

from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.verdicts import LangfuseRun
from evalrpc_server.langfuse.connections import Connection, Connections
from evalrpc_server.langfuse.datasets import read_dataset
from evalrpc_server.langfuse.pinning import dataset_not_found, lookup
from evalrpc_server.langfuse.run_pages import ListedRun, open_listed
from evalrpc_server.langfuse.run_tables import TabledRun, open_tabled
from evalrpc_server.langfuse.server import Generation


class RecordedRuns:
    """The runs of all configured projects."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def check(self, run: LangfuseRun, *, path: str) -> None:
        """Checks, without asking Langfuse, that a run can be asked for.

        Raises:
            RequestError: the configuration has no such project.
        """
        self._resolved(run, path)

    async def open(self, run: LangfuseRun, *, path: str) -> ListedRun | TabledRun:
        """Finds a run; `path` is where it stands in the request.

        Raises:
            RequestError: there is no such project, dataset or run, or Langfuse does not answer.
        """
        connection = self._resolved(run, path)
        project = connection.project.name
        async with lookup(project):
            dataset = await read_dataset(connection.api, run.dataset)
            if dataset is None:
                raise dataset_not_found(run.dataset, project)
            info = await connection.server.info()
            if info.generation is Generation.LEGACY:
                found: ListedRun | TabledRun | None = await open_tabled(connection.api, run)
            else:
                found = await open_listed(connection.api, info, dataset.id, run)
        if found is None:
            raise NotFoundError(
                Reason.EXPERIMENT_NOT_FOUND,
                f"Langfuse (project {project}) has no run named {run.run_name!r} over the dataset {run.dataset!r}; "
                "what was recorded just now takes a moment to show",
                run_name=run.run_name,
                dataset=run.dataset,
                project=project,
            )
        return found

    def _resolved(self, run: LangfuseRun, path: str) -> Connection:
        return self._connections.resolve(run.project, path=f"{path}.project")
