from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from evalrpc_server.domain.stopwatch import Stopwatch
from evalrpc_server.outbound.limiter import EndpointLimiter
from evalrpc_server.outbound.limits import Limiters
from evalrpc_server.outbound.quotas import parse_reset
from tests.outbound.virtual_time import VirtualClock

Refuses = Callable[[float], float | None]
"""Takes the time of a call; returns the seconds to wait of one that is refused, 0 for unknown."""


def fixed_window(limit: int, *, tells: bool) -> Refuses:
    counts: dict[int, int] = {}

    def refuses(now: float) -> float | None:
        second = int(now)
        counts[second] = counts.get(second, 0) + 1
        if counts[second] <= limit:
            return None
        return 1.0 if tells else 0.0

    return refuses


def bucket(per_second: float, capacity: float) -> Refuses:
    level, last = capacity, 0.0

    def refuses(now: float) -> float | None:
        nonlocal level, last
        level, last = min(capacity, level + (now - last) * per_second), now
        if level >= 1:
            level -= 1
            return None
        return 0.0

    return refuses


class Endpoint:
    """Items that are run against an endpoint, three attempts each, by calls that a limiter lets through."""

    def __init__(self, refuses: Refuses | None, *, latency: float = 0.05) -> None:
        self.clock = VirtualClock()
        self.limiter = EndpointLimiter("http://e", self.clock)
        self.failed = self.refused = self.in_flight = self.peak = 0
        self._refuses = refuses
        self._latency = latency
        self._uniform = random.Random(1).uniform

    async def experiment(self, items: int, *, concurrency: int = 50) -> None:
        slots = asyncio.Semaphore(concurrency)
        await asyncio.gather(*(self._item(slots) for _ in range(items)))

    async def _item(self, slots: asyncio.Semaphore) -> None:
        for attempt in (1, 2, 3):
            async with slots:
                wait = await self._call(attempt)
            if wait is None:
                return
            await self.clock.sleep(max(wait, self._uniform(0, 0.5)))
        self.failed += 1

    async def _call(self, attempt: int) -> float | None:
        with Stopwatch(60.0, self.clock, attempt=attempt):
            admitted = await self.limiter.admit()
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            try:
                wait = self._refuses(self.clock.monotonic()) if self._refuses else None
                if wait is None:
                    await self.clock.sleep(self._latency)
                else:
                    self.refused += 1
                    await self.clock.sleep(0.001)
                    self.limiter.throttled(admitted, wait or None)
                return wait
            finally:
                self.in_flight -= 1
                self.limiter.leave()


@pytest.mark.parametrize(
    "refuses",
    [fixed_window(20, tells=True), fixed_window(20, tells=False), bucket(20, 20)],
    ids=["a window that tells", "a window that does not", "a bucket"],
)
async def test_a_throttled_endpoint_is_used_to_nine_tenths_and_nothing_fails(refuses):
    endpoint = Endpoint(refuses)
    seconds = await endpoint.clock.run(endpoint.experiment(1000))
    assert endpoint.failed == 0
    assert 1000 / seconds >= 0.9 * 20


async def test_two_experiments_share_what_the_endpoint_takes():
    endpoint = Endpoint(fixed_window(20, tells=True))
    seconds = await endpoint.clock.run(endpoint.experiment(500), endpoint.experiment(500))
    assert endpoint.failed == 0
    assert 1000 / seconds >= 0.9 * 20


async def test_the_rate_grows_back_after_it_fell_far():
    endpoint = Endpoint(bucket(20, 1))
    seconds = await endpoint.clock.run(endpoint.experiment(1000))
    assert endpoint.failed == 0
    assert seconds < 100


async def test_an_endpoint_that_never_throttles_is_called_without_any_wait():
    endpoint = Endpoint(None)
    seconds = await endpoint.clock.run(endpoint.experiment(1000))
    assert seconds == pytest.approx(1000 / 50 * 0.05)
    assert endpoint.peak == 50
    assert endpoint.limiter.state() is None


