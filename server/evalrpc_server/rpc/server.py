"""The gRPC server: services, health, reflection, and the stages around every call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from msgspec import Struct

from evalrpc_server.addresses import ListenError
from evalrpc_server.rpc.auth import certificate_name
from evalrpc_server.rpc.interceptors.access_log import access_log
from evalrpc_server.rpc.interceptors.admission import Admission, Draining
from evalrpc_server.rpc.interceptors.chain import Chain, Stage
from evalrpc_server.rpc.interceptors.faults import faults
from evalrpc_server.rpc.interceptors.request_id import request_id
from evalrpc_server.rpc.settings import RpcSettings
from evalrpc_server.rpc.tls import server_credentials

logger = logging.getLogger(__name__)

_SUPERVISION_SECONDS = 0.2
_RELISTEN_SECONDS = 0.05
_UNLIMITED = 10.0 * 365 * 24 * 3600


class Service(Struct, frozen=True):
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
        self._services = tuple(services)
        self._settings = settings
        self._draining = Draining()
        recorded = [telemetry] if telemetry else []
        named = [certificate_name] if settings.tls and settings.tls.client_authorities else []
        admission = Admission(settings.max_open_rpcs)
        self._chain = Chain(
            [request_id, access_log, *recorded, faults, self._draining, *guards, *named, admission]
        )
        self._health = health.aio.HealthServicer()
        self._address = settings.listen
        self._server: grpc.aio.Server | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listens, serves, and returns the address with the port that it has got.

        Raises:
            ListenError: the address is taken or wrong.
            OSError: a TLS file cannot be read.
        """
        self._server, self._address = await self._serve(self._settings.listen)
        for service in self._services:
            await self._health.set(service.name, health_pb2.HealthCheckResponse.SERVING)
        self._supervisor = asyncio.create_task(self._supervise(), name="gRPC supervisor")
        return self._address

    async def drain(self) -> None:
        """Tells health watchers that the server goes, and refuses new calls; those that are open go on."""
        self._draining.begin()
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Stops listening, gives open calls some seconds to end, cuts off the others, and frees the port."""
        await self.drain()
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        if self._server is not None:
            await self._server.stop(grace)
        for task in self._retired:
            task.cancel()
        if self._retired:
            await asyncio.wait(self._retired)

    async def _serve(self, listen: str) -> tuple[grpc.aio.Server, str]:
        server = grpc.aio.server(interceptors=[self._chain], options=self._settings.channel_arguments())
        for service in self._services:
            service.register(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._settings.reflection:
            names = (*(each.name for each in self._services), health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        try:
            if self._settings.tls is None:
                port = server.add_insecure_port(listen)
            else:
                port = server.add_secure_port(listen, server_credentials(self._settings.tls))
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {listen}: {error}") from error
        await server.start()
        return server, listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def _supervise(self) -> None:
        """Puts a new server in the place of one whose serving loop has broken; its open calls go on.

        The loop of grpc.aio ends, and with it the server, when a caller sends a method name that is not UTF-8.
        """
        while self._server is not None:
            try:
                if not await self._server.wait_for_termination(_SUPERVISION_SECONDS):
                    return
            except Exception:
                logger.exception("the gRPC server's serving loop broke; another one takes its place")
                retired = asyncio.create_task(_retire(self._server))
                self._retired.add(retired)
                retired.add_done_callback(self._retired.discard)
                self._server = await self._replacement()

    async def _replacement(self) -> grpc.aio.Server:
        while True:
            try:
                server, _ = await self._serve(self._address)
            except ListenError:  # the broken server is still closing its socket
                await asyncio.sleep(_RELISTEN_SECONDS)
            else:
                return server


async def _retire(server: grpc.aio.Server) -> None:
    """Lets the calls of a broken server end; cuts them off once this is cancelled."""
    try:
        await server.stop(_UNLIMITED)
    finally:
        await server.stop(None)
