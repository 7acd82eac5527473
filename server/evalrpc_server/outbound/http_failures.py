"""What goes wrong with an HTTP call, as failures that name the endpoint and what mends it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from evalrpc_server.outbound.causes import connection_cause
from evalrpc_server.outbound.exchange import AddressRefused
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.retries import (
    RETRYABLE_STATUSES,
    asked_wait,
    is_quota_exhausted,
    is_throttled,
)
from evalrpc_server.outbound.secrets import SecretError


def origin(url: httpx.URL) -> str:
    """Returns scheme, host and port of a URL, all in one way of writing, such as http://127.0.0.1:9000."""
    host = url.raw_host.decode("ascii")
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}.get(url.scheme)
    port = url.port
    return f"{url.scheme}://{host}" + (f":{port}" if port is not None and port != default else "")


def no_answer(url: httpx.URL, error: httpx.TransportError, *, connect_timeout: float) -> CallFailedError:
    """Tells why there was no response."""
    endpoint = origin(url)
    if isinstance(error, AddressRefused):
        return CallFailedError(
            Failure.REFUSED,
            f"must not be called: {error}. The server's outbound policy decides this.",
            endpoint=endpoint,
            host=url.host,
            rule=str(error),
        )
    if isinstance(error, httpx.ConnectTimeout):
        cause = f"no connection within {connect_timeout:g} s"
    elif isinstance(error, httpx.ConnectError):
        cause = connection_cause(error)
    elif isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        cause = "the request cannot be sent as HTTP"
    elif isinstance(error, httpx.RemoteProtocolError) and "disconnect" not in str(error).lower():
        return CallFailedError(
            Failure.NOT_HTTP,
            "answered with something that is not HTTP; correct the URL's scheme, host and port.",
            endpoint=endpoint,
        )
    else:
        return truncated(url, 0)
    return CallFailedError(
        Failure.UNREACHABLE,
        f"cannot be reached: {cause}. Check that it runs and that its URL is right.",
        endpoint=endpoint,
        retryable=isinstance(error, httpx.TimeoutException | httpx.NetworkError),
        cause=cause,
    )


def no_secret(endpoint: str, error: SecretError) -> CallFailedError:
    """Tells that a call was not made for want of a secret."""
    return CallFailedError(Failure.SECRET, f"was not called. {error}", endpoint=endpoint, secret=error.name)


def bad_status(url: httpx.URL, status: int, headers: Mapping[str, str], excerpt: str) -> CallFailedError:
    """Tells of a status that is not 2xx, with the beginning of the body."""
    if is_quota_exhausted(status, headers, excerpt):
        return CallFailedError(
            Failure.QUOTA,
            f"answered with HTTP status {status}: its account has no quota left; check its plan and billing.",
            endpoint=origin(url),
            status=str(status),
            body=excerpt,
        )
    retryable = status in RETRYABLE_STATUSES
    return CallFailedError(
        Failure.HTTP_STATUS,
        f"answered with HTTP status {status}{_advice(status)}.",
        endpoint=origin(url),
        retryable=retryable,
        retry_after=asked_wait(headers) if retryable else None,
        throttled=is_throttled(status, headers, excerpt),
        status=str(status),
        body=excerpt,
    )


def bad_redirect(url: httpx.URL, message: str, *, redirects: int) -> CallFailedError:
    """Tells of a redirect that is not followed, the last of so many."""
    return CallFailedError(
        Failure.REDIRECT, f"{message}; correct its URL.", endpoint=origin(url), redirects=str(redirects)
    )


def truncated(url: httpx.URL, received: int) -> CallFailedError:
    """Tells of a connection that closed after so many bytes of the body."""
    return CallFailedError(
        Failure.TRUNCATED,
        "closed the connection before its answer was complete; see its own log.",
        endpoint=origin(url),
        retryable=True,
        received_bytes=str(received),
    )


def stalled(url: httpx.URL, problem: str) -> CallFailedError:
    """Tells of a streamed answer that takes too long."""
    return CallFailedError(Failure.TIMEOUT, f"{problem}; see its own log.", endpoint=origin(url))


def unfinished(url: httpx.URL, problem: str) -> CallFailedError:
    """Tells of a streamed answer that lacks its end."""
    return CallFailedError(
        Failure.TRUNCATED, f"{problem}; see its own log.", endpoint=origin(url), retryable=True
    )


def too_large(url: httpx.URL, size: int, limit: int, *, what: str = "") -> CallFailedError:
    """Tells of a body above the limit, or of a part of it, such as "a line of"."""
    what = f"{what} " if what else ""
    return CallFailedError(
        Failure.TOO_LARGE,
        f"answered with {what}more than the {limit} bytes allowed; send a smaller answer, or a reference to it.",
        endpoint=origin(url),
        limit_bytes=str(limit),
        size_bytes=str(size),
    )


def wrong_coding(url: httpx.URL, problem: str) -> CallFailedError:
    """Tells of a body that is not in the content coding that its headers name."""
    return CallFailedError(
        Failure.INVALID_JSON, f"{problem}; correct its Content-Encoding.", endpoint=origin(url)
    )


def _advice(status: int) -> str:
    match status:
        case 401 | 403:
            return "; check the credentials in its headers"
        case 404 | 405:
            return "; check its URL"
        case _:
            return ""
