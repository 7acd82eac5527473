"""Trace identity: the same trial always has the same ids, so that sending its trace twice changes nothing."""

from __future__ import annotations

import hashlib


def trace_id(experiment_id: str, item_id: str, trial: int) -> str:
    """Returns the W3C trace id (32 hex digits) of one trial of one item."""
    return _digest("trace", experiment_id, item_id, str(trial))[:32]


def span_id(trace: str, *path: str) -> str:
    """Returns the span id (16 hex digits) of the span at a path within a trace, such as `("task",)`."""
    return _digest("span", trace, *path)[:16]


def span_id_bytes(trace: str, *path: str) -> bytes:
    """Returns the same span id as its 8 bytes."""
    return _sha256("span", trace, *path).digest()[:8]


def _digest(*parts: str) -> str:
    return _sha256(*parts).hexdigest()


def _sha256(*parts: str) -> hashlib._Hash:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8"))
