"""How often a JSON Schema looks at one value.

A few lines of schema can ask for exponential work: `{"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}`, repeated
through `$defs`, doubles it with every definition, and the same inside `items` with every level of the value. The
validator counts nothing, so the number is bounded before it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from evalrpc_server.evaluators.builtin.pointers import PointerError, resolve

MAX_LOOKS = 1_000
"""The most times a schema may look at one value."""

MAX_LEVELS = 64
"""For how many levels of a value the looks are counted; what multiplies has passed the limit long before."""

Schema = dict[str, Any]
Slot = tuple[str, str | int | None]
"""Where a value stands in the one around it: a property by its name, an item by its index, or any other (None)."""

_SAME_LISTS = ("allOf", "anyOf", "oneOf")
_SAME = ("not", "if", "then", "else")
_SAME_MAPS = ("dependentSchemas", "dependencies")
_EVERY = {
    "properties": ("unevaluatedProperties", "propertyNames"),
    "items": ("unevaluatedItems", "contains"),
}


class SchemaCostError(ValueError):
    """The schema looks at one value too often, or cannot be followed."""


def looks_per_value(schema: Schema) -> int:
    """Returns an upper bound of the number of subschemas that are applied to any one value.

    Raises:
        SchemaCostError: there may be more than `MAX_LOOKS`, or a reference is no JSON pointer into the schema.
    """
    return _Count(schema).most()


class _Count:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._nodes: dict[int, Schema] = {}
        self._applied: dict[int, dict[int, int]] = {}
        self._below: dict[int, list[list[tuple[int, int]]]] = {}
        self._walk()

    def most(self) -> int:
        """Counts the looks at the root's value, then at values one level deeper, until nothing changes."""
        looks = {node: sum(applied.values()) for node, applied in self._applied.items()}
        most = looks[id(self._root)]
        for _ in range(MAX_LEVELS):
            deeper = {
                node: max((sum(looks[child] * times for child, times in slot) for slot in slots), default=0)
                for node, slots in self._below.items()
            }
            most = max(most, deeper[id(self._root)])
            if most > MAX_LOOKS:
                raise SchemaCostError(
                    f"more than {MAX_LOOKS} of its parts may apply to one value; refer to the same definition "
                    "fewer times from allOf, anyOf, oneOf or items"
                )
            if deeper == looks:
                break
            looks = deeper
        return most

    def _walk(self) -> None:
        """Finds all subschemas, what each applies to its own value, and what to the values inside."""
        new = [self._root]
        while new:
            node = new.pop()
            if id(node) in self._applied:
                continue
            self._nodes[id(node)] = node
            applied = self._applied[id(node)] = self._closure(node)
            slots = {slot for inner in applied for slot in _slots(self._nodes[inner])}
            below: list[list[tuple[int, int]]] = []
            for slot in slots:
                children: list[tuple[int, int]] = []
                for inner, times in applied.items():
                    for child in _at(self._nodes[inner], slot):
                        children.append((id(child), times))
                        new.append(child)
                below.append(children)
            self._below[id(node)] = below

    def _closure(self, schema: Schema) -> dict[int, int]:
        """Counts how often each subschema is applied to a value because `schema` is."""
        applied: dict[int, int] = {}
        waiting = [schema]
        looks = 0
        while waiting:
            node = waiting.pop()
            looks += 1
            if looks > MAX_LOOKS:
                raise SchemaCostError(
                    f"more than {MAX_LOOKS} of its parts apply to one value; it refers to itself, or too often to the "
                    "same definition"
                )
            self._nodes[id(node)] = node
            applied[id(node)] = applied.get(id(node), 0) + 1
            waiting.extend(self._same_value(node))
        return applied

    def _same_value(self, node: Schema) -> Iterator[Schema]:
        if "$id" in node and node is not self._root:
            raise SchemaCostError("an $id inside the schema cannot be followed; use $defs and JSON pointers")
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in node:
                yield from _schemas(self._target(node[keyword]))
        for keyword in _SAME:
            yield from _schemas(node.get(keyword))
        for keyword in _SAME_LISTS:
            yield from _schemas(*_items(node.get(keyword)))
        for keyword in _SAME_MAPS:
            yield from _schemas(*_values(node.get(keyword)))

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise SchemaCostError(
                "a reference is no JSON pointer into the schema, such as #/$defs/name; nothing else is followed"
            )
        try:
            return resolve(self._root, unquote(reference[1:]))
        except PointerError:
            raise SchemaCostError(f"there is nothing at the reference {reference[:200]}") from None


def _slots(node: Schema) -> Iterator[Slot]:
    yield ("properties", None)
    yield ("items", None)
    yield from (("properties", name) for name in _dict(node.get("properties")))
    yield from (("items", index) for index in range(len(_prefix(node))))


def _at(node: Schema, slot: Slot) -> Iterator[Schema]:
    kind, place = slot
    yield from _schemas(*(node.get(keyword) for keyword in _EVERY[kind]))
    if kind == "properties":
        yield from _schemas(*_values(node.get("patternProperties")))
        named = _dict(node.get("properties"))
        yield from _schemas(named[place] if place in named else node.get("additionalProperties"))
    else:
        prefix = _prefix(node)
        rest = node.get("additionalItems") if isinstance(node.get("items"), list) else node.get("items")
        yield from _schemas(prefix[place] if isinstance(place, int) and place < len(prefix) else rest)


def _prefix(node: Schema) -> list[Any]:
    items = node.get("items")
    return items if isinstance(items, list) else _items(node.get("prefixItems"))


def _schemas(*candidates: Any) -> Iterator[Schema]:
    yield from (candidate for candidate in candidates if isinstance(candidate, dict))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _values(value: Any) -> list[Any]:
    return list(_dict(value).values())
