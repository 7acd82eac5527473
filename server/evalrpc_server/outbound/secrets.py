"""Secrets: resolved from the server's configuration when a call is made, and scrubbed from whatever is kept.

A header holds a secret by reference, `Bearer ${secret:NAME}`. The value comes from the environment variable
`EVALRPC_SECRET_NAME`, else from the file `NAME` in the configured directory, and lives in memory only.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

REFERENCE = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to a secret inside a header's value."""

ENVIRONMENT_PREFIX = "EVALRPC_SECRET_"
REDACTED = "[redacted]"

_UNUSABLE = re.compile(r"[\x00-\x1f\x7f]")
_MAX_FILE_BYTES = 64 * 1024
_FILE_SECONDS = 1.0  # how long a file's content is used before it is read again
_SHORTEST_IN_ANSWERS = 6  # a shorter value may well be an ordinary word of an answer


class SecretError(Exception):
    """A secret is referred to that the server does not have, or that no header can carry.

    Attributes:
        name: of the secret.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"The secret {name} {problem}.")
        self.name = name


class Secrets:
    """The secrets of the server.

    Args:
        directory: holds one file per secret, named like it; trailing line ends are not part of the value.
        prefix: begins the names of environment variables that hold secrets.
        environment: the variables to look in; by default those of the process.
    """

    def __init__(
        self,
        *,
        directory: Path | None = None,
        prefix: str = ENVIRONMENT_PREFIX,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._prefix = prefix
        self._environment = os.environ if environment is None else environment
        self._files: dict[str, tuple[float, str]] = {}
        self._resolved: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._long_pattern: re.Pattern[str] | None = None
        self._longest = 0

    def __repr__(self) -> str:
        return f"Secrets(directory={self._directory}, prefix={self._prefix})"

    def resolve(self, name: str) -> str:
        """Returns the value of a secret.

        Raises:
            SecretError: there is none of that name, or it holds control characters.
        """
        value = self._environment.get(self._prefix + name)
        if value is None:
            value = self._from_file(name)
        if value is None:
            where = f"set {self._prefix}{name} in the server's environment"
            if self._directory is not None:
                where += " or add a file of that name to the server's secrets directory"
            raise SecretError(name, f"is not known to the server; {where}")
        if not value or not value.isascii() or _UNUSABLE.search(value):
            raise SecretError(
                name, "is empty or holds characters that no header can carry; correct its value"
            )
        if value not in self._resolved:
            self._remember(value)
        return value

    def expand(self, text: str) -> str:
        """Returns a text with its references replaced by the values of the secrets.

        Raises:
            SecretError: as `resolve`.
        """
        return REFERENCE.sub(lambda match: self.resolve(match[1]), text)

    def protect(self, value: str) -> None:
        """Has a value that came from elsewhere scrubbed like one that was resolved."""
        if value and value not in self._resolved:
            self._remember(value)

    def redact(self, text: str) -> str:
        """Returns a text without any value that was ever resolved, also not in JSON or URL encoding."""
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)

    def redact_answer(self, text: str) -> str:
        """Like `redact`, for answers: values of fewer than 6 characters are left, as they may be ordinary words."""
        return text if self._long_pattern is None else self._long_pattern.sub(REDACTED, text)

    def excerpt(self, content: bytes, *, limit: int, complete: bool = True) -> str:
        """Returns the beginning of some received bytes as redacted text of at most `limit` bytes of UTF-8.

        Args:
            content: the bytes; what is not UTF-8 in them is replaced.
            limit: bytes.
            complete: False where `content` was cut, maybe within a secret's value; as much as one might take is dropped.
        """
        text = self.redact(content.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}"))
        if not complete and self._longest:
            text = text[: -self._longest]
        return text.encode("utf-8")[:limit].decode("utf-8", "ignore")

    def _from_file(self, name: str) -> str | None:
        if self._directory is None:
            return None
        now = time.monotonic()
        if (known := self._files.get(name)) and now - known[0] < _FILE_SECONDS:
            return known[1]
        try:
            with (self._directory / name).open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
        except OSError:
            return None
        if len(content) > _MAX_FILE_BYTES:
            raise SecretError(name, f"is larger than {_MAX_FILE_BYTES} bytes")
        value = content.decode("utf-8", "replace").rstrip("\r\n")
        self._files[name] = (now, value)
        return value

    def _remember(self, value: str) -> None:
        self._resolved.add(value)
        self._longest = max(len(form) for value in self._resolved for form in _forms(value))
        self._pattern = _any_of(self._resolved)
        long = {value for value in self._resolved if len(value) >= _SHORTEST_IN_ANSWERS}
        self._long_pattern = _any_of(long) if long else None


def _forms(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], quote(value, safe="")}


def _any_of(values: set[str]) -> re.Pattern[str]:
    """Matches any form of any value; where several begin at the same place, the longest."""
    forms = {form for value in values for form in _forms(value)}
    return re.compile(
        "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
    )
