"""Task tokens: the names of attempts, which the server recognises as its own without having to remember them.

A token is a number that is never given twice, with a BLAKE2b MAC of it (RFC 7693) under a key kept in the store. Leases live in
memory: after a restart every unfinished trial begins anew, so a row for each lease would cost a commit for each call and
tell nothing that the experiment's own log does not. What must outlive the process is the answer to a report that comes
late: a token of an attempt before the restart is recognised, acknowledged and ignored, and only one that no server on this
store has issued is unknown.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from itertools import count

_PROCESS_BYTES = 10
_NUMBER_BYTES = 6
_SEAL_BYTES = 14
_BYTES = _PROCESS_BYTES + _NUMBER_BYTES + _SEAL_BYTES


class TaskTokens:
    """Issues tokens and recognises them."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._process = secrets.token_bytes(_PROCESS_BYTES)
        self._numbers = count()

    def issue(self) -> str:
        """Returns a token that was never issued before."""
        name = self._process + next(self._numbers).to_bytes(_NUMBER_BYTES, "big")
        return urlsafe_b64encode(name + self._seal(name)).decode("ascii")

    def issued(self, token: str) -> bool:
        """Whether a server with this key has issued the token."""
        try:
            content = urlsafe_b64decode(token.encode("ascii"))
        except (UnicodeEncodeError, binascii.Error):
            return False
        name, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
        return len(content) == _BYTES and hmac.compare_digest(seal, self._seal(name))

    def _seal(self, name: bytes) -> bytes:
        return blake2b(name, key=self._key, digest_size=_SEAL_BYTES).digest()
