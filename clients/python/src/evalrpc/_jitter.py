"""The client's own source of chance."""

from __future__ import annotations

import random

JITTER = random.Random()  # noqa: S311  spreads retries, protects nothing
"""Spreads out what many clients would do at once. Python's own source stays untouched, so that a seed that the caller sets
keeps its meaning."""
