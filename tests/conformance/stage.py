"""What a feature in Python gets, and how it tells what it saw."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from evalrpc import (
    AlreadyExistsError,
    AsyncClient,
    Client,
    EvalrpcError,
    Evaluation,
    ExperimentResult,
    FailedPreconditionError,
    InvalidRequestError,
    ItemResult,
    NotFoundError,
    ServerUnreachableError,
    Tls,
    UnauthenticatedError,
    Worker,
)

SECONDS = 60.0

_KINDS: dict[type[EvalrpcError], str] = {
    AlreadyExistsError: "already exists",
    FailedPreconditionError: "failed precondition",
    InvalidRequestError: "invalid request",
    NotFoundError: "not found",
    ServerUnreachableError: "unreachable",
    UnauthenticatedError: "unauthenticated",
}


class Stage:
    """Where a feature is shown: the server, and what stands between it and the client."""

    def __init__(self, feature: str) -> None:
        told = json.loads(os.environ["CONFORMANCE"])
        self._prefix = f"{told['language']}-{feature}"
        self._control: str = told["wire"]["control"]
        self.address: str = told["address"]
        self.wire_address: str = told["wire"]["address"]
        self.scripted_address: str = told["scripted"]
        self.secured: dict[str, str] = told["secured"]

    def unique(self, name: str) -> str:
        """Returns a name that is this feature's and this language's own."""
        return f"{self._prefix}-{name}"

    def client(self, address: str | None = None) -> Client:
        """Returns a client of the server, or of what listens elsewhere."""
        return Client(address or self.address)

    def async_client(self) -> AsyncClient:
        """Returns a client of the server for asyncio."""
        return AsyncClient(self.address)

    def secured_client(self, *, token: str | None = None, roots: str = "roots") -> Client:
        """Returns a client of the server that wants TLS and a token."""
        return Client(self.secured["address"], token=token, tls=Tls(root_certificates=self.secured[roots]))

    def worker(self, *, over_wire: bool = False, max_in_flight: int = 8) -> Worker:
        """Returns a worker that is to be started."""
        address = self.wire_address if over_wire else self.address
        return Worker(address, max_in_flight=max_in_flight, drain_grace=SECONDS)

    def cut(self) -> None:
        """Cuts the wire; new connections are relayed."""
        self._tell("cut")

    def sever(self) -> None:
        """Cuts the wire for longer: until it is mended nobody gets through."""
        self._tell("sever")

    def mend(self) -> None:
        """Mends the wire."""
        self._tell("mend")

    def _tell(self, command: str) -> None:
        with urlopen(Request(f"{self._control}/{command}", method="POST"), timeout=SECONDS):
            pass


class Gate:
    """Counts those who come, and holds them until it is opened."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._came = threading.Semaphore(0)

    def come(self) -> None:
        """Comes to the gate, and does not wait."""
        self._came.release()

    def pass_through(self) -> None:
        """Comes to the gate, and waits until it is open."""
        self.come()
        assert self._opened.wait(SECONDS), "the gate was never opened"

    def wait_for(self, count: int) -> None:
        """Waits until so many more have come."""
        for _ in range(count):
            assert self._came.acquire(timeout=SECONDS), "nobody came to the gate"

    def open(self) -> None:
        """Lets everybody through, now and later."""
        self._opened.set()


@contextmanager
def background(function: Callable[[], object]) -> Any:
    """Runs a function beside the block, which waits for it in the end."""
    thread = threading.Thread(target=function)
    thread.start()
    try:
        yield
    finally:
        thread.join(SECONDS)


def items(result: ExperimentResult | Iterable[ItemResult]) -> list[dict[str, Any]]:
    """Returns what became of each item."""
    results = result.item_results if isinstance(result, ExperimentResult) else result
    return [
        {
            "id": each.item.id,
            "output": each.output,
            "error": each.error.reason if each.error else None,
            "attempts": each.attempts,
            "evaluations": evaluations(each.evaluations),
        }
        for each in results
    ]


def evaluations(said: Iterable[Evaluation]) -> list[dict[str, Any]]:
    """Returns what evaluators said: a value, that there is none, or why they failed."""
    found: list[dict[str, Any]] = []
    for each in said:
        if each.error:
            found.append({"name": each.name, "error": each.error.reason})
        elif each.unscored is not None:
            found.append({"name": each.name, "unscored": True})
        else:
            found.append({"name": each.name, "value": each.value})
    return found


def error_of(call: Callable[[], object]) -> dict[str, Any]:
    """Makes a call that fails, and returns its error."""
    try:
        call()
    except EvalrpcError as error:
        return {
            "kind": next((name for kind, name in _KINDS.items() if isinstance(error, kind)), "other"),
            "reason": error.reason,
            "metadata": error.metadata,
            "violations": [each.path for each in error.violations],
        }
    raise AssertionError("the call did not fail")
