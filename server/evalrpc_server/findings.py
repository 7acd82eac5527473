"""What a check finds."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Verdict(Enum):
    """How a finding is."""

    OK = "ok"
    NONE = "-"
    WRONG = "WRONG"


class Finding(Struct, frozen=True):
    """One thing that was looked at: what it is like, and how to mend what is wrong with it."""

    subject: str
    verdict: Verdict
    text: str
    hint: str = ""
