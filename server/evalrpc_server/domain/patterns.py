"""Patterns whose matches are cut out of outputs: RE2, which takes time linear in the text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2


def strip_matches(text: str, patterns: Sequence[str]) -> str:
    """Returns a text without the matches of some patterns, cut out one pattern after another."""
    for pattern in patterns:
        text = compile_pattern(pattern).sub("", text)
    return text


@lru_cache(maxsize=1000)
def compile_pattern(pattern: str) -> Any:
    """Returns a compiled pattern.

    Raises:
        re2.error: it is not valid.
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
