"""Outages by switch: what goes wrong with which requests, how often, for how long."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

CUT = "cut"
LOST = "lost"
TIMEOUT = "timeout"


@dataclass(slots=True)
class Fault:
    """A rule about requests that go wrong.

    Attributes:
        kinds: What happens, one picked for each request: an HTTP status such as ``"500"``, ``"429"`` or
            ``"503"``; ``"timeout"`` (no answer, nothing processed); ``"cut"`` (connection aborted,
            nothing processed); ``"lost"`` (processed, then aborted without an answer).
        path: Only requests whose path contains this text.
        method: Only requests with this method; empty means all.
        ratio: Share of the matching requests that go wrong.
        times: How many requests go wrong before the rule ends; None means no end.
        retry_after: ``Retry-After`` in seconds on 429 and 503; None leaves the header out.
        hold: Seconds until a request that times out is aborted.
    """

    kinds: tuple[str, ...] = ("500",)
    path: str = ""
    method: str = ""
    ratio: float = 1.0
    times: int | None = None
    retry_after: float | None = None
    hold: float = 30.0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in (CUT, LOST, TIMEOUT) and not kind.isdigit()]
        if unknown or not self.kinds:
            raise ValueError(f"kinds: {unknown or 'none given'}; known are a status, cut, lost, timeout")

    def matches(self, method: str, path: str) -> bool:
        """Whether this rule is about such a request."""
        return self.path in path and self.method in ("", method) and self.times != 0


class Faults:
    """The rules in force; the first that matches and strikes decides."""

    def __init__(self) -> None:
        self._random = random.Random(0)
        self._rules: list[Fault] = []
        self.struck: Counter[str] = Counter()

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force, behind those already there."""
        self._rules.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take a rule out of force."""
        self._rules.remove(fault)

    def replace(self, rules: Iterable[Fault]) -> None:
        """Put these rules in force instead of the present ones."""
        self._rules = list(rules)

    def clear(self) -> None:
        """Take all rules out of force."""
        self._rules.clear()

    def seed(self, seed: int) -> None:
        """Start the random choices anew."""
        self._random = random.Random(seed)

    def strike(self, method: str, path: str) -> tuple[str, Fault] | None:
        """What goes wrong with this request, or None."""
        for rule in self._rules:
            if not rule.matches(method, path):
                continue
            if rule.ratio < 1.0 and self._random.random() >= rule.ratio:
                continue
            if rule.times is not None:
                rule.times -= 1
            kind = rule.kinds[0] if len(rule.kinds) == 1 else self._random.choice(rule.kinds)
            self.struck[kind] += 1
            return kind, rule
        return None
