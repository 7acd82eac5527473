"""A stand-in in a process of its own, and its switches from the outside."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.processes import running

SECONDS = 60


class RemoteStandIn:
    """The control surface of a stand-in that runs elsewhere; every call blocks.

    Attributes:
        url: The base URL of its API.
        control_url: Where its control surface stays reachable.
        environment: The ``LANGFUSE_*`` variables that lead a client to its first project.
    """

    def __init__(self, url: str, control_url: str, public_key: str, secret_key: str) -> None:
        self.url = url
        self.control_url = control_url
        self.environment = {
            "LANGFUSE_BASE_URL": url,
            "LANGFUSE_HOST": url,
            "LANGFUSE_PUBLIC_KEY": public_key,
            "LANGFUSE_SECRET_KEY": secret_key,
        }

    def change(self, **fields: object) -> dict[str, Any]:
        """Turn switches, see `control.Change`; returns the stats.

        Raises:
            ValueError: A field or value that does not exist.
        """
        return self._call("change", fields)

    def load(self, name: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Create a dataset with all its items (id, input, expectedOutput, metadata, status)."""
        return self._call("load", {"name": name, "items": list(items)})

    def stats(self) -> dict[str, Any]:
        """Counts of requests, faults and records."""
        return self._call("stats")

    def records(self) -> dict[str, Any]:
        """The first project's records in comparable form, see `records.normalise`."""
        return self._call("records")

    def dump(self) -> dict[str, Any]:
        """The first project's spans, scores and runs as they are."""
        return self._call("dump")

    def _call(self, name: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control_url}/__standin/{name}", data)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(error.read().decode()) from None


@contextmanager
def launched(*arguments: str) -> Iterator[RemoteStandIn]:
    """Run ``python -m tests.standins.langfuse`` with these arguments until the block ends."""
    with running([sys.executable, "-m", "tests.standins.langfuse", *arguments]) as program:
        line = program.wait_for(r"stand-in (\S+) control (\S+) keys ([^:\s]+):(\S+)")
        yield RemoteStandIn(*line.groups())
