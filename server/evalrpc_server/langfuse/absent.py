"""A project that experiments were accepted for and that the configuration does not have any more."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.langfuse.projects import DEFAULT_ENVIRONMENT
from evalrpc_server.store.port import OutboxRecord, OutboxStore


class AbsentProject:
    """Lets records be queued, so that nothing is lost if the project comes back, and says why they stay."""

    base_url = ""
    project_id = ""
    environment = DEFAULT_ENVIRONMENT

    def __init__(self, store: OutboxStore) -> None:
        self._store = store

    def experiment_id(self, _experiment: Experiment) -> str:
        """Returns nothing, because the id cannot be known for sure."""
        return ""

    def keep(self, _experiment_id: str, _sequence: int, _result: ItemResult) -> None:
        """Does nothing."""

    def note(self, _found: Sequence[OutboxRecord], /) -> None:
        """Does nothing."""

    def hurry(self) -> None:
        """Does nothing."""

    async def settled(self, _experiment_id: str, _seconds: float) -> None:
        """Does not wait for what cannot happen."""

    async def verified(self, _experiment: Experiment, _seconds: float) -> None:
        """Does nothing."""

    def verify_later(self, _experiment: Experiment) -> None:
        """Does nothing."""

    async def status(self, experiment: Experiment, known: LangfuseStatus) -> LangfuseStatus:
        """Returns what is queued, and why."""
        counts = await self._store.outbox_counts(experiment.id)
        missing = Error(
            reason=Reason.LANGFUSE_PROJECT_NOT_FOUND,
            message=f"The server has no Langfuse project named {known.project!r} any more; configure it again.",
            metadata={"project": known.project},
        )
        return replace(
            known,
            queued=counts.queued,
            accepted=counts.accepted,
            rejected=counts.rejected,
            last_error=missing,
        )
