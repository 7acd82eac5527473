"""Items and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from evalrpc._documents import decode
from evalrpc._model.evaluation import Error, Evaluation, Usage
from evalrpc._model.plain import to_plain

_KEYS = frozenset({"id", "input", "expected_output", "metadata"})


class Subscripted:
    """Lets an item also be read as a dict: `item["input"]` is `item.input`."""

    def __getitem__(self, name: str) -> Any:
        """Returns the input, the expected output, the metadata or the id.

        Raises:
            KeyError: the name is another.
        """
        if name not in _KEYS:
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """Returns what `item[name]` returns; the default where that is None or the name is another."""
        value = getattr(self, name) if name in _KEYS else None
        return default if value is None else value


@dataclass(frozen=True)
class Item(Subscripted):
    """One item of an experiment's data. Documents are kept as JSON text and parsed on first use.

    Attributes:
        id: the item's id, given or by default.
        index: its place in the data, from 0.
        dataset_item_id: the Langfuse dataset item it comes from.
        input_json: the input as JSON text.
        expected_output_json: the expected output as JSON text; None if there is none, "null" for JSON null.
        metadata_json: facts about the item, a JSON object as text.
    """

    id: str
    index: int
    input_json: str | None = None
    expected_output_json: str | None = None
    metadata_json: str | None = None
    dataset_item_id: str | None = None

    @cached_property
    def input(self) -> Any:
        """What the task got."""
        return decode(self.input_json)

    @cached_property
    def expected_output(self) -> Any:
        """What a right output looks like; None if there is none, as for JSON null."""
        return decode(self.expected_output_json)

    @cached_property
    def metadata(self) -> Any:
        """Facts about the item; None if there are none."""
        return decode(self.metadata_json)


@dataclass(frozen=True, slots=True)
class Context:
    """One passage that the task says it used."""

    text: str
    id: str | None = None
    source: str | None = None
    score: float | None = None


@dataclass(frozen=True)
class ItemResult:
    """What became of one trial of one item; an item that failed has a result, too.

    Attributes:
        item: the item.
        trial: which trial of the item, from 1.
        output_json: what the task answered, as JSON text; None if it failed.
        evaluations: in the order of the spec's evaluators, the composite evaluator's last.
        error: why the task failed; None if it did not.
        contexts: the passages that the task used, in its order.
        trace_id: the trace of this trial, 32 hexadecimal digits.
        trace_url: the trace in Langfuse.
        start_time: when the last attempt began.
        task_duration: seconds that the last attempt took, without queueing and back-off.
        evaluation_duration: seconds that all evaluators of the item took together, by the clock.
        attempts: how often the task was called.
        usage: what the task's models took.
        output_metadata_json: metadata that the task gave with its output, a JSON object as text.
    """

    item: Item
    trial: int = 1
    output_json: str | None = None
    evaluations: tuple[Evaluation, ...] = ()
    error: Error | None = None
    contexts: tuple[Context, ...] = ()
    trace_id: str | None = None
    trace_url: str | None = None
    start_time: datetime | None = None
    task_duration: float | None = None
    evaluation_duration: float | None = None
    attempts: int = 0
    usage: Usage | None = None
    output_metadata_json: str | None = None

    @cached_property
    def output(self) -> Any:
        """What the task answered; None if it failed, as for JSON null."""
        return decode(self.output_json)

    @cached_property
    def output_metadata(self) -> Any:
        """Metadata that the task gave with its output; None if there is none."""
        return decode(self.output_metadata_json)

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as what `json.dumps` takes: documents as themselves, without what is None."""
        return to_plain(self)
