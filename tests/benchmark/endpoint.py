"""The task endpoint that every runner of the benchmark calls: one process, over 10,000 requests/s with keep-alive.

`POST /task` takes `{"input": {"index": int, "answer": str, "latency_ms": float}}` (other members are ignored), waits
the latency, and answers `{"output": <answer>}`; every fifth item is answered wrongly, so a right run scores 0.800.
`GET /stats` tells what was seen since the last `POST /reset`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from array import array
from collections.abc import Sequence

import msgspec
import uvloop

from tests.benchmark.wire import Headers, Respond, serve_until_terminated

WRONG_EVERY = 5


class _Input(msgspec.Struct):
    index: int
    answer: str
    latency_ms: float = 0.0


class _Request(msgspec.Struct):
    input: _Input


class Stats(msgspec.Struct):
    """What the endpoint saw since the last reset.

    Attributes:
        requests: Task calls.
        distinct: Different items among them.
        max_in_flight: Most calls open at once.
        first_answer_ns: CLOCK_MONOTONIC of the first answer, 0 when there was none.
        last_answer_ns: The same of the last.
        tenths: Answers per second in each tenth of the answers.
    """

    requests: int = 0
    distinct: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    first_answer_ns: int = 0
    last_answer_ns: int = 0
    tenths: list[float] = []


class TaskEndpoint:
    """Answers tasks and keeps the figures."""

    def __init__(self) -> None:
        self.stats = Stats()
        self._seen: set[int] = set()
        self._answered_ns = array("q")
        self._decode = msgspec.json.Decoder(_Request).decode
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, method: bytes, path: bytes, headers: Headers, body: bytes, respond: Respond) -> None:
        if path == b"/task":
            self._task(self._decode(body).input, respond)
        elif path == b"/stats":
            self.stats.distinct = len(self._seen)
            if self._answered_ns:
                self.stats.first_answer_ns, self.stats.last_answer_ns = (
                    self._answered_ns[0],
                    self._answered_ns[-1],
                )
            self.stats.tenths = rates(self._answered_ns, 10)
            respond(self._encode(self.stats))
        elif path == b"/reset":
            self.stats = Stats()
            self._seen.clear()
            self._answered_ns = array("q")
            respond(b"{}")
        else:
            respond(b"{}", b"404 Not Found")

    def _task(self, item: _Input, respond: Respond) -> None:
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        self._seen.add(item.index)
        wrong = item.index % WRONG_EVERY == WRONG_EVERY - 1
        answer = self._encode({"output": f"not {item.answer}" if wrong else item.answer})
        if item.latency_ms > 0:
            asyncio.get_running_loop().call_later(
                item.latency_ms / 1000, self._answer, stats, respond, answer
            )
        else:
            self._answer(stats, respond, answer)

    def _answer(self, stats: Stats, respond: Respond, answer: bytes) -> None:
        stats.in_flight -= 1
        self._answered_ns.append(time.monotonic_ns())
        respond(answer)


def rates(times_ns: Sequence[int], parts: int) -> list[float]:
    """Events per second in each of `parts` equal shares of the events, from their times in order."""
    size = len(times_ns) // parts
    if size < 2:
        return []
    edges = [times_ns[min(part * size, len(times_ns) - 1)] for part in range(parts + 1)]
    return [round(size * 1e9 / max(1, after - before), 1) for before, after in itertools.pairwise(edges)]


if __name__ == "__main__":
    uvloop.run(serve_until_terminated(TaskEndpoint()))
