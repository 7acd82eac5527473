"""Named points at which a test may end the process, to see that what is stored stays right.

`EVALRPC_FAILPOINT` arms them when the process starts, several separated by semicolons: `NAME=ACTION[@WHEN]`. ACTION is `exit`
(end at once with `EXIT_STATUS`, nothing cleaned up) or `kill` (SIGKILL to itself). WHEN is the number of the pass at which it
acts (default 1), or `PROBABILITY:SEED` for every pass. Unset, a passage costs one look at an empty dictionary.

    EVALRPC_FAILPOINT="store.before_commit=exit@17;store.after_commit=kill@0.001:42"
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Mapping
from itertools import count

VARIABLE = "EVALRPC_FAILPOINT"
"""The environment variable that arms failpoints."""

EXIT_STATUS = 86
"""The exit status of a process that a failpoint with the action `exit` ended."""


class FailpointError(ValueError):
    """The environment variable is malformed; the message says how to write it."""


def _exit() -> None:
    os._exit(EXIT_STATUS)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_ACTIONS: Mapping[str, Callable[[], None]] = {"exit": _exit, "kill": _kill}


def _parse(text: str) -> dict[str, Callable[[], None]]:
    armed = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, rest = entry.partition("=")
        action, _, when = rest.partition("@")
        try:
            if not name or not equals:
                raise ValueError
            armed[name] = _trigger(_ACTIONS[action], when or "1")
        except (KeyError, ValueError):
            raise FailpointError(
                f"{VARIABLE} holds {entry!r}; write NAME=exit@PASS or NAME=kill@PROBABILITY:SEED"
            ) from None
    return armed


def _trigger(action: Callable[[], None], when: str) -> Callable[[], None]:
    probability, colon, seed = when.partition(":")
    if colon:
        chance, source = float(probability), random.Random(int(seed))  # noqa: S311 - not for secrets

        def by_chance() -> None:
            if source.random() < chance:
                action()

        return by_chance
    wanted, passes = int(when), count(1)

    def at_pass() -> None:
        if next(passes) == wanted:
            action()

    return at_pass


_armed = _parse(os.environ.get(VARIABLE, ""))


def reach(name: str) -> None:
    """Ends the process here if the failpoint of that name is armed and it is its turn."""
    if _armed and name in _armed:
        _armed[name]()
