"""What the spans of a trial's evaluators tell, as encoded attributes: what each saw, which one it is, and what it said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.results import EvaluatorCall, ItemResult
from evalrpc_server.langfuse import attributes, otlp
from evalrpc_server.langfuse.documents import evaluation_fields, to_json

INPUT_CHARACTERS = 64 * 1024
"""What an evaluator saw is repeated on its span up to this size; larger, it stands on the task's span only."""


class EvaluationParts:
    """The evaluators of one trial.

    Args:
        result: of the trial.
        evaluators: how many evaluators look at an item, besides the composite one.

    Attributes:
        calls: the evaluators that were called, each with what it gave.
    """

    def __init__(self, result: ItemResult, evaluators: int) -> None:
        self.calls = list(_calls(result))
        self._evaluations = result.evaluations
        self._evaluators = evaluators
        item, output = result.item, result.outcome.output
        self._seen = b""
        self._seen_open = ""
        if item.size + len(output or "") <= INPUT_CHARACTERS:
            before = f'{{"input": {item.input}, "output": {output}, "expected_output": '
            after = f'{item.expected_output or "null"}, "metadata": {item.metadata or "null"}'
            self._seen_open = f"{before}{after}"
            self._seen = otlp.text(attributes.INPUT, f"{self._seen_open}}}")

    def summary(self) -> bytes:
        """Returns the output of the span that all of them are under."""
        failed = skipped = 0
        for _, group in self.calls:
            if any(evaluation.error is not None for evaluation in group):
                failed += 1
            elif not any(evaluation.value is not None for evaluation in group):
                skipped += 1
        given = sum(evaluation.error is None for evaluation in self._evaluations)
        return _summary(len(self.calls), given, failed, skipped)

    def of(self, number: int) -> tuple[list[bytes], str | None]:
        """Returns the attributes of the evaluator of a number, from 0, and the message of its error, if it failed."""
        composite = number >= self._evaluators
        parts = [attributes.TYPE_EVALUATOR]
        if self._seen:
            parts.append(self._composite_input(number) if composite else self._seen)
        parts.append(_place(-1 if composite else number, with_input=bool(self._seen)))
        _, group = self.calls[number]
        error = next((evaluation.error for evaluation in group if evaluation.error), None)
        if error is None:
            output = to_json([evaluation_fields(evaluation) for evaluation in group])
            parts.append(otlp.text(attributes.OUTPUT, output))
            return parts, None
        if len(group) == 1:
            output = to_json({"error": error.message})
        else:
            output = to_json([evaluation_fields(evaluation) for evaluation in group])
        parts += attributes.failed(output, error.message)
        return parts, error.message

    def _composite_input(self, number: int) -> bytes:
        before = [
            evaluation_fields(evaluation)
            for _, group in self.calls[:number]
            for evaluation in group
            if evaluation.error is None
        ]
        return otlp.text(attributes.INPUT, f'{self._seen_open}, "evaluations": {to_json(before)}}}')


def _calls(result: ItemResult) -> Iterator[tuple[EvaluatorCall, Sequence[Evaluation]]]:
    first = 0
    for call in result.evaluator_calls:
        yield call, result.evaluations[first : first + call.evaluations]
        first += call.evaluations


@lru_cache(maxsize=1024)
def _place(number: int, *, with_input: bool) -> bytes:
    """Returns the metadata that tell an evaluator's part in the experiment; -1 stands for the composite evaluator."""
    place: dict[str, JsonValue] = {"evaluator_kind": "composite"}
    if number >= 0:
        place = {"evaluator_kind": "item", "evaluator_index": number}
    if not with_input:
        place["input_omitted"] = "too large to be repeated; see experiment-item-task"
    return otlp.text(attributes.METADATA, to_json(place))


@lru_cache(maxsize=1024)
def _summary(calls: int, evaluations: int, failed: int, skipped: int) -> bytes:
    counts = {
        "evaluator_count": calls,
        "evaluation_count": evaluations,
        "failed_evaluator_count": failed,
        "skipped_evaluator_count": skipped,
    }
    return otlp.text(attributes.OUTPUT, to_json(counts))
