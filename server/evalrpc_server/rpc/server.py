"""The gRPC server: services, health, reflection, and the stages around every call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from evalrpc_server.addresses import ListenError
from evalrpc_server.rpc.interceptors.access_log import access_log
from evalrpc_server.rpc.interceptors.admission import Admission, Draining
from evalrpc_server.rpc.interceptors.chain import Chain, Stage
from evalrpc_server.rpc.interceptors.faults import faults
from evalrpc_server.rpc.interceptors.request_id import request_id
from evalrpc_server.rpc.settings import RpcSettings, TlsFiles

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """A service to be served.

    Attributes:
        name: in full, like "evalrpc.v1.ExperimentService".
        register: adds its methods to a server: the generated `add_..._to_server`, given the servicer.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]


class RpcServer:
    """A gRPC server on the running event loop.

    Args:
        services: what it serves, besides health and reflection.
        settings: how.
        telemetry: the stage that records spans and metrics.
        guards: stages that decide whether a caller is let in, such as authentication; they go before the admission.
    """

    def __init__(
        self,
        services: Sequence[Service],
        settings: RpcSettings,
        *,
        telemetry: Stage | None = None,
        guards: Sequence[Stage] = (),
    ) -> None:
        self._settings = settings
        self._draining = Draining()
        stages: list[Stage] = [request_id, access_log]
        if telemetry is not None:
            stages.append(telemetry)
        stages += [faults, self._draining, *guards, Admission(settings.max_open_rpcs)]
        self._server = grpc.aio.server(interceptors=[Chain(stages)], options=settings.channel_arguments())
        self._health = health.aio.HealthServicer()
        self._names = [service.name for service in services]
        for service in services:
            service.register(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection:
            names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)

    async def start(self) -> str:
        """Listens, serves, and returns the address with the port that it has got.

        Raises:
            ListenError: the address is taken or wrong, or a TLS file cannot be used.
        """
        listen = self._settings.listen
        try:
            if self._settings.tls is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, _credentials(self._settings.tls))
        except (RuntimeError, OSError) as error:
            raise ListenError(f"cannot listen on {listen}: {error}") from error
        await self._server.start()
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def drain(self) -> None:
        """Tells health watchers that the server goes, and refuses new calls; those that are open go on."""
        self._draining.begin()
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Stops listening, gives open calls some seconds to end, cuts off the others, and frees the port."""
        await self.drain()
        await self._server.stop(grace)


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    authorities = tls.client_authorities.read_bytes() if tls.client_authorities else None
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=authorities,
        require_client_auth=authorities is not None,
    )
