"""Langfuse's span attributes: encoded keys, encoded constants, and the groups that belong together."""

from __future__ import annotations

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.usage import Usage
from evalrpc_server.langfuse import otlp
from evalrpc_server.langfuse.documents import to_json

EXPERIMENT = "langfuse.experiment."
OBSERVATION = "langfuse.observation."
ITEM_ID = otlp.key(f"{EXPERIMENT}item.id")
ITEM_METADATA = otlp.key(f"{EXPERIMENT}item.metadata")
EXPECTED_OUTPUT = otlp.key(f"{EXPERIMENT}item.expected_output")
ROOT_OBSERVATION = otlp.key(f"{EXPERIMENT}item.root_observation_id")
INPUT = otlp.key(f"{OBSERVATION}input")
OUTPUT = otlp.key(f"{OBSERVATION}output")
METADATA = otlp.key(f"{OBSERVATION}metadata")
STATUS_MESSAGE = otlp.key(f"{OBSERVATION}status_message")
MODEL = otlp.key(f"{OBSERVATION}model.name")
USAGE = otlp.key(f"{OBSERVATION}usage_details")
COST = otlp.key(f"{OBSERVATION}cost_details")
TYPE_SPAN = otlp.attribute(f"{OBSERVATION}type", "span")
TYPE_GENERATION = otlp.attribute(f"{OBSERVATION}type", "generation")
TYPE_EVALUATOR = otlp.attribute(f"{OBSERVATION}type", "evaluator")
LEVEL_ERROR = otlp.attribute(f"{OBSERVATION}level", "ERROR")
APP_ROOT = otlp.attribute("langfuse.internal.is_app_root", value=True)


def duration(seconds: float) -> int:
    """Returns seconds in nanoseconds."""
    return round(seconds * 1e9)


def status(error: Error | None) -> str | None:
    """Returns the message of a span's error status, or None for no error."""
    return f"{error.reason}: {error.message}" if error else None


def failed(output: str, message: str) -> list[bytes]:
    """Returns the output, level and status message of an observation that failed."""
    return [otlp.text(OUTPUT, output), LEVEL_ERROR, otlp.text(STATUS_MESSAGE, message)]


def generation(usage: Usage) -> list[bytes]:
    """Returns what makes an observation a generation: the model, the tokens, the cost, as far as they are known."""
    parts = [TYPE_GENERATION]
    if usage.model:
        parts.append(otlp.text(MODEL, usage.model))
    tokens = {"input": usage.input_tokens, "output": usage.output_tokens}
    if known := {kind: count for kind, count in tokens.items() if count is not None}:
        parts.append(otlp.text(USAGE, to_json(known)))
    if usage.cost_usd is not None:
        parts.append(otlp.text(COST, to_json({"total": usage.cost_usd})))
    return parts
