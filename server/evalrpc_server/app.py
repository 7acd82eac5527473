"""The application: the one place where the server's parts are put together, in the order in which they depend."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from functools import partial

from msgspec.structs import replace

from evalrpc.v1.dataset_service_pb2_grpc import add_DatasetServiceServicer_to_server
from evalrpc.v1.evaluator_service_pb2_grpc import add_EvaluatorServiceServicer_to_server
from evalrpc.v1.experiment_service_pb2_grpc import add_ExperimentServiceServicer_to_server
from evalrpc.v1.worker_service_pb2_grpc import add_WorkerServiceServicer_to_server
from evalrpc_server.addresses import is_local
from evalrpc_server.config import Settings
from evalrpc_server.definitions.directory import Definitions
from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.evaluators.pools import open_batcher, open_sandbox
from evalrpc_server.evaluators.registry import EvaluatorResources
from evalrpc_server.http.listener import HttpListener
from evalrpc_server.langfuse.connections import Connections
from evalrpc_server.langfuse.integration import LangfuseIntegration
from evalrpc_server.langfuse.own_scores import OwnScores
from evalrpc_server.langfuse.projects import load_projects
from evalrpc_server.langfuse.recorded_runs import RecordedRuns
from evalrpc_server.langfuse.service import HostedDatasets
from evalrpc_server.listening import HttpParts, open_definitions, webhook_secret_names
from evalrpc_server.outbound.client import HttpClient
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.policy import OutboundPolicy, parse_policy
from evalrpc_server.outbound.sealing import load_sealing
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.outbound.settings import OutboundSettings
from evalrpc_server.rpc.auth import TokenAuthentication, check_exposure
from evalrpc_server.rpc.datasets import DatasetServicer
from evalrpc_server.rpc.evaluators import EvaluatorServicer
from evalrpc_server.rpc.experiments import ExperimentServicer
from evalrpc_server.rpc.interceptors.telemetry import RpcTelemetry
from evalrpc_server.rpc.server import RpcServer, Service
from evalrpc_server.rpc.settings import RpcSettings, TlsFiles
from evalrpc_server.rpc.workers import WorkerServicer
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.runner.assembly import SpecAssembly
from evalrpc_server.runner.calibration import Calibrator
from evalrpc_server.runner.comparison.comparisons import Comparisons
from evalrpc_server.runner.comparison.conclusion import Conclusions
from evalrpc_server.runner.manager import Manager
from evalrpc_server.runner.second_looks import SecondLooks
from evalrpc_server.runner.uploads import BrokenUploads
from evalrpc_server.store.port import Store
from evalrpc_server.store.registry import open_store
from evalrpc_server.targets.registry import TargetResources
from evalrpc_server.telemetry.experiments import ExperimentMetrics
from evalrpc_server.telemetry.lag import measured_lag
from evalrpc_server.telemetry.providers import Telemetry
from evalrpc_server.telemetry.store import MeasuredExperiments
from evalrpc_server.tokens import TokenRates, Tokens
from evalrpc_server.workers.hub import Workers

_STOP_SECONDS = 5.0
_FLUSH_SECONDS = 5.0


class App:
    """One server. `start` brings it up, `drain` takes it down without losing anything."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        self._closing = AsyncExitStack()
        self._manager: Manager | None = None
        self._rpc: RpcServer | None = None
        self._workers: Workers | None = None
        self._serving = False
        self.grpc_address = ""
        self.http_address = ""

    async def start(self) -> None:
        """Opens the store, takes up what is unfinished, and listens.

        Raises:
            StoreError: the store cannot be opened.
            ProjectsError: the configuration of Langfuse projects is wrong.
            ListenError: an address cannot be listened on, or must not be without authentication.
            TelemetryError: an OTEL_* variable cannot be followed.
            TokensError: the file of tokens cannot be used.
            SealingError: the sealing key cannot be used.
            SecretError: a secret that signs webhooks is not there.
            DefinitionsError: the directory of definitions cannot be read.
            OSError: a certificate cannot be read.
        """
        try:
            await self._start()
        except BaseException:
            await self._closing.aclose()
            raise

    async def _start(self) -> None:
        settings, clock = self._settings, SystemClock()
        tokens, rates = Tokens(settings.tokens) if settings.tokens else None, TokenRates()
        guards = [TokenAuthentication(tokens, rates)] if tokens else []
        served = rpc_settings(settings)
        check_exposure(served, tokens=bool(guards), insecure=settings.insecure)
        telemetry = Telemetry()
        self._closing.push_async_callback(telemetry.aclose)
        await self._closing.enter_async_context(measured_lag(telemetry.meter_provider))
        store = open_store(settings.store or settings.data_dir)
        await store.open()
        self._closing.push_async_callback(store.close)
        self._secrets.sealing = load_sealing(settings.sealing_key, settings.data_dir)
        outbound = Outbound(caller_settings(settings), self._secrets)
        self._closing.push_async_callback(outbound.aclose)
        batcher = open_batcher(settings.executor, settings.executor_workers)
        self._closing.push_async_callback(batcher.aclose)
        sandbox = open_sandbox()
        self._closing.push_async_callback(sandbox.aclose)
        connections = self._connect_langfuse(clock)
        spool = settings.data_dir / "spool"
        langfuse = LangfuseIntegration(connections, store=store, clock=clock, spool=spool)
        langfuse.start()
        self._closing.push_async_callback(langfuse.close, _FLUSH_SECONDS)
        broken = BrokenUploads(store)
        await broken.recover()
        self._closing.push_async_callback(broken.aclose)
        datasets = DatasetServicer(
            store=store,
            broken=broken,
            hosted=HostedDatasets(connections, clock, spool=spool),
            scores=OwnScores(connections, langfuse.delivery, store, clock),
        )
        key = await store.ensure_key("task_tokens")
        self._workers = workers = Workers(key, clock, lease=settings.worker_lease)
        await self._closing.enter_async_context(workers.supervised())
        resources = EvaluatorResources(
            outbound=outbound, batcher=batcher, sandbox=sandbox, store=store, workers=workers
        )
        assembly = SpecAssembly(
            store=store,
            clock=clock,
            targets=TargetResources(outbound=outbound, workers=workers),
            evaluators=resources,
            integration=langfuse,
            workers=workers,
        )
        measured = MeasuredExperiments(store, ExperimentMetrics(telemetry.meter_provider))
        comparisons = Comparisons(store, RecordedRuns(connections))
        self._manager = Manager(
            measured,
            assembly,
            clock,
            max_running=settings.max_running_experiments,
            conclusions=Conclusions(store, comparisons),
        )
        acceptance = Acceptance(store, clock, langfuse, seal=self._secrets.seal, comparisons=comparisons)
        definitions = open_definitions(settings, clock)
        await self._closing.enter_async_context(definitions.watched())
        self._rpc = RpcServer(
            self._services(
                store,
                self._manager,
                clock,
                acceptance,
                definitions,
                workers,
                datasets,
                comparisons,
                resources,
            ),
            served,
            telemetry=RpcTelemetry(telemetry.tracer_provider, telemetry.meter_provider),
            guards=guards,
        )
        if settings.http_listen:
            parts = HttpParts(
                settings=settings,
                secrets=self._secrets,
                tokens=tokens,
                rates=rates,
                definitions=definitions,
                connections=connections,
                acceptance=acceptance,
                manager=self._manager,
                store=store,
                clock=clock,
                probes={"serving": lambda: self._serving},
                metrics=telemetry.prometheus,
            )
            await self._listen_http(settings.http_listen, parts)
        await self._manager.recover()
        self.grpc_address = await self._rpc.start()
        self._serving = True

    async def _listen_http(self, address: str, parts: HttpParts) -> None:
        for name in webhook_secret_names(self._settings):
            self._secrets.resolve(name)  # a missing one ends the start, and not the first webhook
        listener = HttpListener(address, parts.routes())
        self.http_address = await listener.start()
        self._closing.push_async_callback(listener.aclose)

    def _connect_langfuse(self, clock: SystemClock) -> Connections:
        """Connects to the Langfuse projects; the operator names them, so the outbound policy is not asked."""
        projects = load_projects(os.environ, self._settings.langfuse_projects, self._secrets)
        client = HttpClient(outbound_settings(self._settings), self._secrets)
        self._closing.push_async_callback(client.aclose)
        return Connections(projects, client, self._secrets, clock)

    def _services(
        self,
        store: Store,
        manager: Manager,
        clock: SystemClock,
        acceptance: Acceptance,
        definitions: Definitions,
        workers: Workers,
        datasets: DatasetServicer,
        comparisons: Comparisons,
        resources: EvaluatorResources,
    ) -> list[Service]:
        experiments = ExperimentServicer(
            acceptance=acceptance,
            definitions=definitions,
            manager=manager,
            store=store,
            comparisons=comparisons,
            looks=SecondLooks(acceptance, store, clock),
        )
        calibrator = Calibrator(acceptance, resources)
        evaluators = EvaluatorServicer(acceptance=acceptance, calibrator=calibrator, store=store, clock=clock)
        hosted = WorkerServicer(workers)
        return [
            Service(
                "evalrpc.v1.ExperimentService", partial(add_ExperimentServiceServicer_to_server, experiments)
            ),
            Service(
                "evalrpc.v1.EvaluatorService", partial(add_EvaluatorServiceServicer_to_server, evaluators)
            ),
            Service("evalrpc.v1.DatasetService", partial(add_DatasetServiceServicer_to_server, datasets)),
            Service("evalrpc.v1.WorkerService", partial(add_WorkerServiceServicer_to_server, hosted)),
        ]

    async def drain(self) -> None:
        """Refuses what is new, lets items in flight finish within the grace period, and closes everything."""
        self._serving = False
        if self._rpc and self._manager and self._workers:
            await self._rpc.drain()
            self._workers.drain(self._settings.drain_grace)
            await self._manager.drain(self._settings.drain_grace)
            self._workers.close()
            await self._rpc.stop(_STOP_SECONDS)
        await self._closing.aclose()


def rpc_settings(settings: Settings) -> RpcSettings:
    """Returns how RPCs are served."""
    tls = None
    if settings.tls_certificate and settings.tls_key:
        tls = TlsFiles(
            certificate=settings.tls_certificate,
            key=settings.tls_key,
            client_authorities=settings.tls_client_authorities,
        )
    return RpcSettings(
        listen=settings.listen, tls=tls, reflection=settings.reflection, max_open_rpcs=settings.max_rpcs
    )


def outbound_settings(settings: Settings) -> OutboundSettings:
    """Returns how calls to what the operator names leave the server."""
    return OutboundSettings(
        ca_file=settings.ca_file,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
    )


def caller_settings(settings: Settings) -> OutboundSettings:
    """Returns how calls to what callers name leave the server: the outbound policy decides about each connection."""
    return replace(outbound_settings(settings), check_address=outbound_policy(settings))


def outbound_policy(settings: Settings) -> OutboundPolicy:
    """Returns which addresses callers may have called; private ones by default only of a server that is private too."""
    local = is_local(settings.listen) and (not settings.http_listen or is_local(settings.http_listen))
    return parse_policy(settings.outbound_allow, local=local)
