"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a finding is."""

    OK = "ok"
    NONE = "-"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what it is like, and how to mend what is wrong with it."""

    subject: str
    verdict: Verdict
    text: str
    hint: str = ""
