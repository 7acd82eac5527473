"""What a webhook asks for, as the members of an experiment's spec."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from msgspec import Struct

from evalrpc_server.domain.definitions import Definition
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.spec.experiment import DATA_SOURCES
from evalrpc_server.triggers.bridge import BRIDGE_KEYS, DEFAULTS, bridge_task, is_bridge
from evalrpc_server.triggers.delivery import PAYLOAD, Delivery
from evalrpc_server.triggers.merging import merged

DEFINITION = "definition"
"""The member of a payload that names a definition."""

EXPERIMENT = "experiment"
"""The member of a payload that may hold a spec's members, which may also stand beside it."""

_MAX_NAME = 255


class SpecNames(Struct, frozen=True, kw_only=True):
    """How specs are read; the words of the contract are not known here.

    Attributes:
        members: the names that a spec's members may have.
        read: returns a partial spec's members in the contract's own way of writing, given its place for violations.
    """

    members: Collection[str]
    read: Callable[[Mapping[str, JsonValue], str], Mapping[str, JsonValue]]


class Plan(Struct, frozen=True, kw_only=True):
    """The members of a spec, and the keys of the payload that mean nothing to anybody here."""

    fields: Mapping[str, JsonValue]
    ignored: Collection[str]


def plan(
    delivery: Delivery,
    names: SpecNames,
    *,
    defaults: Definition | None,
    definition: Definition | None,
    ragflow_url: str,
) -> Plan:
    """Returns what to run: the payload over the definition over the defaults, over the dataset that was asked for.

    Args:
        delivery: the webhook.
        names: how specs are read.
        defaults: the definition that every triggered run starts from.
        definition: the one that the webhook names.
        ragflow_url: where a RAGFlow server is that a payload does not name.

    Raises:
        InvalidRequestError: the payload cannot be followed.
    """
    payload = delivery.payload
    own, ignored = _own_members(payload, names)
    fields = merged(_usable(defaults), _usable(definition))
    if is_bridge(payload):
        task = bridge_task(payload, ragflow_url=ragflow_url, path=PAYLOAD)
        fields = merged(merged(DEFAULTS, fields), {"task": task})
    fields = merged(fields, own)
    if "task" not in fields:
        problem = (
            "says nothing to run: name a definition, give a task, or configure one with --webhook-definition; "
            "a PowerRAG configuration has ragflow_chat_id, ragflow_agent_id or powerrag_api_url"
        )
        raise InvalidRequestError([Violation(PAYLOAD, problem)])
    return Plan(fields=_on_dataset(fields, delivery, definition), ignored=ignored)


def _own_members(
    payload: Mapping[str, JsonValue], names: SpecNames
) -> tuple[Mapping[str, JsonValue], Collection[str]]:
    """Returns the members of a spec in a payload, and the keys that are no members.

    A Bridge configuration may hold keys of other programs; anywhere else such a key is taken for a mistake.
    """
    beside = {key: value for key, value in payload.items() if key in names.members}
    nested = payload.get(EXPERIMENT, {})
    if not isinstance(nested, Mapping):
        raise InvalidRequestError([Violation(f"{PAYLOAD}.{EXPERIMENT}", "must be an object")])
    unknown = sorted(payload.keys() - beside.keys() - BRIDGE_KEYS - {DEFINITION, EXPERIMENT})
    if unknown and not is_bridge(payload):
        problem = "is neither a member of a spec nor of a PowerRAG configuration"
        raise InvalidRequestError([Violation(f"{PAYLOAD}.{key[:100]}", problem) for key in unknown])
    own = merged(names.read(beside, PAYLOAD), names.read(nested, f"{PAYLOAD}.{EXPERIMENT}"))
    return own, [key[:100] for key in unknown]


def _usable(definition: Definition | None) -> Mapping[str, JsonValue]:
    if definition is None:
        return {}
    if definition.fields is None:
        raise InvalidRequestError(
            [Violation(DEFINITION, f"{definition.name} cannot be used: {definition.problem}")]
        )
    return definition.fields


def _on_dataset(
    fields: Mapping[str, JsonValue], delivery: Delivery, definition: Definition | None
) -> Mapping[str, JsonValue]:
    """Returns the members with the webhook's dataset in place of whatever data they name; its selection stays."""
    selection = fields.get("langfuse_dataset")
    dataset = merged(selection if isinstance(selection, Mapping) else {}, {"name": delivery.dataset})
    kept = {key: value for key, value in fields.items() if key not in DATA_SOURCES}
    name = kept.get("name") or (definition.name if definition else delivery.dataset)
    return {**kept, "name": str(name)[:_MAX_NAME], "langfuse_dataset": dataset}
