"""Results as the page reads them: compact JSON, the documents in it as text.

A document stands as text so that a browser shows every digit of it. A JSON string is its text, every other document an
object `{"j": JSON text}`. A text that is cut is `{"s" or "j": text, "cut": characters left out}`.

A result is the array
`[id, index, trial, input, expected output, output, evaluations, error, seconds, tokens, cost, trace URL, details]`, and an
evaluation the array `[name, kind, value, comment, metadata]`, whose kind is "n" for a number, "b" for a boolean, "l" for a
label, "u" for unscored and "e" for an error. Nulls at an array's end are left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from evalrpc._documents import decode
from evalrpc._model.evaluation import Error, Evaluation, Usage
from evalrpc._model.experiment import Experiment
from evalrpc._model.item_result import ItemResult

MAX_CHARACTERS = 20_000
"""How much of each text a page shows, if nobody says otherwise."""

_UNSAFE = re.compile("[<\u2028\u2029\ud800-\udfff]")


def to_script(value: object) -> str:
    """Returns a value as compact JSON that can stand in a script element and be written as UTF-8.

    `<` never occurs in it, so that neither `</script>` nor `<!--` does; nor do lone surrogates.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def experiment_head(experiment: Experiment) -> dict[str, Any]:
    """Returns what the page tells of an experiment, without its results."""
    head: dict[str, Any] = finite(experiment.to_dict())
    return head


def result_row(result: ItemResult, *, limit: int = MAX_CHARACTERS) -> list[Any]:
    """Returns a result as an array.

    Args:
        result: what became of a trial.
        limit: how many characters of each text are kept.
    """
    item = result.item
    return _trimmed(
        [
            item.id,
            item.index,
            result.trial,
            document(item.input_json, limit),
            document(item.expected_output_json, limit),
            document(result.output_json, limit),
            [_evaluation(each, limit) for each in result.evaluations],
            None if result.error is None else [result.error.reason, result.error.message[:limit]],
            _rounded(result.task_duration),
            _tokens(result.usage),
            None if result.usage is None else finite(result.usage.cost_usd),
            result.trace_url,
            _details(result, limit) or None,
        ]
    )


def document(text: str | None, limit: int) -> Any:
    """Returns a document, given as JSON text, as the page reads it."""
    if text is None:
        return None
    if text.startswith('"'):
        return cut(str(decode(text)), limit)
    shown = {"j": text[:limit]}
    return shown if len(text) <= limit else {**shown, "cut": len(text) - limit}


def cut(text: str | None, limit: int) -> Any:
    """Returns a text as the page reads it."""
    if text is None or len(text) <= limit:
        return text
    return {"s": text[:limit], "cut": len(text) - limit}


def finite(value: Any) -> Any:
    """Returns a value with null for each number that JSON cannot carry."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def _evaluation(evaluation: Evaluation, limit: int) -> list[Any]:
    kind, value = _verdict(evaluation, limit)
    metadata = document(evaluation.metadata_json, limit)
    return _trimmed([evaluation.name, kind, value, cut(evaluation.comment, limit), metadata])


def _verdict(evaluation: Evaluation, limit: int) -> tuple[str, Any]:
    value = evaluation.value
    if evaluation.error is not None:
        return "e", _error(evaluation.error, limit)
    if isinstance(value, bool):
        return "b", int(value)
    if isinstance(value, str):
        return "l", value[:limit]
    if value is not None:
        return "n", int(value) if value == int(value) and abs(value) < 1e15 else value
    return "u", (evaluation.unscored or "")[:limit]


def _error(error: Error, limit: int) -> list[str]:
    return [error.reason, error.message[:limit]]


def _details(result: ItemResult, limit: int) -> dict[str, Any]:
    usage, item = result.usage, result.item
    details = {
        "metadata": document(item.metadata_json, limit),
        "output_metadata": document(result.output_metadata_json, limit),
        "contexts": [
            _trimmed([cut(each.text, limit), each.id, each.source, finite(each.score)])
            for each in result.contexts
        ],
        "attempts": result.attempts if result.attempts > 1 else None,
        "evaluation_seconds": _rounded(result.evaluation_duration),
        "model": usage.model if usage else None,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "trace_id": result.trace_id if result.trace_url is None else None,
    }
    return {name: value for name, value in details.items() if value not in (None, [])}


def _tokens(usage: Usage | None) -> int | None:
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 5)


def _trimmed(array: list[Any]) -> list[Any]:
    while array and array[-1] is None:
        array.pop()
    return array
