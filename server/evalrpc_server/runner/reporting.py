"""The reporter port: what is to be delivered elsewhere about an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import OutboxRecord


class Reporter(Protocol):
    """Turns what is recorded of one experiment into outbox records, which are stored in the same commit.

    `locate` and `item_records` are called on the event loop for every result: they compute, and never wait.
    """

    def locate(self, result: ItemResult) -> ItemResult:
        """Returns the result with the address of its trace filled in."""

    def item_records(self, experiment: Experiment, result: ItemResult, /) -> Sequence[OutboxRecord]:
        """Returns what is to be delivered about one result."""

    def run_records(
        self, experiment: Experiment, evaluations: Sequence[Evaluation], /
    ) -> Sequence[OutboxRecord]:
        """Returns what is to be delivered about the run evaluations."""

    async def flush(self, experiment: Experiment, /) -> None:
        """Waits until all is delivered, as far as the experiment asks for that; its last event comes afterwards."""

    async def status(self, experiment: Experiment, /) -> LangfuseStatus | None:
        """Returns what became of the experiment's records; None where it has none."""


class NoReporter:
    """Reports nothing."""

    def locate(self, result: ItemResult) -> ItemResult:
        """Returns the result as it is."""
        return result

    def item_records(self, _experiment: Experiment, _result: ItemResult, /) -> Sequence[OutboxRecord]:
        """Returns nothing."""
        return ()

    def run_records(
        self, _experiment: Experiment, _evaluations: Sequence[Evaluation], /
    ) -> Sequence[OutboxRecord]:
        """Returns nothing."""
        return ()

    async def flush(self, _experiment: Experiment, /) -> None:
        """Does not wait."""

    async def status(self, _experiment: Experiment, /) -> LangfuseStatus | None:
        """Returns nothing."""
        return None
