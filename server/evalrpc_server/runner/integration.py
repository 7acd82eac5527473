"""The integration port: what an outside system adds to experiments."""

from __future__ import annotations

from typing import Protocol

from evalrpc_server.datasets.port import DataSource
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.langfuse import LangfuseStatus
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.runner.reporting import Reporter


class Integration(Protocol):
    """Data that an outside system keeps, and reports that it wants."""

    async def accept(
        self, spec: ExperimentSpec, *, path: str
    ) -> tuple[ExperimentSpec, LangfuseStatus | None]:
        """Checks what a spec asks of the system.

        Args:
            spec: well-formed, its defaults filled in.
            path: where it stands in the request, for violations.

        Returns:
            The spec with what is fixed from now on, and how the experiment will be recorded; None where it will not be.

        Raises:
            RequestError: it asks for what is not there.
        """

    def choose(self, spec: ExperimentSpec, *, path: str) -> tuple[ExperimentSpec, LangfuseStatus | None]:
        """Does of `accept` what can be done without asking the system; `accept` does the rest later.

        Raises:
            RequestError: it asks for what the configuration does not have.
        """

    def source(self, experiment: Experiment) -> DataSource | None:
        """Returns where an experiment's data is fetched from; None for data that is in the store already."""

    def reporter(self, experiment: Experiment) -> Reporter | None:
        """Returns what tells of the experiment elsewhere; None where nothing is to be told."""


class NoIntegration:
    """Adds nothing."""

    async def accept(self, spec: ExperimentSpec, *, path: str) -> tuple[ExperimentSpec, None]:  # noqa: ARG002
        """Returns the spec as it is."""
        return spec, None

    def choose(self, spec: ExperimentSpec, *, path: str) -> tuple[ExperimentSpec, None]:  # noqa: ARG002
        """Returns the spec as it is."""
        return spec, None

    def source(self, _experiment: Experiment, /) -> DataSource | None:
        """Returns no source."""
        return None

    def reporter(self, _experiment: Experiment, /) -> None:
        """Returns no reporter."""
