"""Experiments kept on the server under names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Definition:
    """An experiment kept on the server under a name, to be started by a webhook.

    Attributes:
        name: its name.
        experiment: its spec in the JSON form of the contract; None where it cannot be read.
        problem: what is wrong with it as it is now, though an earlier version may still be in use; empty for nothing.
        update_time: when it was last changed.
    """

    name: str
    experiment: Mapping[str, Any] | None
    problem: str
    update_time: datetime
