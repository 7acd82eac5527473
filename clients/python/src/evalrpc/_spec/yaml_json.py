"""YAML as another way to write JSON.

PyYAML reads YAML 1.1, in which `on` is true, `1:30` is 90 and 2026-11-22 is a date. Here a plain word is null, true,
false or a number as in JSON (the JSON schema of YAML 1.2), and otherwise a string.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_RESOLVERS = (
    ("null", r"null|~", "n~"),
    ("bool", r"true|false", "tf"),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
    ("merge", "<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """Makes nothing but what JSON can hold; inherits the safe constructors alone."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as in the base


for _kind, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_pattern})\\Z"), list(_first))
_Loader.yaml_implicit_resolvers.setdefault("", []).append((f"{_TAG}null", re.compile(r"\Z")))


def parse_yaml(text: str) -> Any:
    """Returns what a YAML document says.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
