"""What the command prints."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence

from evalrpc._errors import EvalrpcError
from evalrpc._model.experiment import Experiment
from evalrpc._model.item_result import ItemResult
from evalrpc._model.result import ExperimentResult


def complain(error: EvalrpcError | str) -> None:
    """Prints an error to stderr: one line, or one for each wrong field."""
    lines: Sequence[object] = (error,)
    if isinstance(error, EvalrpcError):
        lines = error.violations or (error.message,)
    for line in lines:
        print(f"evalrpc: {' '.join(str(line).split())}", file=sys.stderr)


def note(text: str) -> None:
    """Prints a line to stderr."""
    print(text, file=sys.stderr)


class Notes(logging.Handler):
    """Prints what the client logs, such as that a connection is lost, to what stderr is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a record."""
        note(record.getMessage())


def print_json(value: Experiment | ItemResult | ExperimentResult, *, indent: int | None = 2) -> None:
    """Prints a value as JSON."""
    print(json.dumps(value.to_dict(), ensure_ascii=False, indent=indent))


def print_experiments(experiments: Sequence[Experiment]) -> None:
    """Prints experiments as a table."""
    rows: list[tuple[str, ...]] = [("ID", "STATE", "ITEMS", "FAILED", "CREATED", "NAME", "RUN")]
    rows += [_row(experiment) for experiment in experiments]
    print("\n".join(columns(rows)))


def columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yields rows, at least one, as lines whose cells stand below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(experiment: Experiment) -> tuple[str, ...]:
    progress = experiment.progress
    total = "?" if progress.total is None else str(progress.total)
    created = experiment.create_time
    return (
        experiment.id,
        experiment.state,
        f"{progress.completed}/{total}",
        str(progress.failed),
        f"{created:%Y-%m-%d %H:%M:%S}" if created else "",
        experiment.name,
        experiment.run_name,
    )
