"""All that calls leaving the server share, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import grpc.aio

from evalrpc_server.outbound.client import HttpClient
from evalrpc_server.outbound.endpoint import HttpEndpoint
from evalrpc_server.outbound.grpc import GrpcEndpoint, Stub
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.outbound.settings import OutboundSettings


class Outbound:
    """The server's way out; one for all experiments.

    Attributes:
        settings: trust, identity and limits.
        secrets: what headers may refer to.
        http: the pooled HTTP client.
    """

    def __init__(self, settings: OutboundSettings | None = None, secrets: Secrets | None = None) -> None:
        self.settings = settings or OutboundSettings()
        self.secrets = secrets or Secrets()
        self.http = HttpClient(self.settings, self.secrets)

    def endpoint(
        self, url: str, *, headers: Mapping[str, str] | None = None, http2: bool = False
    ) -> HttpEndpoint:
        """Prepares calls to an HTTP endpoint."""
        return HttpEndpoint(self.http, self.secrets, url, headers=headers, http2=http2)

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
            make_stub, address, tls=tls, metadata=metadata, settings=self.settings, secrets=self.secrets
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self.http.aclose()
