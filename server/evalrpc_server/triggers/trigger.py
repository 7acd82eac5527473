"""The trigger: makes a stored experiment of a webhook, quickly, and without asking anybody else."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, timedelta
from typing import Protocol

from msgspec import Struct

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.definitions import Definition
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, NotFoundError, Violation
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.runner.acceptance import Acceptance
from evalrpc_server.runner.manager import Manager
from evalrpc_server.triggers.delivery import PAYLOAD, Delivery, read_delivery
from evalrpc_server.triggers.planning import DEFINITION, Plan, SpecNames, plan
from evalrpc_server.triggers.signature import signed_at

logger = logging.getLogger(__name__)

REPEAT_SECONDS = 60
"""How long the same webhook is taken for a repeat: Langfuse's users click again when the first click seems lost."""

SIGNATURE_SECONDS = 660.0
"""How long a signature is remembered: longer than it is good."""

_MOST_SIGNATURES = 10_000
_MAX_RUN_NAME = 255

SpecReader = Callable[[Mapping[str, JsonValue], str], tuple[ExperimentSpec | None, list[Violation]]]
"""Reads a spec's members at a place; returns the spec, and everything that is wrong with it."""

ProjectName = Callable[[str], str]
"""Returns the name of the configured Langfuse project of an id, empty where it is not known; raises where there is none."""


class DefinitionSource(Protocol):
    """Where definitions are found."""

    async def get(self, name: str) -> Definition:
        """Returns a definition; raises NotFoundError where there is none of that name."""


class TriggerSettings(Struct, frozen=True, kw_only=True):
    """How triggered runs are made.

    Attributes:
        default_definition: that every triggered run starts from; empty for none.
        ragflow_url: where a RAGFlow server is that a payload does not name.
    """

    default_definition: str = ""
    ragflow_url: str = ""


class Triggered(Struct, frozen=True, kw_only=True):
    """What came of a webhook.

    Attributes:
        experiment: that it started, or an earlier one of the same content.
        repeated: whether it was an earlier one.
        ignored: keys of the payload that mean nothing here.
    """

    experiment: Experiment
    repeated: bool
    ignored: Collection[str]


class Trigger:
    """Starts experiments for webhooks."""

    def __init__(
        self,
        *,
        settings: TriggerSettings,
        definitions: DefinitionSource,
        names: SpecNames,
        read_spec: SpecReader,
        project_name: ProjectName,
        acceptance: Acceptance,
        manager: Manager,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._definitions = definitions
        self._names = names
        self._read_spec = read_spec
        self._project_name = project_name
        self._acceptance = acceptance
        self._manager = manager
        self._clock = clock
        self._starting = asyncio.Lock()
        self._signatures: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def start(self, body: bytes, *, definition: str = "", signature: str = "") -> Triggered:
        """Starts what a webhook asks for, unless it is a repeat of one that did.

        Args:
            body: as it came.
            definition: that the webhook's address names; empty for none.
            signature: the verified one; the same signature never starts a second experiment.

        Raises:
            InvalidRequestError: the webhook cannot be followed; all that is wrong is told.
            NotFoundError: there is no definition of the address's name.
            UnavailableError: the server is shutting down.
        """
        delivery = read_delivery(body)
        planned = await self._plan(delivery, definition)
        spec = self._spec(planned, delivery)
        async with self._starting:  # so that two at once are one
            if (earlier := await self._earlier(body, definition, signature)) is not None:
                return Triggered(experiment=earlier, repeated=True, ignored=planned.ignored)
            request_id = self._request_id(body, definition, self._sent(signature))
            experiment = await self._acceptance.accept(spec, request_id=request_id, path=PAYLOAD, later=True)
            experiment = await self._manager.start(
                experiment, request_id=request_id, fingerprint=_digest(body, definition)
            )
            self._remember(signature, experiment.id)
        logger.info(
            "started an experiment for a webhook",
            extra={
                "experiment_id": experiment.id,
                "dataset": delivery.dataset,
                "definition": definition,
                "ignored": list(planned.ignored),
            },
        )
        return Triggered(experiment=experiment, repeated=False, ignored=planned.ignored)

    async def _plan(self, delivery: Delivery, definition: str) -> Plan:
        named = delivery.payload.get(DEFINITION) or ""
        if not isinstance(named, str):
            raise InvalidRequestError([Violation(f"{PAYLOAD}.{DEFINITION}", "must be a string")])
        if definition and named and named != definition:
            problem = f"must be {definition}, which the webhook's address names, or left out"
            raise InvalidRequestError([Violation(f"{PAYLOAD}.{DEFINITION}", problem)])
        found = await self._definitions.get(definition) if definition else None
        if named and found is None:
            found = await self._named(named, f"{PAYLOAD}.{DEFINITION}")
        default = self._settings.default_definition
        return plan(
            delivery,
            self._names,
            defaults=await self._named(default, "--webhook-definition") if default else None,
            definition=found,
            ragflow_url=self._settings.ragflow_url,
        )

    async def _named(self, name: str, path: str) -> Definition:
        try:
            return await self._definitions.get(name)
        except NotFoundError as error:
            raise InvalidRequestError([Violation(path, error.message)]) from None

    def _spec(self, planned: Plan, delivery: Delivery) -> ExperimentSpec:
        fields = dict(planned.fields)
        if delivery.project_id and not fields.get("langfuse_project"):
            fields["langfuse_project"] = self._project_name(delivery.project_id)
        if run_name := str(fields.get("run_name") or ""):
            time = f" - {self._clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            fields["run_name"] = run_name[: _MAX_RUN_NAME - len(time)] + time
        spec, violations = self._read_spec(fields, PAYLOAD)
        if spec is None or violations:
            raise InvalidRequestError(violations)
        return spec

    async def _earlier(self, body: bytes, definition: str, signature: str) -> Experiment | None:
        """Returns the experiment that the same webhook started a short time ago, also before a restart.

        A signed webhook counts for the minute of its signature, so that it is known again however late it is repeated.
        """
        if signature and (known := self._signatures.get(signature)) and known[0] > self._clock.monotonic():
            return await self._manager.get(known[1])
        oldest = self._clock.now() - timedelta(seconds=REPEAT_SECONDS)
        sent = self._sent(signature)
        for moment in (sent, sent - REPEAT_SECONDS):
            joined = await self._manager.join(
                self._request_id(body, definition, moment), _digest(body, definition)
            )
            if joined is not None and (moment == sent or joined.create_time > oldest):
                return joined
        return None

    def _sent(self, signature: str) -> float:
        """Returns when a webhook was sent, in seconds since 1970."""
        return signed_at(signature) if signature else self._clock.now().timestamp()

    @staticmethod
    def _request_id(body: bytes, definition: str, moment: float) -> str:
        """Returns the request id of a webhook in the minute of a moment."""
        return f"webhook-{_digest(body, definition)[:32]}-{int(moment) // REPEAT_SECONDS}"

    def _remember(self, signature: str, experiment_id: str) -> None:
        if signature:
            self._signatures[signature] = (self._clock.monotonic() + SIGNATURE_SECONDS, experiment_id)
            if len(self._signatures) > _MOST_SIGNATURES:
                self._signatures.popitem(last=False)


def _digest(body: bytes, definition: str) -> str:
    return hashlib.sha256(definition.encode() + b"\n" + body).hexdigest()
