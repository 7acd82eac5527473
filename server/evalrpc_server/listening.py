"""The HTTP listener put together: health and metrics, webhooks, and how runs go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web
from msgspec import Struct

from evalrpc.report import CONTENT_SECURITY_POLICY, live_page
from evalrpc_server.config import Settings
from evalrpc_server.definitions.directory import Definitions
from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.http.guard import TokenGuard, WebhookGuard
from evalrpc_server.http.runs import Page, run_routes
from evalrpc_server.http.status import Probe, status_routes
from evalrpc_server.http.webhooks import webhook_routes
from evalrpc_server.langfuse.connections import Connections
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.protobuf.experiments import experiment_to_json
from evalrpc_server.protobuf.fields import FIELD_NAMES, spec_fields, spec_from_fields
from evalrpc_server.protobuf.report import report_update
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.runner.manager import Manager
from evalrpc_server.store.port import ExperimentStore
from evalrpc_server.tokens import TokenRates, Tokens
from evalrpc_server.triggers.definition_check import DefinitionCheck
from evalrpc_server.triggers.planning import SpecNames
from evalrpc_server.triggers.trigger import Trigger, TriggerSettings

_REPORT_EVENTS = 500
_NAMES = SpecNames(members=FIELD_NAMES, read=spec_fields)


def open_definitions(settings: Settings, clock: Clock) -> Definitions:
    """Returns the configured definitions; they are read once they are watched."""
    return Definitions(settings.definitions, DefinitionCheck(_NAMES, spec_from_fields), clock)


def webhook_secret_names(settings: Settings) -> Sequence[str]:
    """Returns the names of the secrets that sign webhooks."""
    return [name for name in settings.webhook_secrets.replace(",", " ").split() if name]


class HttpParts(Struct, frozen=True, kw_only=True):
    """What HTTP routes work with.

    Attributes:
        settings: of the server.
        secrets: where signing secrets are resolved.
        tokens: of callers; None where none are asked for.
        rates: how many calls each token has started.
        definitions: experiments kept under names.
        connections: to Langfuse.
        acceptance: of specs.
        manager: of experiments.
        store: where their results are.
        clock: tells the time.
        probes: what readiness is made of.
        metrics: returns the metrics as Prometheus text.
    """

    settings: Settings
    secrets: Secrets
    tokens: Tokens | None
    rates: TokenRates
    definitions: Definitions
    connections: Connections
    acceptance: Acceptance
    manager: Manager
    store: ExperimentStore
    clock: Clock
    probes: Mapping[str, Probe]
    metrics: Callable[[], str]

    def routes(self) -> Sequence[web.RouteDef]:
        """Returns all routes of the listener."""
        tokens = TokenGuard(self.tokens, self.rates)
        guard = WebhookGuard(
            secrets=self._signing_secrets,
            unsigned=self.settings.webhook_unsigned,
            tokens=tokens,
            clock=self.clock,
        )
        return [
            *status_routes(self.probes, self.metrics),
            *webhook_routes(self._trigger(), guard, self.clock),
            *run_routes(self._document, self._report, Page(live_page(), CONTENT_SECURITY_POLICY), tokens),
        ]

    def _trigger(self) -> Trigger:
        return Trigger(
            settings=TriggerSettings(
                default_definition=self.settings.webhook_definition, ragflow_url=self.settings.ragflow_url
            ),
            definitions=self.definitions,
            names=_NAMES,
            read_spec=spec_from_fields,
            project_name=self.connections.name_of,
            acceptance=self.acceptance,
            manager=self.manager,
            clock=self.clock,
        )

    def _signing_secrets(self) -> Sequence[str]:
        return [self.secrets.resolve(name) for name in webhook_secret_names(self.settings)]

    async def _document(self, experiment_id: str) -> JsonValue:
        return experiment_to_json(await self.manager.describe(experiment_id))

    async def _report(self, experiment_id: str, after: int) -> str:
        experiment = await self.manager.describe(experiment_id)
        events = await self.store.read_events(experiment_id, after=after, limit=_REPORT_EVENTS)
        results = [event.body for event in events if isinstance(event.body, ItemResult)]
        reached = events[-1].sequence if events else after
        more = bool(events) and reached < experiment.sequence
        return await asyncio.to_thread(report_update, experiment, results, cursor=str(reached), more=more)
