"""How fast one endpoint is called: as fast as callers like until it says that it is too much, then as fast as it takes.

Congestion control as in TCP, over the rate of calls. Once the endpoint throttles, calls are spaced evenly. The rate begins
at a share of the rate at which calls were accepted before, and doubles every second up to that (slow start, RFC 5681). From
there it grows, slowly near the rate at which the endpoint throttled last, and faster the longer it does not throttle again
(additive increase along a cubic curve, RFC 9438). When it does, a part of the rate is taken away (multiplicative decrease).
Calls that were sent before a decrease or right after it do not bring about another one. An endpoint that says how many
calls it has left is not called when they run out until there are some again.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from evalrpc_server.domain.clock import Clock
from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.domain.stopwatch import attempt_number, paused
from evalrpc_server.outbound.quotas import read_quotas

SLOW_START_SHARE = 0.25
"""The share of the accepted rate at which slow start begins."""

DECREASE = 0.93
"""What is left of the rate at which the endpoint throttled."""

COLLAPSE = 0.5
"""What is left of it where the endpoint throttles again right after a decrease."""

RETURN_SECONDS = 4.0
"""How long the rate takes to come back to the one at which the endpoint throttled; longer, up to 8 times, the more often it
was about the same."""

MIN_RATE = 1 / 30
MAX_PAUSE = 120.0

_SLOTS_PER_SECOND = 20
_REMEMBERED_SECONDS = 10
_SETTLING_SECONDS = 1.0
_ECHO_SECONDS = 0.5  # a full window refuses further calls until its end, for no other reason than the first
_UNKNOWN_PAUSE = 1.0
_MOST_GROWTH = 1.5
_SAME_RATE = 0.15
_LONGEST_RETURN = 8 * RETURN_SECONDS
_CALM_CALLS = 10
_FORGET_SECONDS = 300.0


class EndpointLimiter:
    """Lets calls to one endpoint through.

    Args:
        endpoint: scheme, host and port.
        clock: tells the time and waits.
    """

    def __init__(self, endpoint: str, clock: Clock) -> None:
        self.endpoint = endpoint
        self._clock = clock
        self._in_flight = 0
        self._rate = math.inf
        self._ceiling = math.inf
        self._kept = DECREASE
        self._return = RETURN_SECONDS
        self._slow_start = False
        self._paused_until = -math.inf
        self._next = -math.inf
        self._grown = 0.0
        self._decreased = -math.inf
        self._limited_since = -math.inf
        self._throttled_at = -math.inf
        self._accepted = _Accepted()
        self._calm = 0
        self._waiting = _Queue()
        self._pacing: asyncio.Task[None] | None = None

    def state(self) -> EndpointLimit | None:
        """Returns how fast the endpoint may be called; None where it is not limited."""
        now = self._clock.monotonic()
        left = self._paused_until - now
        if self._rate == math.inf and left <= 0:
            return None
        until = self._clock.now() + timedelta(seconds=left) if left > 0 else None
        rate = self._accepted.rate(now) if self._rate == math.inf else self._rate
        return EndpointLimit(endpoint=self.endpoint, rate=rate, in_flight=self._in_flight, paused_until=until)

    async def admit(self) -> float:
        """Waits for a call's turn; the caller calls `leave` once it is over.

        The wait is kept off the stopwatch around the call. Calls that are made again wait until the endpoint takes others.

        Returns:
            When the call was let through, for `throttled`.
        """
        now = self._clock.monotonic()
        limited = self._rate < math.inf or now < self._paused_until
        if self._waiting or (limited and not self._is_free(now)):
            turn = self._waiting.enter(again=attempt_number() > 1)
            if self._pacing is None:
                self._pacing = asyncio.create_task(self._pace())
            with paused():
                await turn
            now = self._clock.monotonic()
        self._in_flight += 1
        self._accepted.add(now)
        return now

    def leave(self) -> None:
        """Notes that a call is over."""
        self._in_flight -= 1
        self._calm += 1

    def throttled(self, admitted: float, retry_after: float | None) -> None:
        """Notes that the endpoint refused a call because there were too many.

        Refusals at the edge of what the endpoint takes hold nobody else back, unless they ask for a long wait.

        Args:
            admitted: what `admit` returned for the call.
            retry_after: seconds that the endpoint asked to wait; None where it did not say.
        """
        now = self._clock.monotonic()
        self._accepted.remove(admitted, now)
        self._calm = -1  # the refused call is about to leave
        if self._rate == math.inf:
            self._limited_since = now
            self._begin_limiting(now, admitted, retry_after)
        elif self._in_first_burst(now, admitted):
            self._begin_limiting(now, admitted, retry_after)
        elif admitted > self._decreased + _ECHO_SECONDS:
            self._decrease(now)
        at_the_edge = not self._slow_start and self._kept == DECREASE
        if retry_after and not (at_the_edge and retry_after <= RETURN_SECONDS):
            self._pause(now + retry_after)
        self._throttled_at = now

    def observe(self, headers: Mapping[str, str]) -> None:
        """Notes what an answer says of the calls that are left.

        Args:
            headers: names in lower case.
        """
        for quota in read_quotas(headers):
            seconds = quota.exhausted_seconds(self._in_flight)
            if seconds > 0:
                self._pause(self._clock.monotonic() + seconds)

    async def aclose(self) -> None:
        """Lets nothing more through."""
        if self._pacing:
            self._pacing.cancel()
            await asyncio.gather(self._pacing, return_exceptions=True)

    def _in_first_burst(self, now: float, admitted: float) -> bool:
        return admitted <= self._limited_since and now - self._limited_since < _SETTLING_SECONDS

    def _begin_limiting(self, now: float, admitted: float, retry_after: float | None) -> None:
        """Guesses the rate from how many calls were accepted of late, anew with each refusal of the first burst."""
        accepted = max(self._accepted.rate(now), self._accepted.rate(admitted + 1.0), 1.0)
        self._ceiling = accepted
        self._rate = accepted * SLOW_START_SHARE
        self._slow_start = True
        if not retry_after:
            self._pause(now + _UNKNOWN_PAUSE)
        self._decreased = self._grown = now

    def _decrease(self, now: float) -> None:
        """Takes a small part of the rate away where the endpoint was at its edge, and a large one where it was overrun."""
        edge = not self._slow_start and now - self._decreased >= _SETTLING_SECONDS
        rate = min(self._rate, self._proven(now))
        same = abs(rate - self._ceiling) <= _SAME_RATE * self._ceiling
        self._return = min(2 * self._return, _LONGEST_RETURN) if edge and same else RETURN_SECONDS
        self._ceiling = rate
        self._kept = DECREASE if edge else COLLAPSE
        self._rate = max(rate * self._kept, MIN_RATE)
        self._slow_start = False
        self._decreased = now
        self._next = max(self._next, now + 1 / self._rate)

    def _pause(self, until: float) -> None:
        now = self._clock.monotonic()
        self._paused_until = max(self._paused_until, min(until, now + MAX_PAUSE))

    def _is_free(self, now: float) -> bool:
        """Takes a call's place in the spacing, where one is free now."""
        self._grow(now)
        if now < max(self._next, self._paused_until):
            return False
        if self._rate < math.inf:
            self._next = now + 1 / self._rate
        return True

    def _grow(self, now: float) -> None:
        if self._rate == math.inf:
            return
        if now - self._throttled_at > _FORGET_SECONDS and not self._waiting:
            self._rate = math.inf
            return
        since = max(self._decreased, self._paused_until)
        if now <= since:
            return
        if self._slow_start:
            start = max(self._grown, since)
            self._rate = min(self._rate * 2 ** (now - start), self._ceiling * DECREASE)
            self._grown = now
            if self._rate >= self._ceiling * DECREASE:
                self._slow_start = False
                self._kept = DECREASE
                self._decreased = now
        else:
            curve = 1 + (1 - self._kept) * ((now - since) / self._return - 1) ** 3
            self._rate = max(self._rate, min(self._ceiling * curve, self._proven(now)))

    def _proven(self, now: float) -> float:
        """Returns the most that the calls of the last second can speak for: a rate that nobody asked for proves nothing."""
        return _MOST_GROWTH * max(self._accepted.rate(now), 1.0)

    async def _pace(self) -> None:
        """Lets the waiting calls through, first come first served, each in its time."""
        try:
            while turn := self._waiting.first(calm=self._calm >= _CALM_CALLS):
                now = self._clock.monotonic()
                if self._is_free(now):
                    self._waiting.let_through(turn)
                else:
                    await self._clock.sleep(max(self._next, self._paused_until) - now)
        finally:
            self._pacing = None


