"""The promises, one validator each. `journal` is an experiment's whole log as the last server tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from evalrpc.v1 import event_pb2, experiment_pb2
from tests.faults.history import History
from tests.service.calls import FINAL

Journals = Mapping[str, Sequence[event_pb2.ExperimentEvent]]


def ordered(history: History, _: Journals) -> None:
    """Events reach a watcher in the order of their sequences."""
    for watcher in history.watchers:
        sequences = [event.sequence for event in watcher.events]
        assert sequences == sorted(sequences)


def unique(history: History, _: Journals) -> None:
    """No event reaches a watcher twice."""
    for watcher in history.watchers:
        repeated = [
            number for number, times in Counter(e.sequence for e in watcher.events).items() if times > 1
        ]
        assert not repeated


def reliable(history: History, journals: Journals) -> None:
    """A watcher misses nothing: sequences are dense, from 1 to the experiment's end."""
    for watcher in history.watchers:
        assert [event.sequence for event in watcher.events] == list(range(1, len(watcher.events) + 1))
        assert watcher.done
        assert len(watcher.events) == len(journals[watcher.experiment_id])


def durable(history: History, journals: Journals) -> None:
    """Streamed is stored: whatever a watcher saw before a kill stands in the journal unchanged."""
    for watcher in history.watchers:
        assert watcher.events == list(journals[watcher.experiment_id])


def exactly_one_result(history: History, journals: Journals) -> None:
    """Each trial of each item has exactly one result."""
    for journal in journals.values():
        found = Counter(
            (event.item_result.item.index, event.item_result.trial)
            for event in journal
            if event.HasField("item_result")
        )
        assert found == Counter((index, 1) for index in range(history.items))


def counted(history: History, journals: Journals) -> None:
    """The progress of each event agrees with the events before it."""
    for journal in journals.values():
        completed = 0
        for event in journal:
            completed += event.HasField("item_result")
            assert event.progress.completed == completed
        assert journal[-1].progress.total == history.items
        (summary,) = journal[-1].experiment.summaries
        assert summary.n == history.items


def ended(_: History, journals: Journals) -> None:
    """Every accepted experiment comes to its end, once."""
    for journal in journals.values():
        ends = [event.experiment.state for event in journal if event.experiment.state in FINAL]
        assert ends == [experiment_pb2.EXPERIMENT_STATE_SUCCEEDED]


def accepted_once(history: History, _: Journals) -> None:
    """The same request id is the same experiment, whatever happened between its repeats."""
    for ids in history.experiments.values():
        assert len(ids) == 1


VALIDATORS: Sequence[Callable[[History, Journals], None]] = (
    ordered,
    unique,
    reliable,
    durable,
    exactly_one_result,
    counted,
    ended,
    accepted_once,
)
