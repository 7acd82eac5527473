"""All that calls leaving the server share, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import grpc.aio
import httpx

from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.outbound.client import HttpClient
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.grpc import GrpcEndpoint, Stub
from evalrpc_server.outbound.http_failures import origin
from evalrpc_server.outbound.limiter import EndpointLimiter
from evalrpc_server.outbound.limits import Limiters
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.outbound.settings import OutboundSettings


class Outbound:
    """The server's way out, of which each experiment has a scope.

    Args:
        http: of the way that this is a scope of.
        limiters: the same.
        sealed: values of an experiment's specs that are opened in what its endpoints are sent.

    Attributes:
        settings: trust, identity and limits.
        secrets: what headers may refer to.
        http: the pooled HTTP client.
    """

    def __init__(
        self,
        settings: OutboundSettings | None = None,
        secrets: Secrets | None = None,
        *,
        http: HttpClient | None = None,
        limiters: Limiters | None = None,
        sealed: Collection[str] = (),
    ) -> None:
        self.settings = settings or OutboundSettings()
        self.secrets = secrets or Secrets()
        self.http = http or HttpClient(self.settings, self.secrets)
        self._limiters = limiters or Limiters()
        self._sealed = sealed
        self._used: set[EndpointLimiter] = set()

    def scoped(self, sealed: Collection[str] = ()) -> Outbound:
        """Returns the same way out for one experiment, which tells of the limits that are met on it.

        Args:
            sealed: the sealed values in the experiment's specs.
        """
        return Outbound(self.settings, self.secrets, http=self.http, limiters=self._limiters, sealed=sealed)

    def limits(self) -> Sequence[EndpointLimit]:
        """Returns how fast the endpoints may be called that were prepared here; those without a limit are left out."""
        states = (limiter.state() for limiter in self._used)
        return sorted((state for state in states if state), key=lambda state: state.endpoint)

    def endpoint(
        self, url: str, *, headers: Mapping[str, str] | None = None, http2: bool = False
    ) -> HttpEndpoint:
        """Prepares calls to an HTTP endpoint."""
        limiter = self._limiter(origin(httpx.URL(url)), headers or {})
        return HttpEndpoint(
            self.http, self.secrets, limiter, url, headers=headers, http2=http2, sealed=self._sealed
        )

    def grpc_endpoint(
        self,
        make_stub: Callable[[grpc.aio.Channel], Stub],
        address: str,
        *,
        tls: bool,
        metadata: Mapping[str, str],
    ) -> GrpcEndpoint[Stub]:
        """Prepares calls to a gRPC endpoint; the caller closes it."""
        return GrpcEndpoint(
            make_stub,
            address,
            tls=tls,
            metadata=metadata,
            limiter=self._limiter(address, metadata),
            settings=self.settings,
            secrets=self.secrets,
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._limiters.aclose()
        await self.http.aclose()

    def _limiter(self, endpoint: str, headers: Mapping[str, str]) -> EndpointLimiter:
        limiter = self._limiters.of(endpoint, headers)
        self._used.add(limiter)
        return limiter
