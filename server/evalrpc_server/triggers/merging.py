"""Specs put on top of each other: a definition, and what a payload overrides in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from evalrpc_server.domain.documents import JsonValue

_ONE_OF: Collection[str] = frozenset({"task"})
"""Members that hold exactly one of several kinds; another kind takes the place of the first."""


def merged(base: Mapping[str, JsonValue], over: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Returns the members of `base`, overridden by those of `over`.

    Objects are merged member by member; lists, and everything else, take the place of what was there.
    """
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        if (
            not isinstance(before, Mapping)
            or not isinstance(value, Mapping)
            or (key in _ONE_OF and before.keys().isdisjoint(value.keys()))
        ):
            result[key] = value
        else:
            result[key] = merged(before, value)
    return result
