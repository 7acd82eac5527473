"""The spans of a project, kept compactly: batches as received, and a small index entry for every span."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.standins.langfuse.answers import encode_json
from tests.standins.langfuse.clock import Visibility
from tests.standins.langfuse.observation import EXPERIMENT, Observation
from tests.standins.langfuse.otlp import Span, decode

DECODED_BATCHES = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted export: its gzip bytes, and when its spans become readable."""

    body: bytes
    content_type: str
    direct: bool
    encoded_metadata: bool
    stamp: tuple[int, int]
    staged_stamp: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a span says about its experiment; shared by all spans that say the same."""

    id: str
    name: str
    description: str
    dataset_id: str
    metadata: str


@dataclass(slots=True)
class Row:
    """The index entry of one received span."""

    batch: int
    position: int
    trace_id: str
    span_id: str
    start: int
    end: int
    facts: Facts | None
    item_id: str | None
    is_item_root: bool
    merged: bool = False

    @property
    def key(self) -> tuple[int, str]:
        """The order of lists: newest start first."""
        return self.start, self.span_id


class SpanTable:
    """All spans that a project received."""

    def __init__(self, visibility: Visibility, *, experiments: bool) -> None:
        """Start empty; `experiments` is off on servers that do not know them."""
        self._visibility = visibility
        self._experiments = experiments
        self._batches: list[Batch] = []
        self._decoded: OrderedDict[int, list[Span]] = OrderedDict()
        self._facts: dict[Facts, Facts] = {}
        self._by_trace: dict[str, list[Row]] = {}
        self._by_experiment: dict[str, list[Row]] = {}
        self._sorted: dict[object, list[Row]] = {}
        self.received = 0
        self.duplicates = 0

    def add(self, batch: Batch, spans: list[Span]) -> None:
        """Take in the spans of an accepted export."""
        number = len(self._batches)
        self._batches.append(batch)
        self._sorted.clear()
        for position, span in enumerate(spans):
            rows = self._by_trace.get(span.trace_id)
            if rows is None:
                rows = self._by_trace[span.trace_id] = []
            elif any(row.span_id == span.span_id for row in rows):
                self.duplicates += 1
            rows.append(self._row(number, position, span, direct=batch.direct))
            self.received += 1

    def _row(self, batch: int, position: int, span: Span, *, direct: bool) -> Row:
        attributes = span.attributes
        facts = None
        item_id = None
        is_root = False
        identity = attributes.get(f"{EXPERIMENT}id")
        if identity and direct and self._experiments:
            facts = self._shared(span, str(identity))
            item_id = str(attributes.get(f"{EXPERIMENT}item.id", ""))
            is_root = attributes.get(f"{EXPERIMENT}item.root_observation_id") == span.span_id
        trace_id = span.trace_id
        if rows := self._by_trace.get(trace_id):
            trace_id = rows[0].trace_id  # one string for all spans of a trace
        row = Row(batch, position, trace_id, span.span_id, span.start, span.end, facts, item_id, is_root)
        if facts is not None:
            self._by_experiment.setdefault(facts.id, []).append(row)
        return row

    def _shared(self, span: Span, identity: str) -> Facts:
        attributes = span.attributes
        start = f"{EXPERIMENT}metadata."
        dotted = {key[len(start) :]: value for key, value in attributes.items() if key.startswith(start)}
        facts = Facts(
            identity,
            str(attributes.get(f"{EXPERIMENT}name", "")),
            str(attributes.get(f"{EXPERIMENT}description", "")),
            str(attributes.get(f"{EXPERIMENT}dataset.id", "")),
            str(attributes.get(f"{EXPERIMENT}metadata", ""))
            or (encode_json(dotted).decode() if dotted else ""),
        )
        return self._facts.setdefault(facts, facts)

    def sees(self, row: Row, *, events: bool) -> bool:
        """Whether readers of the events tables (or of the traces tables) can see this row by now."""
        batch = self._batches[row.batch]
        return not row.merged and self._visibility.sees(batch.staged_stamp if events else batch.stamp)

    def _visible(self, rows: Iterable[Row], events: bool) -> list[Row]:
        return sorted(
            (row for row in rows if self.sees(row, events=events)), key=lambda row: row.key, reverse=True
        )

    def _cached(self, name: object, rows: Callable[[], Iterable[Row]], events: bool) -> list[Row]:
        if (found := self._sorted.get(name)) is not None:
            return found
        chosen = list(rows())
        visible = self._visible(chosen, events)
        if len(visible) == sum(not row.merged for row in chosen):
            self._sorted[name] = visible
        return visible

    def all(self, *, events: bool) -> list[Row]:
        """All readable rows, newest start first; of a re-sent span every copy."""
        return self._cached(
            ("all", events), lambda: (row for rows in self._by_trace.values() for row in rows), events
        )

    def of_trace(self, trace_id: str, *, events: bool) -> list[Row]:
        """The readable rows of one trace, newest start first."""
        return self._visible(self._by_trace.get(trace_id, ()), events)

    def experiment_ids(self) -> list[str]:
        """All experiments that any span named."""
        return list(self._by_experiment)

    def of_experiment(self, identity: str) -> list[Row]:
        """The readable rows of one experiment, newest start first."""
        return self._cached(("experiment", identity), lambda: self._by_experiment.get(identity, ()), True)

    def item_roots(self, identity: str) -> list[Row]:
        """One row for each readable item root of an experiment, newest start first."""
        name = ("roots", identity)
        if (found := self._sorted.get(name)) is not None:
            return found
        rows = self.of_experiment(identity)
        roots = {(row.trace_id, row.span_id): row for row in reversed(rows) if row.is_item_root}
        ordered = sorted(roots.values(), key=lambda row: row.key, reverse=True)
        if ("experiment", identity) in self._sorted:
            self._sorted[name] = ordered
        return ordered

    def trace_ids(self) -> list[str]:
        """All traces, in order of arrival."""
        return list(self._by_trace)

    def span(self, row: Row) -> Span:
        """The span behind a row."""
        if row.batch in self._decoded:
            self._decoded.move_to_end(row.batch)
        else:
            batch = self._batches[row.batch]
            self._decoded[row.batch] = decode(zlib.decompress(batch.body, wbits=31), batch.content_type)
            if len(self._decoded) > DECODED_BATCHES:
                self._decoded.popitem(last=False)
        return self._decoded[row.batch][row.position]

    def observation(self, row: Row) -> Observation:
        """The span behind a row, read as an observation."""
        batch = self._batches[row.batch]
        return Observation(self.span(row), encoded_metadata=batch.encoded_metadata, staged=not batch.direct)

    def rows(self) -> Iterator[Row]:
        """Every row received, readable or not, trace by trace."""
        for rows in self._by_trace.values():
            yield from rows

    def merge(self) -> int:
        """Do what the database does in the background: of copies with the same start keep the newest."""
        merged = 0
        for rows in self._by_trace.values():
            newest: dict[tuple[str, int], Row] = {}
            for row in rows:
                if row.merged:
                    continue
                if (older := newest.get((row.span_id, row.start))) is not None:
                    older.merged = True
                    merged += 1
                newest[row.span_id, row.start] = row
        self._sorted.clear()
        return merged

    def delete_traces(self, trace_ids: set[str]) -> None:
        """Forget whole traces."""
        for trace_id in trace_ids:
            self._by_trace.pop(trace_id, None)
        for identity, rows in self._by_experiment.items():
            self._by_experiment[identity] = [row for row in rows if row.trace_id not in trace_ids]
        self._sorted.clear()
