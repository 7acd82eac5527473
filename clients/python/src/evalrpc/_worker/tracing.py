"""The trace of the item that a function works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

_current: ContextVar[Mapping[str, str]] = ContextVar("evalrpc_trace_context")


def trace_context() -> Mapping[str, str]:
    """Returns the W3C trace context of the call that a hosted function serves, as HTTP headers; empty elsewhere.

    Where OpenTelemetry is installed the context is attached already, and spans join by themselves.
    """
    return _current.get({})


@contextmanager
def joined(context: Mapping[str, str]) -> Iterator[None]:
    """Lets spans that begin in the block join the trace."""
    token = _current.set(context)
    detach = _attach(context) if context else None
    try:
        yield
    finally:
        if detach is not None:
            detach()
        _current.reset(token)


try:
    from opentelemetry import context as otel
    from opentelemetry.propagate import extract
except ImportError:  # without OpenTelemetry nobody makes spans that could join
    _OPENTELEMETRY = False
else:
    _OPENTELEMETRY = True


def _attach(context: Mapping[str, str]) -> Callable[[], None] | None:
    return partial(otel.detach, otel.attach(extract(context))) if _OPENTELEMETRY else None
