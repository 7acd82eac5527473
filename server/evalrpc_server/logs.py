"""Logs: one JSON object a line for programs, or a readable line for people, on standard error.

A line is made where it is logged and written by a thread, so that a reader who has stopped reading never holds up the
event loop; lines that find the queue full are counted and dropped.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

REDACTED = "[redacted]"
"""Stands where a secret was."""

_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("evalrpc_log_fields")
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_QUEUED_LINES = 10_000
_MAX_LINE_CHARACTERS = 64 * 1024

_KEY = r"(?:authorization|password|passwd|secret|token|api[-_]?key)(?:\\*[\"'])?\s*[:=]\s*(?:\\*[\"'])?"
_SUSPICIOUS = re.compile(r"bearer|basic|authorization|passw|secret|token|api[-_]?key|://|sk-", re.IGNORECASE)
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", rf"\1 {REDACTED}"),
        (rf"({_KEY})(?!\[redacted\]|(?:bearer|basic)\s)[^\s\"',;&}}\\]+", rf"\1{REDACTED}"),
        (r"(://[^\s/:@\"']*:)[^\s/@\"']+@", rf"\1{REDACTED}@"),
        (r"\bsk-[A-Za-z0-9_-]{12,}", REDACTED),
    )
)


class LogFormat(StrEnum):
    """How lines look; AUTO is TEXT on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def bind(**fields: str) -> None:
    """Adds fields to everything that the current task, and the tasks it starts from now on, will log."""
    _FIELDS.set({**_FIELDS.get({}), **fields})


def redact(text: str) -> str:
    """Returns a text without what looks like an Authorization header, a password in a URL, a key or a token."""
    if _SUSPICIOUS.search(text):
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    return text


class Logs:
    """The server's logging while the block lasts; the root logger is as before afterwards.

    Args:
        level: the least severe level that is written.
        form: how lines look.
        stream: where to; by default standard error.
        redactor: takes secrets that the server knows out of a line; see `outbound.secrets.Secrets.redact`.
    """

    def __init__(
        self,
        *,
        level: int | str = logging.INFO,
        form: LogFormat = LogFormat.AUTO,
        stream: TextIO | None = None,
        redactor: Callable[[str], str] | None = None,
    ) -> None:
        stream = stream or sys.stderr
        text = form is LogFormat.TEXT or (form is LogFormat.AUTO and stream.isatty())
        self._level = level
        self._handler = _QueueingHandler(stream)
        self._handler.addFilter(_worth_a_line)
        self._handler.setFormatter(_Formatter(_text if text else _json, redactor))
        self._before: tuple[list[logging.Handler], int] = ([], logging.WARNING)

    def __enter__(self) -> None:
        root = logging.getLogger()
        self._before = (root.handlers[:], root.level)
        root.handlers[:] = [self._handler]
        root.setLevel(self._level)
        logging.captureWarnings(capture=True)

    def __exit__(self, *_: object) -> None:
        logging.captureWarnings(capture=False)
        root = logging.getLogger()
        root.handlers[:], level = self._before
        root.setLevel(level)
        self._handler.close()


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Tells grpc's report of a caller that went away during a write, an everyday event, from its other errors."""
    return not (
        record.name == "grpc._cython.cygrpc"
        and str(record.msg).startswith("ExecuteBatchError raised in core")
    )


class _QueueingHandler(logging.Handler):
    """Formats records where they are logged, and writes the lines in a thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_QUEUED_LINES)
        self._dropped = 0
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="log writer", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001  a record that cannot be formatted is reported as logging does
            self.handleError(record)

    def close(self) -> None:
        """Writes what is queued, unless the reader has stopped reading."""
        if not self._closed:
            self._closed = True
            try:
                self._lines.put(None, timeout=1.0)
            except queue.Full:
                return
            self._writer.join(timeout=5.0)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                line += f"\n{self.format(logging.makeLogRecord(_dropped_record(dropped)))}"
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # closed: nobody is left to be told
                return


def _dropped_record(lines: int) -> dict[str, object]:
    return {
        "name": __name__,
        "levelname": "WARNING",
        "levelno": logging.WARNING,
        "msg": "%d lines were dropped because nobody read the log",
        "args": (lines,),
        "lines_dropped": lines,
    }


class _Formatter(logging.Formatter):
    def __init__(
        self,
        line: Callable[[logging.LogRecord, Mapping[str, object], str], str],
        redactor: Callable[[str], str] | None,
    ) -> None:
        super().__init__()
        self._line = line
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        trace = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        if record.stack_info:
            trace = f"{trace}\n{record.stack_info}".strip()
        line = self._line(record, {**_FIELDS.get({}), **extras}, trace)
        if self._redactor:
            line = self._redactor(line)
        return redact(line)


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= _MAX_LINE_CHARACTERS
        else f"{text[:_MAX_LINE_CHARACTERS]}… [{len(text)} characters]"
    )


def _json(record: logging.LogRecord, fields: Mapping[str, object], trace: str) -> str:
    line: dict[str, object] = {
        "time": _time(record),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _cut(record.getMessage()),
        **{key: _cut(value) if isinstance(value, str) else value for key, value in fields.items()},
    }
    if trace:
        line["exception"] = _cut(trace)
    return json.dumps(line, ensure_ascii=False, default=str)


def _text(record: logging.LogRecord, fields: Mapping[str, object], trace: str) -> str:
    described = "".join(f" {key}={_quoted(value)}" for key, value in fields.items() if value != "")
    line = (
        f"{_time(record)} {record.levelname:<7} {record.name}: {_printable(record.getMessage())}{described}"
    )
    return f"{line}\n{_cut(trace)}" if trace else line


def _quoted(value: object) -> str:
    text = _cut(str(value))
    return (
        text
        if re.fullmatch(r"[^\s\"=]+", text) and text.isprintable()
        else json.dumps(text, ensure_ascii=False)
    )


def _printable(text: str) -> str:
    """Returns a message that stays on its line and moves no cursor."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in _cut(text)
    )
