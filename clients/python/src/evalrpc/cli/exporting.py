"""Results in forms that other programs read: JSON Lines, CSV and Parquet.

JSON Lines keep everything. CSV and Parquet have a row for each trial, and the same columns.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Literal

from evalrpc._documents import decode
from evalrpc._model.evaluation import Evaluation
from evalrpc._model.experiment import Experiment
from evalrpc._model.item_result import ItemResult

_ROWS = 5000


class MissingPackageError(Exception):
    """A format needs a package that is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: Literal["text", "integer", "number", "time"]
    read: Callable[[ItemResult, Mapping[str, Evaluation]], Any]


def write_jsonl(file: IO[bytes], _experiment: Experiment, results: Iterable[ItemResult]) -> None:
    """Writes each result as a line of JSON."""
    for result in results:
        line = json.dumps(result.to_dict(), ensure_ascii=False)
        file.write(line.encode("utf-8", "backslashreplace") + b"\n")


def write_csv(file: IO[bytes], experiment: Experiment, results: Iterable[ItemResult]) -> None:
    """Writes CSV (RFC 4180) in UTF-8 with a header."""
    columns = _columns(experiment)
    text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow([column.name for column in columns])
        for values in _rows(columns, results):
            writer.writerow([value.isoformat() if hasattr(value, "isoformat") else value for value in values])
    finally:
        text.detach()


def write_parquet(file: IO[bytes], experiment: Experiment, results: Iterable[ItemResult]) -> None:
    """Writes Parquet, 5,000 rows per group.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingPackageError(
            "Parquet needs pyarrow, which is not installed; pip install 'evalrpc[parquet]' brings it"
        ) from None
    types = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "time": arrow.timestamp("us", "UTC"),
    }
    columns = _columns(experiment)
    schema = arrow.schema([(column.name, types[column.kind]) for column in columns])
    rows = _rows(columns, results)
    with parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(rows, _ROWS)):
            arrays = [
                arrow.array(map(_storable, values), field.type)
                for field, values in zip(schema, zip(*batch, strict=True), strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _rows(columns: Sequence[_Column], results: Iterable[ItemResult]) -> Iterator[list[Any]]:
    for result in results:
        evaluations = {each.name: each for each in result.evaluations}
        yield [column.read(result, evaluations) for column in columns]


def _columns(experiment: Experiment) -> list[_Column]:
    """Returns the columns: those that every run has, then those of each evaluation."""
    columns = [
        _Column("item_id", "text", lambda result, _: result.item.id),
        _Column("item_index", "integer", lambda result, _: result.item.index),
        _Column("trial", "integer", lambda result, _: result.trial),
        _Column("input", "text", lambda result, _: _text(result.item.input_json)),
        _Column("expected_output", "text", lambda result, _: _text(result.item.expected_output_json)),
        _Column("output", "text", lambda result, _: _text(result.output_json)),
        _Column("error_reason", "text", lambda result, _: result.error and result.error.reason),
        _Column("error_message", "text", lambda result, _: result.error and result.error.message),
        _Column("metadata", "text", lambda result, _: result.item.metadata_json),
        _Column("start_time", "time", lambda result, _: result.start_time),
        _Column("task_seconds", "number", lambda result, _: result.task_duration),
        _Column("attempts", "integer", lambda result, _: result.attempts),
        _Column("input_tokens", "integer", lambda result, _: result.usage and result.usage.input_tokens),
        _Column("output_tokens", "integer", lambda result, _: result.usage and result.usage.output_tokens),
        _Column("cost_usd", "number", lambda result, _: result.usage and result.usage.cost_usd),
        _Column("trace_id", "text", lambda result, _: result.trace_id),
        _Column("trace_url", "text", lambda result, _: result.trace_url),
    ]
    for summary in experiment.summaries:
        columns += _evaluation_columns(summary.name)
    return columns


def _evaluation_columns(name: str) -> list[_Column]:
    def column(part: str, kind: Literal["text", "number"], read: Callable[[Evaluation], Any]) -> _Column:
        def value(_: ItemResult, evaluations: Mapping[str, Evaluation]) -> Any:
            return read(evaluations[name]) if name in evaluations else None

        return _Column(f"{part}.{name}", kind, value)

    return [
        column("score", "number", _score),
        column("label", "text", lambda each: each.value if isinstance(each.value, str) else None),
        column("problem", "text", lambda each: str(each.error) if each.error else each.unscored),
        column("comment", "text", lambda each: each.comment),
    ]


def _score(evaluation: Evaluation) -> float | None:
    """Returns a number, and 1 or 0 for a boolean."""
    value = evaluation.value
    return None if value is None or isinstance(value, str) else float(value)


def _text(document: str | None) -> str | None:
    """Returns a document that is a JSON string as its text, and every other one as JSON text."""
    if document is not None and document.startswith('"'):
        return str(decode(document))
    return document


def _storable(value: Any) -> Any:
    """Returns a value without lone surrogates, which UTF-8 has no bytes for."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
