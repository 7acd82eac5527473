"""The limiters of all endpoints: one for each endpoint and credential, shared by whoever calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from weakref import WeakValueDictionary

from evalrpc_server.domain.clock import Clock, SystemClock
from evalrpc_server.outbound.limiter import EndpointLimiter

_CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "ocp-apim-subscription-key"})

Key = tuple[str, tuple[tuple[str, str], ...]]
"""An endpoint's address, and the credentials by reference."""


class Limiters:
    """Keeps what was learned of an endpoint as long as somebody means to call it.

    Args:
        clock: tells the time and waits.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._limiters: WeakValueDictionary[Key, EndpointLimiter] = WeakValueDictionary()

    def of(self, endpoint: str, headers: Mapping[str, str]) -> EndpointLimiter:
        """Returns the limiter of an endpoint, which is another one for other credentials.

        Args:
            endpoint: scheme, host and port.
            headers: of all calls, with their credentials by reference or sealed.
        """
        credentials = {name.lower(): value for name, value in headers.items()}
        key = (endpoint, tuple(sorted((n, v) for n, v in credentials.items() if n in _CREDENTIALS)))
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters[key] = EndpointLimiter(endpoint, self._clock)
        return limiter

    async def aclose(self) -> None:
        """Lets nothing more through."""
        await asyncio.gather(*(limiter.aclose() for limiter in list(self._limiters.values())))
