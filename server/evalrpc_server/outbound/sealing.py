"""Sealing: what callers wrote out as credentials, encrypted for the store.

AES-SIV (RFC 5297) with a key that is not in the store. It needs no nonce, and the same value gives the same sealed value, so
that the same evaluator is still recognised as the same. The key's file holds one key per line, in base64: the first one seals,
all of them open, so that a key is replaced by putting a new one before it.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

FILE_NAME = "sealing.key"
"""The key's file in a data directory."""

_KEY_BITS = 512
_CONTEXT = [b"evalrpc credential v1"]


class SealingError(Exception):
    """The key cannot be used, or does not open a value; the message holds neither."""


class Sealing:
    """Seals values and opens them.

    Args:
        keys: of 64 bytes each; the first one seals.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESSIV(key) for key in keys]

    def seal(self, value: str) -> str:
        """Returns a value encrypted, as text of the characters A-Z, a-z, 0-9, - and _."""
        sealed = self._ciphers[0].encrypt(value.encode("utf-8", "surrogatepass"), _CONTEXT)
        return base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")

    def open(self, sealed: str) -> str:
        """Returns the value that was sealed.

        Raises:
            SealingError: it was sealed with another key, or damaged.
        """
        try:
            data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except (binascii.Error, ValueError):
            data = b""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(data, _CONTEXT).decode("utf-8", "surrogatepass")
            except (InvalidTag, ValueError):
                continue
        raise SealingError("was sealed with a key that this server does not have")


def ephemeral_sealing() -> Sealing:
    """Returns a sealing whose key is lost with the process, for servers whose store is lost with it too."""
    return Sealing([AESSIV.generate_key(_KEY_BITS)])


def load_sealing(configured: Path | None, data_dir: Path) -> Sealing:
    """Reads the configured key, or the one in the data directory, which is made where it is missing.

    Raises:
        SealingError: the file cannot be read or written, or holds no key.
    """
    if configured is not None:
        return Sealing(read_keys(configured))
    path = data_dir / FILE_NAME
    if not path.exists():
        _make(path)
    return Sealing(read_keys(path))


def read_keys(path: Path) -> Sequence[bytes]:
    """Returns the keys of a file.

    Raises:
        SealingError: it cannot be read, or is not of the form above.
    """
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SealingError(f"the sealing key {path} cannot be read: {problem}") from None
    try:
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error:
        keys = []
    if not keys or any(len(key) * 8 != _KEY_BITS for key in keys):
        raise SealingError(
            f"the sealing key {path} must hold 64 random bytes in base64 on each line; "
            f"make one with: openssl rand -base64 64 | tr -d '\\n'"
        )
    return keys


def _make(path: Path) -> None:
    """Writes a new key for its owner alone, complete or not at all."""
    text = base64.b64encode(AESSIV.generate_key(_KEY_BITS)) + b"\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, text)
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)  # never over a key that another server has made meanwhile
        except FileExistsError:
            return
        finally:
            draft.unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise SealingError(f"the sealing key {path} cannot be written: {error.strerror}") from error
