"""How fast endpoints may be called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLimit:
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