async def test_a_long_retry_after_holds_everybody_back_and_shows():
    clock = VirtualClock()
    limiter = EndpointLimiter("http://e", clock)
    admitted = await limiter.admit()
    limiter.throttled(admitted, 30.0)
    limiter.leave()
    state = limiter.state()
    assert state is not None
    assert (state.endpoint, state.in_flight) == ("http://e", 0)
    assert state.paused_until is not None
    assert (state.paused_until - clock.now()).total_seconds() == pytest.approx(30)
    assert await clock.run(limiter.admit()) == pytest.approx(30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "50", "x-ratelimit-reset-requests": "1s"}, 0),
        ({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}, 3.4),
        ({"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "990ms"}, 0.031),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12),
        ({"ratelimit-limit": "60", "ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7),
        ({"ratelimit": '"default";r=0;t=5', "ratelimit-policy": '"default";q=100;w=60'}, 5),
        ({"ratelimit": '"default";r=3;t=5'}, 0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "999999"}, 120),
        ({"ratelimit-remaining": "none", "ratelimit-reset": "x"}, 0),
    ],
)  # fmt: skip
async def test_what_is_left_of_a_quota_is_respected(headers, seconds):
    clock = VirtualClock()
    limiter = EndpointLimiter("http://e", clock)
    await limiter.admit()
    limiter.observe(headers)
    limiter.leave()
    assert await clock.run(limiter.admit()) == pytest.approx(seconds)


def test_resets_are_read_in_every_form():
    assert parse_reset("1h2m3.5s") == 3723.5
    assert parse_reset("12ms") == pytest.approx(0.012)
    assert parse_reset("30") == 30
    now = time.time()
    assert parse_reset(str(int(now) + 60)) == pytest.approx(60, abs=5)
    assert parse_reset(str(int(now * 1000) + 60_000)) == pytest.approx(60, abs=5)
    assert parse_reset("tomorrow") is None


async def test_the_wait_is_not_part_of_the_calls_time():
    clock = VirtualClock()
    limiter = EndpointLimiter("http://e", clock)
    limiter.throttled(await limiter.admit(), 30.0)

    async def call() -> tuple[float, float]:
        with Stopwatch(60.0, clock) as stopwatch:
            await clock.sleep(2)
            await limiter.admit()
            waited = clock.monotonic()
            await clock.sleep(3)
        return stopwatch.elapsed, waited

    task = asyncio.ensure_future(call())
    await clock.run(asyncio.wait_for(asyncio.shield(task), 60))
    elapsed, _ = task.result()
    assert elapsed == pytest.approx(5)


async def test_a_caller_that_is_cut_off_leaves_its_place():
    clock = VirtualClock()
    limiter = EndpointLimiter("http://e", clock)
    limiter.throttled(await limiter.admit(), 30.0)
    first, second = asyncio.ensure_future(limiter.admit()), asyncio.ensure_future(limiter.admit())
    await asyncio.sleep(0)
    first.cancel()
    assert await clock.run(asyncio.wait_for(second, 60)) == pytest.approx(30)
    assert first.cancelled()


async def test_an_endpoint_has_one_limiter_for_each_credential():
    limiters = Limiters()
    mine = limiters.of("http://e", {"Authorization": "Bearer ${secret:A}", "X-Trace": "1"})
    assert limiters.of("http://e", {"authorization": "Bearer ${secret:A}"}) is mine
    assert limiters.of("http://e", {"authorization": "Bearer ${secret:B}"}) is not mine
    assert limiters.of("http://f", {"authorization": "Bearer ${secret:A}"}) is not mine
    await limiters.aclose()


async def test_a_rate_that_nobody_asked_for_does_not_grow():
    endpoint = Endpoint(bucket(20, 20))

    async def two_experiments_with_a_pause() -> None:
        await endpoint.experiment(200)
        await endpoint.clock.sleep(250)
        await endpoint.experiment(200)

    await endpoint.clock.run(two_experiments_with_a_pause())
    assert endpoint.failed == 0
