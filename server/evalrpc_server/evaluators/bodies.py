"""What evaluators behind HTTP are sent: cases and results as JSON, with every document byte for byte."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any

import msgspec

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.results import Context, ItemResult
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.port import Case

_encode = msgspec.json.Encoder().encode


def case_body(case: Case) -> bytes:
    """Writes a case; `evaluations` is there only where some were made before, as for a composite evaluator."""
    item = case.item
    body: dict[str, Any] = {
        "input": msgspec.Raw(item.input),
        "output": msgspec.Raw(case.output),
        "expected_output": _raw(item.expected_output),
        "metadata": _raw(item.metadata),
        "contexts": [_context(context) for context in case.contexts],
        "item_id": item.id,
        "trial": case.trial,
        "experiment": _experiment(case.experiment),
        "task_duration": case.duration,
        "usage": _usage(case.usage),
    }
    if case.evaluations:
        body["evaluations"] = [_evaluation(evaluation) for evaluation in case.evaluations]
    return _encode(body)


async def run_body(
    experiment: ExperimentRef, results: AsyncIterable[Sequence[ItemResult]]
) -> AsyncGenerator[bytes]:
    """Writes `{"experiment", "item_results": [...]}` in pieces, one for each chunk of results."""
    yield b'{"experiment":%b,"item_results":[' % _encode(_experiment(experiment))
    separator = b""
    async for chunk in results:
        yield separator + b",".join(_encode(_result(result)) for result in chunk)
        separator = b","
    yield b"]}"


def _raw(document: Document | None) -> msgspec.Raw | None:
    return None if document is None else msgspec.Raw(document)


def _experiment(experiment: ExperimentRef) -> dict[str, str]:
    return {"id": experiment.id, "name": experiment.name, "run_name": experiment.run_name}


def _context(context: Context) -> dict[str, Any]:
    return {"text": context.text, "id": context.id, "source": context.source, "score": context.score}


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
        "model": usage.model,
    }


def _error(error: Error | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "reason": error.reason,
        "message": error.message,
        "metadata": dict(error.metadata),
        "retryable": error.retryable,
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "name": evaluation.name,
        "evaluator": evaluation.evaluator,
        "value": evaluation.value,
        "unscored": evaluation.unscored,
        "error": _error(evaluation.error),
        "comment": evaluation.comment,
        "metadata": _raw(evaluation.metadata),
        "config_id": evaluation.config_id,
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "index": item.index,
        "dataset_item_id": item.dataset_item_id,
        "input": msgspec.Raw(item.input),
        "expected_output": _raw(item.expected_output),
        "metadata": _raw(item.metadata),
    }


def _result(result: ItemResult) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "item": _item(result.item),
        "trial": result.trial,
        "output": _raw(outcome.output),
        "contexts": [_context(context) for context in outcome.contexts],
        "evaluations": [_evaluation(evaluation) for evaluation in result.evaluations],
        "error": _error(outcome.error),
        "trace_id": result.trace_id,
        "trace_url": result.trace_url,
        "start_time": outcome.start_time,
        "task_duration": outcome.task_duration,
        "evaluation_duration": result.evaluation_duration,
        "attempts": outcome.attempts,
        "usage": _usage(outcome.usage),
        "output_metadata": _raw(outcome.metadata),
    }
