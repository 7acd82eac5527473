"""The rules of resuming, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

from evalrpc import UnavailableError, WatchInterruptedError
from evalrpc._resumption import Resumption
from tests.clients.python.scripted import ID, result, state

CUT = UnavailableError("cut", code="UNAVAILABLE")


class Clock:
    """Tells the time that was set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _pauses(resumption: Resumption, clock: Clock) -> Iterator[float]:
    """Yields the pauses of a stream that is cut again and again, until it is given up."""
    while True:
        try:
            pause = resumption.delay(CUT)
        except WatchInterruptedError:
            return
        clock.now += pause
        yield pause


def test_pauses_grow_and_are_bounded() -> None:
    clock = Clock()
    resumption = Resumption(experiment_id=ID, patience=60, clock=clock, jitter=lambda: 1.0)
    pauses = list(_pauses(resumption, clock))
    assert pauses[:6] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert set(pauses[6:]) == {5.0}
    assert sum(pauses) <= 60


def test_jitter_halves_a_pause_at_most() -> None:
    assert Resumption(experiment_id=ID, jitter=lambda: 0.0).delay(CUT) == 0.1


def test_progress_starts_the_count_anew() -> None:
    clock = Clock()
    resumption = Resumption(experiment_id=ID, patience=1, clock=clock, jitter=lambda: 1.0)
    resumption.accept(state(1, "RUNNING"))
    for sequence in range(2, 20):
        assert resumption.delay(CUT) == 0.2
        clock.now += 0.9
        assert resumption.accept(result(sequence, 0))


def test_messages_without_news_do_not_count_as_progress() -> None:
    clock = Clock()
    resumption = Resumption(experiment_id=ID, patience=1, clock=clock, jitter=lambda: 1.0)
    resumption.accept(state(1, "RUNNING"))
    pauses = [pause for pause in _pauses(resumption, clock) if not resumption.accept(state(1, "RUNNING"))]
    assert pauses == [0.2, 0.4]


def test_the_server_is_given_the_time_it_asks_for() -> None:
    asked = UnavailableError("busy", code="UNAVAILABLE", retry_after=7.5)
    assert Resumption(experiment_id=ID).delay(asked) == 7.5
