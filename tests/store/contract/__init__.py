"""The contract suite: what every store does. A backend's test class inherits `StoreContract` and has a `backend` fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from evalrpc_server.store.port import Store
from evalrpc_server.store.registry import open_store
from tests.store.backends import Backend
from tests.store.contract.evaluators import EvaluatorContract
from tests.store.contract.experiments import ExperimentContract
from tests.store.contract.faults import FaultContract
from tests.store.contract.holding import HoldingContract
from tests.store.contract.items import ItemContract
from tests.store.contract.keys import KeyContract
from tests.store.contract.kills import KillContract
from tests.store.contract.log import LogContract
from tests.store.contract.outbox import OutboxContract
from tests.store.contract.results import ResultContract


class StoreContract(
    ExperimentContract,
    LogContract,
    ResultContract,
    ItemContract,
    EvaluatorContract,
    OutboxContract,
    KeyContract,
    HoldingContract,
    FaultContract,
    KillContract,
):
    """All of the contract, over a store that is open."""

    @pytest.fixture
    async def store(self, backend: Backend) -> AsyncIterator[Store]:
        store = open_store(backend.url)
        await store.open()
        yield store
        await store.close()
