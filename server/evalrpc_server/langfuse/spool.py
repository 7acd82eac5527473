"""A spool: dataset items on disk while their order is being drawn, so that a dataset larger than memory can be shuffled."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from evalrpc_server.domain.datasets import DatasetItem

_LENGTH = struct.Struct("<I")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DatasetItem).decode


class Spool:
    """A file without a name, gone with the process. Its methods block, so they are called in a thread.

    Args:
        directory: where the file is; made where it is missing.

    Raises:
        OSError: there can be no file.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=directory, prefix="spool-", buffering=0)  # noqa: SIM115  see close
        self._end = 0

    def append(self, items: Sequence[DatasetItem]) -> list[int]:
        """Writes items and returns where each stands; later ones stand higher.

        Raises:
            OSError: there is no room.
        """
        places, parts, end = list[int](), list[bytes](), self._end
        for item in items:
            content = _encode(item)
            places.append(end)
            parts += (_LENGTH.pack(len(content)), content)
            end += _LENGTH.size + len(content)
        rest = memoryview(b"".join(parts))
        while rest:
            rest = rest[os.pwrite(self._file.fileno(), rest, end - len(rest)) :]
        self._end = end
        return places

    def read(self, places: Sequence[int], *, max_bytes: int) -> list[DatasetItem]:
        """Reads the items at these places, as many of the first as fit into `max_bytes`, and at least one.

        Raises:
            OSError: the disk fails.
        """
        items, size, descriptor = list[DatasetItem](), 0, self._file.fileno()
        for place in places:
            (length,) = _LENGTH.unpack(os.pread(descriptor, _LENGTH.size, place))
            size += length
            if items and size > max_bytes:
                break
            items.append(_decode(os.pread(descriptor, length, place + _LENGTH.size)))
        return items

    def close(self) -> None:
        """Gives the disk back."""
        self._file.close()
