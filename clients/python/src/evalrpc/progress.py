"""How far a run is: a bar on a terminal, a line now and then elsewhere.

with progress_view() as view:
for event in run:
view.update(event)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from evalrpc._model.event import Event
from evalrpc._model.experiment import Experiment, ExperimentState
from evalrpc._model.experiment import Progress as Counts

_SECONDS_BETWEEN_LINES = 5.0


class ProgressView(Protocol):
    """Shows how far a run is."""

    def update(self, event: Event) -> None:
        """Takes in an event."""
        ...


@contextmanager
def progress_view(*, quiet: bool = False) -> Iterator[ProgressView]:
    """Shows progress on stderr until the block ends; with `quiet` it shows nothing."""
    console = Console(stderr=True)
    if quiet:
        yield _Silence()
    elif console.is_terminal:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counts]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=5,
        )
        with bar:
            yield _Bar(bar)
    else:
        lines = _Lines(sys.stderr)
        try:
            yield lines
        finally:
            lines.close()


class _Silence:
    def update(self, event: Event) -> None:
        """Says nothing."""


class _Pace:
    """How fast results come, counted from the first event seen."""

    def __init__(self) -> None:
        self._start: tuple[float, int] | None = None

    def rate(self, counts: Counts) -> float | None:
        """Returns results per second; None while it cannot be told."""
        now = time.monotonic()
        if self._start is None:
            self._start = now, counts.completed
        began, completed = self._start
        return (counts.completed - completed) / (now - began) if now > began else None


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._pace = _Pace()
        self._task: TaskID | None = None

    def update(self, event: Event) -> None:
        """Moves the bar."""
        counts = event.progress
        rate = self._pace.rate(counts)
        shown = "" if rate is None else f"{rate:,.1f}/s"
        if self._task is None:
            if event.experiment:
                self._bar.console.print(_introduction(event.experiment), highlight=False, soft_wrap=True)
            name = event.experiment.name if event.experiment else "experiment"
            self._task = self._bar.add_task(
                name, total=counts.total, completed=counts.completed, counts=_told(counts), rate=shown
            )
        self._bar.update(
            self._task, total=counts.total, completed=counts.completed, counts=_told(counts), rate=shown
        )


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pace = _Pace()
        self._last = time.monotonic()
        self._unsaid: str | None = None

    def update(self, event: Event) -> None:
        """Prints a line if the last one was a while ago."""
        rate = self._pace.rate(event.progress)
        line = _told(event.progress)
        if rate:
            line += f", {rate:,.1f}/s{_remaining(event.progress, rate)}"
        if event.experiment is not None and event.experiment.state is ExperimentState.PENDING:
            print(_introduction(event.experiment), file=self._stream, flush=True)
        elif time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last, self._unsaid = time.monotonic(), None
            print(line, file=self._stream, flush=True)
        else:
            self._unsaid = line

    def close(self) -> None:
        """Prints how far it came."""
        if self._unsaid is not None:
            print(self._unsaid, file=self._stream, flush=True)


def _introduction(experiment: Experiment) -> str:
    """Returns the line that names a run."""
    return f"{experiment.id} {experiment.run_name}"


def _told(counts: Counts) -> str:
    total = "?" if counts.total is None else f"{counts.total:,}"
    return f"{counts.completed:,}/{total} items, {counts.failed:,} failed"


def _remaining(counts: Counts, rate: float) -> str:
    if counts.total is None or counts.completed >= counts.total:
        return ""
    return f", {(counts.total - counts.completed) / rate:.0f} s left"
