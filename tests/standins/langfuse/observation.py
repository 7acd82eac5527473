"""What a span means to Langfuse: its attributes read as the fields of an observation."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tests.standins.langfuse.answers import Json, encode_json
from tests.standins.langfuse.clock import SECOND, iso
from tests.standins.langfuse.otlp import Attributes, Span

EXPERIMENT = "langfuse.experiment."
OBSERVATION = "langfuse.observation."
METADATA = f"{OBSERVATION}metadata"
TRACE = "langfuse.trace."

# The observation types are matched as they are, in lower case; a miss is a SPAN.
TYPES = {
    name: name.upper()
    for name in (
        "span", "event", "generation", "agent", "tool", "chain",
        "retriever", "evaluator", "embedding", "guardrail",
    )
}  # fmt: skip
ROOT_MARKS = ("langfuse.internal.is_app_root", "langfuse.internal.as_root")
CONSUMED = {
    *(f"{OBSERVATION}{name}" for name in (
        "type", "input", "output", "level", "status_message", "completion_start_time", "metadata",
        "model.name", "model.parameters", "usage_details", "cost_details", "prompt.name", "prompt.version",
    )),
    *(f"{TRACE}{name}" for name in ("name", "tags", "public", "metadata", "input", "output")),
    "user.id", "langfuse.user.id", "session.id", "langfuse.session.id", "langfuse.release",
    "langfuse.version", "langfuse.environment", "deployment.environment", "deployment.environment.name",
    *ROOT_MARKS,
}  # fmt: skip
CONSUMED_PREFIXES = (EXPERIMENT, f"{METADATA}.", f"{TRACE}metadata.")


def environment_of(value: object) -> str:
    """An environment name as the server stores it: cleaned, at most 40 characters, else ``default``."""
    if not isinstance(value, str):
        return "default"
    name = re.sub(r"^(langfuse[-_]*)+", "", value.lower())[:40]
    return name if re.fullmatch(r"[a-z0-9\-_]+", name) else "default"


def flatten(document: Json, prefix: str = "") -> dict[str, str]:
    """Metadata as the events tables keep it: dotted paths to strings."""
    if not isinstance(document, dict):
        return {
            prefix or "metadata": document if isinstance(document, str) else encode_json(document).decode()
        }
    flat: dict[str, str] = {}
    for key, value in document.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and value:
            flat.update(flatten(value, path))
        else:
            flat[path] = value if isinstance(value, str) else encode_json(value).decode()
    return flat


def parsed(value: object) -> Json:
    """JSON text decoded, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def text(value: object) -> str | None:
    """An input or output as the events tables return it."""
    return value if value is None or isinstance(value, str) else encode_json(value).decode()


def prefixed(attributes: Attributes, prefix: str, *, decode: bool) -> Json:
    """The document spread over ``<prefix>`` (JSON text) and ``<prefix>.<key>`` attributes."""
    found: dict[str, Any] = {}
    if (whole := attributes.get(prefix)) is not None:
        document = parsed(whole)
        found.update(document if isinstance(document, dict) else {"metadata": document})
    start = f"{prefix}."
    for key, value in attributes.items():
        if key.startswith(start):
            found[key[len(start) :]] = parsed(value) if decode else value
    return found


