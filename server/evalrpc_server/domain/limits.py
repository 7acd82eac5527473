"""How fast endpoints may be called."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class EndpointLimit(Struct, frozen=True, kw_only=True):
    """How fast an endpoint may be called at the moment; all experiments share it.

    Attributes:
        endpoint: scheme, host and port.
        rate: calls per second that are let through.
        in_flight: calls under way.
        paused_until: until when nothing is let through, as the endpoint asked; None where calls are.
    """

    endpoint: str
    rate: float
    in_flight: int
    paused_until: datetime | None = None
