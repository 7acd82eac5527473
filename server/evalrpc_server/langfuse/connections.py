"""The connections to Langfuse: one for each configured project, shared by all that talk to it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.projects import Project, Projects
from evalrpc_server.langfuse.server import LangfuseServer
from evalrpc_server.outbound.client import HttpClient
from evalrpc_server.outbound.secrets import Secrets


class Connection(Struct, frozen=True):
    """The way to one project: its settings, its calls, and what is known of its server."""

    project: Project
    api: LangfuseApi
    server: LangfuseServer


class Connections:
    """The connections to all configured projects, by name.

    Args:
        projects: the configuration.
        client: sends requests; used for Langfuse alone, so that its slowness is nobody else's.
        secrets: what is scrubbed from Langfuse's own words.
        clock: for waiting.
    """

    def __init__(self, projects: Projects, client: HttpClient, secrets: Secrets, clock: Clock) -> None:
        self._projects = projects
        self._connections: dict[str, Connection] = {}
        for project in projects:
            api = LangfuseApi(project, client, secrets, clock=clock)
            self._connections[project.name] = Connection(project, api, LangfuseServer(api, clock))

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._connections.values())

    def __len__(self) -> int:
        return len(self._connections)

    def get(self, name: str) -> Connection | None:
        """Returns the connection of a project, or None where the configuration has none of that name (any more)."""
        return self._connections.get(name)

    def name_of(self, project_id: str) -> str:
        """Returns the name of the project with an id of Langfuse's; empty where the ids are not known yet.

        Raises:
            InvalidRequestError: it is none of the configured projects'.
        """
        known = {connection.server.project_id: connection.project.name for connection in self}
        if project_id in known:
            return known[project_id]
        if "" in known or not known:
            return known[""] if len(known) == 1 else ""
        problem = "is the id of no Langfuse project that this server has; configure its keys"
        raise InvalidRequestError([Violation("projectId", problem)])

    def resolve(self, name: str = "", *, path: str = "langfuse_project") -> Connection:
        """Returns the connection of the project that a request means; see `Projects.resolve`.

        Raises:
            RequestError: the request means none.
        """
        return self._connections[self._projects.resolve(name, path=path).name]
