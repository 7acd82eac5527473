"""The reporter port: what is to be delivered elsewhere about an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.store.port import OutboxRecord


class Reporter(Protocol):
    """Turns what is recorded of one experiment into outbox records, which are stored in the same commit.

    The methods are called on the event loop for every result: they compute, and never wait.
    """

    def locate(self, result: ItemResult) -> ItemResult:
        """Returns the result with the address of its trace filled in."""

    def item_records(self, experiment: Experiment, result: ItemResult, /) -> Sequence[OutboxRecord]:
        """Returns what is to be delivered about one result."""

    def run_records(
        self, experiment: Experiment, evaluations: Sequence[Evaluation], /
    ) -> Sequence[OutboxRecord]:
        """Returns what is to be delivered about the run evaluations."""


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
