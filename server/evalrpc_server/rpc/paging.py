"""Page sizes and page tokens, as AIP-158 has them."""

from __future__ import annotations

import base64
import binascii
import hashlib

from evalrpc_server.domain.errors import InvalidRequestError, Violation
from evalrpc_server.domain.reasons import Reason


def page_limit(page_size: int, *, default: int, maximum: int) -> int:
    """Returns how many entries a page has at most.

    Raises:
        InvalidRequestError: the size is negative.
    """
    if page_size < 0:
        raise InvalidRequestError(
            [Violation("page_size", f"must not be negative; leave it out for {default}")]
        )
    return min(page_size or default, maximum)


def page_token(cursor: str, *arguments: object) -> str:
    """Returns the token of the next page, good only with the same arguments; empty at the end."""
    if not cursor:
        return ""
    return base64.urlsafe_b64encode(f"{_digest(arguments)}{cursor}".encode()).decode().rstrip("=")


def page_cursor(token: str, *arguments: object) -> str:
    """Returns the cursor in a token; empty for the first page.

    Raises:
        InvalidRequestError: the token is none of ours, or was given for other arguments.
    """
    if not token:
        return ""
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        content = ""
    digest = _digest(arguments)
    if not content.startswith(digest) or content == digest:
        raise invalid_page_token()
    return content[len(digest) :]


def invalid_page_token() -> InvalidRequestError:
    """Returns what a caller is told whose token is none of ours, or leads nowhere."""
    problem = "must be the next_page_token of a call with the same arguments, or empty"
    return InvalidRequestError([Violation("page_token", problem)], reason=Reason.INVALID_PAGE_TOKEN)


def _digest(arguments: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(arguments).encode()).hexdigest()[:8]
