"""The files of definitions: which there are, and what they hold."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import yaml
from msgspec import Struct

from evalrpc_server.domain.documents import JsonValue

ENDINGS = (".yaml", ".yml", ".json")
"""The endings of files that are read; JSON is YAML too."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 100
_MAX_VALUES = 100_000  # a value that others refer to counts each time


class FileError(Exception):
    """A file is no definition; the message says why, and quotes nothing of it."""


class Stamp(Struct, frozen=True):
    """By what a file is known to have changed.

    Attributes:
        path: of the file.
        modified: nanoseconds since 1970.
        size: bytes.
        inode: its number in the file system.
        double: whether another file makes a definition of the same name.
    """

    path: Path
    modified: int
    size: int
    inode: int
    double: bool = False


def scan(directory: Path) -> Mapping[str, Stamp]:
    """Returns the files of a directory by the names of their definitions.

    Raises:
        OSError: the directory cannot be read.
    """
    stamps: dict[str, Stamp] = {}
    for path in sorted(directory.iterdir()):
        if path.suffix not in ENDINGS or path.name.startswith("."):
            continue
        try:
            status = path.stat()
        except OSError:  # it has gone meanwhile
            continue
        double = path.stem in stamps
        stamps[path.stem] = Stamp(path, status.st_mtime_ns, status.st_size, status.st_ino, double)
    return stamps


def read_members(name: str, stamp: Stamp) -> Mapping[str, JsonValue]:
    """Returns the members of a definition.

    Raises:
        FileError: the file cannot be read, or holds no definition.
    """
    if not _NAME.fullmatch(name):
        raise FileError("its name must be of the characters A-Z, a-z, 0-9, ., _ and -; rename the file")
    if stamp.double:
        raise FileError("two files make a definition of this name; remove one of them")
    if stamp.size > _MAX_BYTES:
        raise FileError(f"it is larger than {_MAX_BYTES} bytes")
    try:
        content = yaml.safe_load(stamp.path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FileError("it is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FileError(f"it is not YAML{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise FileError("it is not YAML") from None
    if not isinstance(content, dict):
        raise FileError("it must hold the members of an ExperimentSpec, such as task and evaluators")
    members = _plain(content, 0, itertools.count(1))
    assert isinstance(members, dict)
    return members


def _plain(value: JsonValue, depth: int, count: Iterator[int]) -> JsonValue:
    """Returns what YAML gave as JSON has it: keys are strings, dates are text."""
    if depth > _MAX_DEPTH or next(count) > _MAX_VALUES:
        raise FileError(
            f"it is nested deeper than {_MAX_DEPTH} levels, or holds more than {_MAX_VALUES} values"
        )
    if isinstance(value, dict):
        return {str(key): _plain(entry, depth + 1, count) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry, depth + 1, count) for entry in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
