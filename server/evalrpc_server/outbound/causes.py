"""Why a connection could not be made, in words that do not depend on the library that tried."""

from __future__ import annotations

import errno
import os
import socket
import ssl


def connection_cause(error: BaseException) -> str:
    """Returns the cause at the bottom of a failed connection, such as "connection refused"."""
    chain = _chain(error)
    for cause in chain:
        # aiohttp's subclasses of these errors lack message and reason; the original stands further down.
        if isinstance(cause, ssl.SSLCertVerificationError) and (
            message := getattr(cause, "verify_message", "")
        ):
            return f"its TLS certificate is not trusted ({message.rstrip('.')})"
    for cause in chain:
        if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", "")):
            return f"the TLS handshake failed ({reason.lower().replace('_', ' ')})"
        if isinstance(cause, socket.gaierror):
            return "its host name is unknown"
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return "the TLS handshake failed"
    for cause in chain:
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, OSError) and cause.errno:
            known = cause.errno == errno.ECONNREFUSED
            return "connection refused" if known else os.strerror(cause.errno).lower()
    return "no connection could be made"


def _chain(error: BaseException) -> list[BaseException]:
    """Lists an error with what caused it, also what libraries carry beside Python's own links."""
    chain: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo and len(chain) < 20:
        current = todo.pop(0)
        if current is None or any(current is seen for seen in chain):
            continue
        chain.append(current)
        todo += [getattr(current, "os_error", None), current.__cause__, current.__context__]
    return chain
