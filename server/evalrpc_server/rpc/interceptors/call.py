"""One RPC as the interceptors see it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

import grpc
from msgspec import Struct, field

_DEADLINE_SLACK = 0.1  # seconds; a caller's deadline passes a little earlier at the caller than here

INFRASTRUCTURE = ("grpc.health.v1.", "grpc.reflection.")
"""Packages of the services that are about the server itself, and neither limited nor logged like the others."""

UNKNOWN_METHOD = "_OTHER"
"""Stands for all methods that the server does not have; their names are the callers' choice and unlimited in number."""


class Call(Struct, eq=False):
    """One RPC, from its arrival to its end.

    Attributes:
        method: "evalrpc.v1.ExperimentService/GetExperiment", or `UNKNOWN_METHOD`.
        context: grpc's own view of it.
        metadata: as the caller sent it; of a repeated key, the last value.
        peer: where it comes from, in gRPC's own form. Read on arrival: once a call is over, asking gRPC for it kills the
            process (grpcio 1.85.1).
        request_id: correlates what is logged; the caller's own where it sent one.
        user: the name of the token or certificate, once that is known.
        received: messages from the caller so far.
        sent: messages to the caller so far.
    """

    method: str
    context: grpc.aio.ServicerContext[object, object]
    metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    peer: str = ""
    request_id: str = ""
    user: str = ""
    received: int = 0
    sent: int = 0

    @property
    def about_server(self) -> bool:
        """Whether this is a health check or a reflection."""
        return self.method.startswith(INFRASTRUCTURE)

    def header(self, key: str) -> str:
        """Returns a metadata value as text, or an empty one."""
        value = self.metadata.get(key, "")
        return value if isinstance(value, str) else ""


CURRENT: ContextVar[Call] = ContextVar("evalrpc_call")
"""The RPC whose handler runs; also in tasks that the handler has started."""


def outcome(call: Call, error: BaseException | None) -> grpc.StatusCode:
    """Returns the status code with which a call has ended, as far as the server can know.

    Args:
        call: one that has ended.
        error: with which its handler ended. An abort has set the code before it was raised. A caller that goes away, or
            whose deadline passes, shows as a cancellation, or as the closing of a generator that waits to be read.
    """
    if error is None or isinstance(error, grpc.aio.AbortError):
        code: grpc.StatusCode | None = call.context.code()
        return code or grpc.StatusCode.OK
    if isinstance(error, Exception):
        return grpc.StatusCode.UNKNOWN
    remaining: float | None = call.context.time_remaining()
    if remaining is None or remaining > _DEADLINE_SLACK:
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.DEADLINE_EXCEEDED
