"""Secrets: resolved from the server's configuration when a call is made, and scrubbed from whatever is kept.

A header holds a secret by reference, `Bearer ${secret:NAME}`. The value comes from the environment variable
`EVALRPC_SECRET_NAME`, else from the file `NAME` in the configured directory, and lives in memory only. What a caller wrote out
is kept sealed, `Bearer ${sealed:...}`, and opened here too.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import quote

from evalrpc_server.domain import credentials
from evalrpc_server.outbound.sealing import Sealing, SealingError

REFERENCE = re.compile(r"\$\{(?:secret:([A-Za-z_][A-Za-z0-9_]*)|sealed:([A-Za-z0-9_-]+))\}")
"""A reference to a secret inside a header's value, or a sealed value."""

ENVIRONMENT_PREFIX = "EVALRPC_SECRET_"

SEALED_MARK = b"${sealed:"
"""What a body holds that has a sealed value in it."""

REDACTED = credentials.REDACTED
_SEALED = re.compile(rb"\$\{sealed:([A-Za-z0-9_-]+)\}")
_SEALED_IN_URL = re.compile(rb"\$(?:\{|%7B)sealed(?::|%3A)([A-Za-z0-9_-]+)(?:\}|%7D)", re.IGNORECASE)
_MOST_OPENED = 1000  # sealed values at hand, and scrubbed; callers could otherwise fill the memory with them

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
        sealing: opens what callers wrote out; None where nothing is sealed.
    """

    def __init__(
        self,
        *,
        directory: Path | None = None,
        prefix: str = ENVIRONMENT_PREFIX,
        environment: Mapping[str, str] | None = None,
        sealing: Sealing | None = None,
    ) -> None:
        self.sealing = sealing
        self._directory = directory
        self._prefix = prefix
        self._environment = os.environ if environment is None else environment
        self._files: dict[str, tuple[float, str]] = {}
        self._resolved: set[str] = set()
        self._opened: OrderedDict[str, str] = OrderedDict()
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
        """Returns a text with its references replaced by the values of the secrets, and with sealed values opened.

        Raises:
            SecretError: as `resolve`, or a sealed value cannot be opened.
        """
        return REFERENCE.sub(
            lambda match: self._open(match[2]) if match[1] is None else self.resolve(match[1]), text
        )

    def seal(self, value: str) -> str:
        """Returns a reference to a value that a caller wrote out, in which the value is sealed."""
        if self.sealing is None:
            raise SecretError("that was written out", "cannot be kept by this server; it has no sealing key")
        return f"${{sealed:{self.sealing.seal(value)}}}"

    def open_body(self, body: bytes, sealed: Collection[str], *, json_text: bool) -> bytes:
        """Returns a body with sealed values in it opened.

        Args:
            body: as it is to be sent.
            sealed: those that belong into it; one that came with an item's data is not opened.
            json_text: whether it is JSON, so that what is put into its strings is escaped.

        Raises:
            SecretError: a sealed value cannot be opened.
        """
        if SEALED_MARK not in body:
            return body
        write: Callable[[str], str] = _json_escaped if json_text else str
        return _SEALED.sub(
            lambda match: (
                write(self._open(match[1].decode("ascii"))).encode("utf-8")
                if match[0].decode("ascii") in sealed
                else match[0]
            ),
            body,
        )

    def open_path(self, path: bytes) -> bytes:
        """Returns a URL's path and query with the sealed values in them opened and percent-encoded.

        Raises:
            SecretError: a sealed value cannot be opened.
        """
        if b"sealed" not in path:
            return path
        return _SEALED_IN_URL.sub(
            lambda match: quote(self._open(match[1].decode("ascii")), safe="").encode("ascii"), path
        )

    def protect(self, value: str) -> None:
        """Has a value that came from elsewhere scrubbed like one that was resolved."""
        if value and value not in self._resolved:
            self._remember(value)

    def redact(self, text: str) -> str:
        """Returns a text without any value that was ever resolved, also not in JSON or URL encoding."""
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)

    def holds_secret(self, body: bytes) -> bool:
        """Returns whether a body holds a value that was resolved, of at least 6 characters."""
        pattern = self._long_pattern
        return pattern is not None and bool(pattern.search(body.decode("utf-8", "replace")))

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

    def _open(self, sealed: str) -> str:
        if (value := self._opened.get(sealed)) is not None:
            self._opened.move_to_end(sealed)
            return value
        try:
            if self.sealing is None:
                raise SealingError("was sealed, and this server has no key")
            value = self.sealing.open(sealed)
        except SealingError as error:
            raise SecretError(
                "that was written out", f"{error}; start the server with the --sealing-key it was stored with"
            ) from None
        self._opened[sealed] = value
        forgotten = self._opened.popitem(last=False)[1] if len(self._opened) > _MOST_OPENED else ""
        self._resolved.discard(forgotten)
        if len(value) >= _SHORTEST_IN_ANSWERS:
            self._remember(value)
        return value

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


def _json_escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _forms(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], quote(value, safe="")}


def _any_of(values: set[str]) -> re.Pattern[str]:
    """Matches any form of any value; where several begin at the same place, the longest."""
    forms = {form for value in values for form in _forms(value)}
    return re.compile(
        "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
    )
