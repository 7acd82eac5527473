"""Fixtures for pytest; installed with the client, and loaded by pytest itself.

def test_accuracy(run_experiment):
    result = run_experiment(name="Capitals", data=DATA, task=answer, evaluators=[accuracy])
    assert_passes(result, {"accuracy": 0.8})
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, Unpack

import pytest

if TYPE_CHECKING:  # it loads when a test asks for a fixture, and not with every run of pytest
    from evalrpc import Client, Data, ExperimentFields, ExperimentResult


class RunExperiment(Protocol):
    """`Client.run_experiment()`; a failing test also reports the result."""

    def __call__(self, *, data: Data | None = None, **fields: Unpack[ExperimentFields]) -> ExperimentResult:
        """Runs an experiment to its end."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds where the server is."""
    group = parser.getgroup("evalrpc")
    about = (
        "the evalrpc server, host:port or https://host:port (default: EVALRPC_ADDRESS, or localhost:50051)"
    )
    group.addoption("--evalrpc-address", metavar="ADDRESS", help=about)
    parser.addini("evalrpc_address", about)


@pytest.fixture(scope="session")
def evalrpc_client(pytestconfig: pytest.Config) -> Iterator[Client]:
    """A client of the server that the option, the ini file or the environment names."""
    from evalrpc import Client

    address = pytestconfig.getoption("--evalrpc-address") or pytestconfig.getini("evalrpc_address")
    with Client(address or None) as client:
        yield client


@pytest.fixture
def run_experiment(evalrpc_client: Client, request: pytest.FixtureRequest) -> RunExperiment:
    """Runs experiments to their ends; the report of a failing test has a section for each."""

    def run(*, data: Data | None = None, **fields: Unpack[ExperimentFields]) -> ExperimentResult:
        result = evalrpc_client.run_experiment(data=data, **fields)
        request.node.user_properties.append(("evalrpc_experiment", result.experiment_id))
        request.node.add_report_section("call", f"experiment {result.experiment_id}", result.format())
        return result

    return run
