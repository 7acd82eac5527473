"""What answers do to the limit of their endpoint."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.outbound.client import MAX_RESPONSE_BYTES
from evalrpc_server.outbound.failures import CallFailedError, Failure
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.outbound.retries import asked_wait
from tests.outbound.scripted import scripted

QUOTA = b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'


@pytest.fixture
async def outbound():
    outbound = Outbound()
    yield outbound
    await outbound.aclose()


def response(status: int, body: bytes = b"{}", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def call(
    outbound: Outbound, answer: bytes, *, any_status: bool = False
) -> tuple[Sequence[EndpointLimit], CallFailedError | None]:
    """Makes a call; returns the limits thereafter, and how it failed."""
    scope, failure = outbound.scoped(), None
    async with scripted(answer) as server:
        endpoint = scope.endpoint(server.url)
        try:
            await endpoint.send("POST", b"{}", max_response_bytes=MAX_RESPONSE_BYTES, any_status=any_status)
        except CallFailedError as error:
            failure = error
        return scope.limits(), failure


@pytest.mark.parametrize("any_status", [False, True])
@pytest.mark.parametrize(
    ("answer", "throttles"),
    [
        (response(200), False),
        (response(200, headers="x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 30\r\n"), True),
        (response(429), True),
        (response(429, QUOTA), False),
        (response(503), False),
        (response(503, headers="Retry-After: 3\r\n"), True),
        (response(500, headers="Retry-After: 3\r\n"), False),
    ],
)
async def test_true_signals_alone_limit_an_endpoint(outbound, answer, throttles, any_status):
    limits, _ = await call(outbound, answer, any_status=any_status)
    assert bool(limits) is throttles


async def test_an_exhausted_quota_is_no_throttling(outbound):
    _, failure = await call(outbound, response(429, QUOTA))
    assert failure is not None
    assert failure.failure is Failure.QUOTA
    assert not failure.retryable


async def test_a_stream_that_is_refused_limits_its_endpoint(outbound):
    async with scripted(response(429, headers="Retry-After: 9\r\n")) as server:
        scope = outbound.scoped()
        with pytest.raises(CallFailedError):
            async with scope.endpoint(server.url).stream(b"{}"):
                pass
        [limit] = scope.limits()
        assert limit.endpoint == server.url
        assert limit.in_flight == 0
        assert limit.paused_until is not None


async def test_scopes_share_their_limits_and_tell_of_their_own_endpoints_alone(outbound):
    async with scripted(response(429)) as server:
        first, second, other = outbound.scoped(), outbound.scoped(), outbound.scoped()
        endpoint, same = first.endpoint(server.url), second.endpoint(f"{server.url}/other")
        with pytest.raises(CallFailedError):
            await endpoint.post(b"{}", max_response_bytes=MAX_RESPONSE_BYTES)
        [seen], [same_seen] = first.limits(), second.limits()
        assert (seen.endpoint, seen.rate) == (same_seen.endpoint, same_seen.rate)
        assert other.limits() == []
        assert same.origin == endpoint.origin


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after-ms": "999999999"}, 120),
        ({}, None),
    ],
)
def test_milliseconds_go_before_seconds(headers, seconds):
    assert asked_wait(headers) == seconds