class Observation:
    """The fields of one observation, read from its span."""

    def __init__(self, span: Span, *, encoded_metadata: bool, staged: bool = False) -> None:
        """Read `span`.

        Args:
            span: The span as received.
            encoded_metadata: Metadata values are JSON texts (Python SDK 5 and newer).
            staged: The span took the slow path, where experiment attributes get lost.
        """
        self.span = span
        self.attributes = span.attributes
        self._encoded = encoded_metadata
        self.experiment_id = None if staged else self._string(f"{EXPERIMENT}id")

    def _string(self, *names: str) -> str | None:
        for name in names:
            if (value := self.attributes.get(name)) is not None:
                return value if isinstance(value, str) else encode_json(value).decode()
        return None

    @property
    def type(self) -> str:
        """SPAN, GENERATION, EVALUATOR and so on."""
        kind = self.attributes.get(f"{OBSERVATION}type")
        if isinstance(kind, str) and kind in TYPES:
            return TYPES[kind]
        if f"{OBSERVATION}model.name" in self.attributes or "gen_ai.request.model" in self.attributes:
            return "GENERATION"
        return "SPAN"

    @property
    def level(self) -> str:
        """The level given, or ERROR when the span's status says so."""
        if (level := self._string(f"{OBSERVATION}level")) is not None:
            return level
        return "ERROR" if self.span.status_code == 2 else "DEFAULT"

    @property
    def status_message(self) -> str | None:
        """The status message given, or the span's."""
        return self._string(f"{OBSERVATION}status_message") or self.span.status_message or None

    @property
    def environment(self) -> str:
        """From the span, else from the resource."""
        for attributes in (self.attributes, self.span.resource):
            for name in ("langfuse.environment", "deployment.environment.name", "deployment.environment"):
                if name in attributes:
                    return environment_of(attributes[name])
        return "default"

    @property
    def input(self) -> object:
        """The input as sent: text, or JSON text."""
        return self.attributes.get(f"{OBSERVATION}input", self.attributes.get("input.value"))

    @property
    def output(self) -> object:
        """The output as sent: text, or JSON text."""
        return self.attributes.get(f"{OBSERVATION}output", self.attributes.get("output.value"))

    @property
    def metadata(self) -> dict[str, Json]:
        """Given metadata, and every attribute without a meaning of its own."""
        document: dict[str, Json] = prefixed(self.attributes, METADATA, decode=self._encoded)
        other = {
            key: value
            for key, value in self.attributes.items()
            if key not in CONSUMED and not key.startswith(CONSUMED_PREFIXES)
        }
        if other:
            document["attributes"] = other
        document["resourceAttributes"] = self.span.resource
        document["scope"] = {"name": self.span.scope, "version": self.span.scope_version}
        return document

    @property
    def is_root(self) -> bool:
        """No parent, or marked by the SDK as the root of its application."""
        return self.span.parent_id is None or any(self.attributes.get(mark) is True for mark in ROOT_MARKS)

    @property
    def usage(self) -> dict[str, Json]:
        """Token counts by kind."""
        return dict(parsed(self.attributes.get(f"{OBSERVATION}usage_details")) or {})

    @property
    def cost(self) -> dict[str, Json]:
        """Costs in USD by kind."""
        return dict(parsed(self.attributes.get(f"{OBSERVATION}cost_details")) or {})

    @property
    def total_cost(self) -> float:
        """The cost given as total, else the sum."""
        cost = self.cost
        return float(cost["total"]) if "total" in cost else float(sum(cost.values()))

    @property
    def model(self) -> str | None:
        """The model's name as given."""
        return self._string(f"{OBSERVATION}model.name", "gen_ai.request.model")

    @property
    def latency(self) -> float:
        """Seconds from start to end."""
        return (self.span.end - self.span.start) / SECOND

    def trace_fields(self) -> dict[str, Json]:
        """The fields that belong to the trace but stand on spans."""
        tags = self.attributes.get(f"{TRACE}tags")
        return {
            "name": self._string(f"{TRACE}name"),
            "userId": self._string("langfuse.user.id", "user.id"),
            "sessionId": self._string("langfuse.session.id", "session.id"),
            "tags": tags if isinstance(tags, list) else ([tags] if tags else []),
            "public": bool(self.attributes.get(f"{TRACE}public", False)),
            "release": self._string("langfuse.release") or self.span.resource.get("langfuse.release"),
            "version": self._string("langfuse.version") or self.span.resource.get("service.version"),
            "metadata": prefixed(self.attributes, f"{TRACE}metadata", decode=self._encoded),
            "input": self.attributes.get(f"{TRACE}input"),
            "output": self.attributes.get(f"{TRACE}output"),
        }

    def model_fields(self) -> dict[str, Json]:
        """Model, usage and cost, under the names that both observation APIs share."""
        completion = self._string(f"{OBSERVATION}completion_start_time")
        return {
            "completionStartTime": parsed(completion) if completion else None,
            "modelParameters": parsed(self.attributes.get(f"{OBSERVATION}model.parameters")),
            "usageDetails": self.usage,
            "costDetails": self.cost,
            "promptName": self._string(f"{OBSERVATION}prompt.name"),
            "promptVersion": parsed(self.attributes.get(f"{OBSERVATION}prompt.version")),
        }

    def times(self) -> dict[str, str]:
        """Start and end in the API's form."""
        return {"startTime": iso(self.span.start), "endTime": iso(self.span.end)}