class _Queue:
    """The calls that wait, first come first served; new ones go before those that are made again until all is calm."""

    def __init__(self) -> None:
        self._new: deque[asyncio.Future[None]] = deque()
        self._again: deque[asyncio.Future[None]] = deque()
        self._was_again = False

    def __bool__(self) -> bool:
        return bool(self._new or self._again)

    def enter(self, *, again: bool) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._again if again else self._new).append(turn)
        return turn

    def first(self, *, calm: bool) -> asyncio.Future[None] | None:
        """Returns the call whose turn it is, with those of both kinds in turn where it is calm."""
        for queue in (self._new, self._again):
            while queue and queue[0].done():  # let through already, or its caller was cut off
                queue.popleft()
        if self._again and (not self._new or (calm and not self._was_again)):
            return self._again[0]
        return self._new[0] if self._new else None

    def let_through(self, turn: asyncio.Future[None]) -> None:
        """Ends the wait of the first call."""
        self._was_again = bool(self._again) and turn is self._again[0]
        turn.set_result(None)


class _Accepted:
    """Counts the calls of the last seconds that were let through and not refused."""

    def __init__(self) -> None:
        self._slots = [0] * (_REMEMBERED_SECONDS * _SLOTS_PER_SECOND)
        self._last = 0

    def add(self, now: float) -> None:
        self._slots[self._turn(now) % len(self._slots)] += 1

    def remove(self, admitted: float, now: float) -> None:
        """Takes back a call that was refused."""
        last, slot, size = self._turn(now), int(admitted * _SLOTS_PER_SECOND), len(self._slots)
        if last - slot < size and self._slots[slot % size] > 0:
            self._slots[slot % size] -= 1

    def rate(self, until: float) -> float:
        """Returns how many there were in the second before."""
        end, size = min(int(until * _SLOTS_PER_SECOND), self._last), len(self._slots)
        begin = max(end - _SLOTS_PER_SECOND, self._last - size)
        return float(sum(self._slots[slot % size] for slot in range(end, begin, -1)))

    def _turn(self, now: float) -> int:
        """Goes on to the present slot and returns it."""
        slot, size = int(now * _SLOTS_PER_SECOND), len(self._slots)
        if slot > self._last:
            for passed in range(max(self._last + 1, slot - size + 1), slot + 1):
                self._slots[passed % size] = 0
            self._last = slot
        return slot
