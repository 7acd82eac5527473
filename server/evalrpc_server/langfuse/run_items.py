"""What is read of a recorded run: its items' scores, whichever way the server lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from evalrpc_server.domain.documents import Document, DocumentTooLargeError, JsonValue, document_from_value
from evalrpc_server.domain.evaluations import Value
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.statistics.scores import Score, TrialScores
from evalrpc_server.langfuse.api import ApiError

READ_SECONDS = 120.0
"""How long the reading of a run's scores may take."""

MAX_TRIALS = 1000
"""How many trials of an item are read."""

SHOWN_AT_ONCE = 50
"""How many items are asked for in one request, and how many have their outputs looked up one by one."""

_GROUP = 2000
_NULL = Document("null")
_Body = TypeVar("_Body")


class ScoreBody(msgspec.Struct, rename="camel"):
    """A score, in the forms of the newer and the older lists."""

    name: str
    data_type: str = "NUMERIC"
    value: float | bool | str | None = None
    string_value: str | None = None
    trace_id: str | None = None

    def read(self) -> Score:
        """Returns the score as statistics take it."""
        return Score(self.name, self._value())

    def _value(self) -> Value | None:
        if self.data_type == "BOOLEAN":
            return None if self.value is None else bool(self.value)
        if self.data_type == "CATEGORICAL":
            return self.string_value or (self.value if isinstance(self.value, str) else None)
        return float(self.value) if isinstance(self.value, float | int) else None


def decoded(decoder: msgspec.json.Decoder[_Body], body: bytes, status: int) -> _Body:
    """Reads an answer.

    Raises:
        ApiError: it has another form.
    """
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(f"answered about a run with something else ({error})", status=status) from None


def once_each(scores: Sequence[ScoreBody]) -> tuple[Score, ...]:
    """Returns the scores of a trial, the first of each name."""
    found: dict[str, Score] = {}
    for score in scores:
        found.setdefault(score.name, score.read())
    return tuple(found.values())


class Gathering:
    """The trials of a run's items, which arrive run by run, brought together by item."""

    def __init__(self) -> None:
        self._trials: dict[str, list[TrialScores]] = {}

    def add(
        self,
        item_id: str,
        trial: int,
        scores: tuple[Score, ...],
        *,
        failed: bool = False,
        cluster: str | None = None,
    ) -> None:
        """Adds one trial of an item."""
        known = self._trials.setdefault(item_id, [])
        index = known[0].item_index if known else len(self._trials) - 1
        known.append(TrialScores(index, item_id, trial, failed, scores, cluster))

    def groups(self) -> Iterator[Sequence[TrialScores]]:
        """Yields the trials in groups, those of an item together."""
        group: list[TrialScores] = []
        for trials in self._trials.values():
            group.extend(trials)
            if len(group) >= _GROUP:
                yield group
                group = []
        if group:
            yield group


def as_document(value: JsonValue) -> Document | None:
    """Returns what Langfuse shows as an input or output: JSON text where it is some, a string otherwise."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            pass
        else:
            return Document(value)
    try:
        return document_from_value(value)
    except DocumentTooLargeError:
        return None


def as_item(index: int, item_id: str, fields: Mapping[str, JsonValue]) -> Item:
    """Returns an item as far as Langfuse shows it with a run."""
    return Item(
        index=index,
        id=item_id,
        input=as_document(fields.get("input")) or _NULL,
        expected_output=as_document(fields.get("expectedOutput")),
        dataset_item_id=item_id,
    )


def repetitions_of(metadata: JsonValue) -> int:
    """Returns how many trials each item has, as runs of this server's tell in their metadata; 1 for others."""
    told = str(metadata.get("repetitions", "1")) if isinstance(metadata, dict) else "1"
    return min(MAX_TRIALS, max(1, int(told))) if told.isascii() and told.isdigit() and len(told) < 6 else 1
