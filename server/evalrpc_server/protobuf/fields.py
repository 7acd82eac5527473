"""The spec of an experiment as JSON members, as definitions and webhooks give it: the JSON form of its message.

Both of protobuf's ways to write a name are read, `max_concurrency` and `maxConcurrency`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from google.protobuf import json_format

from evalrpc.v1 import experiment_spec_pb2
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.protobuf.documents import normalized
from evalrpc_server.protobuf.spec import spec_from_message

_UNKNOWN = re.compile(r'no field named "([^"]*)" at "([^"]*)"')
_MALFORMED = re.compile(r"Failed to parse (\S+) field")
_PLACE = re.compile(r" at ExperimentSpec\.([A-Za-z0-9_.\[\]]*[A-Za-z0-9_\]])\.*$")

FIELD_NAMES: Collection[str] = frozenset(
    name
    for field in experiment_spec_pb2.ExperimentSpec.DESCRIPTOR.fields
    for name in (field.name, field.json_name)
)
"""The names that a spec's members may have, in both ways of writing."""


def spec_fields(document: Mapping[str, JsonValue], path: str = "") -> Mapping[str, JsonValue]:
    """Returns a whole or partial spec's members in the contract's own way of writing.

    Raises:
        InvalidRequestError: a member is unknown or of the wrong kind. The values are not told: they may be secret.
    """
    message = _parse(document, path)
    try:
        fields: Mapping[str, JsonValue] = normalized(
            json_format.MessageToDict(message, preserving_proto_field_name=True)
        )
    except (json_format.Error, ValueError):
        raise InvalidRequestError([Violation(path, "holds a value that JSON does not have")]) from None
    return fields


def spec_from_fields(
    fields: Mapping[str, JsonValue], path: str = ""
) -> tuple[ExperimentSpec | None, list[Violation]]:
    """Reads a whole spec without inline items, and everything that is wrong with it.

    Raises:
        InvalidRequestError: as `spec_fields`.
    """
    spec, violations = spec_from_message(_parse(fields, path), item_count=None, path=path)
    return spec, [Violation(each.path.removeprefix("."), each.description) for each in violations]


def _parse(document: Mapping[str, JsonValue], path: str) -> experiment_spec_pb2.ExperimentSpec:
    try:
        return json_format.ParseDict(dict(document), experiment_spec_pb2.ExperimentSpec())
    except (json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError([_violation(str(error), path)]) from None


def _violation(said: str, path: str) -> Violation:
    """Makes a violation of the parser's words, whose quotations of values are left out."""
    if unknown := _UNKNOWN.search(said):
        inner = unknown[2].partition(".")[2]
        place = ".".join(filter(None, (path, inner, unknown[1])))
        return Violation(place, "is not a field of the spec; see ExperimentSpec for those that are")
    place = match[1] if (match := _PLACE.search(said)) else ".".join(_MALFORMED.findall(said))
    if place:
        several = "should not have multiple" in said
        problem = "must set only one of its kinds" if several else "is not of the field's type"
        return Violation(".".join(filter(None, (path, place))), problem)
    return Violation(path or "the spec", "cannot be read as an ExperimentSpec")
