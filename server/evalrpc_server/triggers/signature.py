"""Langfuse's signature of a webhook: the header `x-langfuse-signature: t=<unix seconds>,v1=<hex>`.

The hex digits are the HMAC-SHA256 of `<t>.<raw body>` under the whole secret, its prefix `lf-whsec_` included.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from msgspec import Struct

HEADER = "x-langfuse-signature"

MAX_SKEW_SECONDS = 300.0
"""How far the time in a signature may be from the server's clock, either way."""

_MAX_HEADER = 2048


class SignatureError(Exception):
    """The signature is not good; the message says why, for the log and the sender."""


class _Signature(Struct, frozen=True):
    time: str
    digests: Sequence[str]


def verify_signature(header: str, body: bytes, secrets: Sequence[str], *, now: float) -> str:
    """Checks a signature; takes as long for a wrong one as for a right one.

    Returns:
        The signature in one way of writing, the first secret's, whatever else the header holds.

    Args:
        header: the header's value.
        body: as it came, byte for byte.
        secrets: of which any one may have made the signature, so that one can be replaced by another.
        now: seconds since 1970.

    Raises:
        SignatureError: none of the secrets made it, or not within the last (or next) 5 minutes.
    """
    signature = _parsed(header)
    message = signature.time.encode("ascii") + b"." + body
    good = False
    digests = [hmac.new(secret.encode("utf-8"), message, hashlib.sha256).hexdigest() for secret in secrets]
    for digest in digests:
        for presented in signature.digests:
            good |= hmac.compare_digest(digest, presented)
    if not good:
        raise SignatureError("the signature is not one of the configured secrets'")
    if abs(now - int(signature.time)) > MAX_SKEW_SECONDS:
        raise SignatureError(
            "the signature is older or newer than 5 minutes; set the clocks of both machines"
        )
    return f"t={signature.time},v1={digests[0]}"


def signed_at(signature: str) -> float:
    """Returns the time in a verified signature, in seconds since 1970."""
    return float(_parsed(signature).time)


def _parsed(header: str) -> _Signature:
    time, digests = "", list[str]()
    if len(header) <= _MAX_HEADER and header.isascii():
        for part in header.split(","):
            key, _, value = part.strip().partition("=")
            if key == "t" and value.isdigit() and len(value) <= 12:
                time = value
            elif key == "v1":
                digests.append(value.lower())
    if not time or not digests:
        raise SignatureError(f"the header {HEADER} is not of the form t=<seconds>,v1=<hex>")
    return _Signature(time, digests)
