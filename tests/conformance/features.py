"""What there is to be seen: features, their expected outcomes, and whether an outcome is the expected one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the clients.

    Attributes:
        name: of its folder.
        title: what it is, for a table.
        outcome: what each language must see.
    """

    name: str
    title: str
    outcome: Any


def all_features() -> list[Feature]:
    """Reads all features, by name."""
    found = []
    for path in sorted(HERE.glob("*/expected.json")):
        content = json.loads(path.read_text("utf-8"))
        found.append(Feature(path.parent.name, content["title"], content["outcome"]))
    return found


def difference(expected: Any, seen: Any, path: str = "outcome") -> str | None:
    """Says where two documents differ first; None if they do not. True is not 1 here, and 1.0 is."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        for key in [*expected, *(key for key in seen if key not in expected)]:
            if key not in seen or key not in expected:
                return f"{path}.{key} is {'missing' if key not in seen else f'there: {_short(seen[key])}'}"
            if found := difference(expected[key], seen[key], f"{path}.{key}"):
                return found
        return None
    if isinstance(expected, list) and isinstance(seen, list):
        for index, (one, other) in enumerate(zip(expected, seen, strict=False)):
            if found := difference(one, other, f"{path}[{index}]"):
                return found
        return None if len(expected) == len(seen) else f"{path} has {len(seen)} members, not {len(expected)}"
    if isinstance(expected, bool) is isinstance(seen, bool) and expected == seen:
        return None
    return f"{path} is {_short(seen)}, not {_short(expected)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
