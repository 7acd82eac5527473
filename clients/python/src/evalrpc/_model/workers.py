"""Workers as the server lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FunctionKind(StrEnum):
    """What a hosted function does."""

    TASK = "TASK"
    EVALUATOR = "EVALUATOR"
    RUN_EVALUATOR = "RUN_EVALUATOR"


class WorkerState(StrEnum):
    """How a worker does."""

    CONNECTED = "CONNECTED"
    DRAINING = "DRAINING"
    DISCONNECTED = "DISCONNECTED"


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """A function that a worker hosts."""

    name: str
    kind: FunctionKind | None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that is connected, or was until a short while ago. The counts are of its present connection.

    Attributes:
        id: as it named itself.
        functions: what it hosts.
        state: how it does; None for a state that this version of the client does not know.
        max_in_flight: how many calls it takes at once.
        in_flight: how many it has at the moment.
        completed: how many it finished well.
        failed: how many it finished with an error.
        lost: how many were taken from it, as it was silent for too long.
        client_name: its client library.
        client_version: that library's version.
        connect_time: when it connected.
        last_heartbeat_time: when it was last heard.
    """

    id: str
    functions: tuple[FunctionInfo, ...] = ()
    state: WorkerState | None = None
    max_in_flight: int = 0
    in_flight: int = 0
    completed: int = 0
    failed: int = 0
    lost: int = 0
    client_name: str | None = None
    client_version: str | None = None
    connect_time: datetime | None = None
    last_heartbeat_time: datetime | None = None
