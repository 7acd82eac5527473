"""The ``filter`` parameter of list requests: a JSON array of conditions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec

from tests.standins.langfuse.answers import Json, invalid_request

OPERATORS: dict[str, Callable[[str, Json], bool]] = {
    "=": lambda found, wanted: found == str(wanted),
    "contains": lambda found, wanted: str(wanted) in found,
    "does not contain": lambda found, wanted: str(wanted) not in found,
    "starts with": lambda found, wanted: found.startswith(str(wanted)),
    "ends with": lambda found, wanted: found.endswith(str(wanted)),
    "any of": lambda found, wanted: found in [str(entry) for entry in wanted],
    "none of": lambda found, wanted: found not in [str(entry) for entry in wanted],
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition about a column that holds text."""

    column: str
    operator: str
    value: Json

    def holds(self, found: str) -> bool:
        """Whether the column's value meets it."""
        return OPERATORS[self.operator](found, self.value)


def read_filter(query: Mapping[str, str], columns: Collection[str]) -> list[Condition]:
    """The conditions of a request; unknown columns and operators are refused."""
    text = query.get("filter")
    if not text:
        return []
    try:
        entries = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise invalid_request("Invalid JSON in filter parameter") from None
    conditions = []
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict) or entry.get("column") not in columns:
            raise invalid_request("Invalid filter: unknown column")
        if entry.get("operator") not in OPERATORS:
            raise invalid_request("Invalid filter: unknown operator")
        conditions.append(Condition(entry["column"], entry["operator"], entry.get("value")))
    return conditions
