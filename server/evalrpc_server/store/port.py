"""The store port: what must survive the process.

Every backend passes `tests/store/contract.py`. All methods are coroutines that never block the event loop. A write has
returned only when it is durable; writes that wait at the same time share one commit. Pages are bounded by count and by
characters of text, and hold at least one entry where there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from evalrpc_server.domain.events import Event
from evalrpc_server.domain.experiments import Experiment, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.registered import RegisteredEvaluator
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.scores import Delivered
from evalrpc_server.domain.statistics.scores import TrialScores

PAGE_CHARACTERS = 3 * 1024 * 1024
"""The default bound of a page, in characters of text."""


class StoreError(Exception):
    """The backend failed; the message names no data. Nothing of the write is stored."""


class StoreFullError(StoreError):
    """There is no room left."""


class StoreBusyError(StoreError):
    """Another server holds the store."""


class InvalidCursorError(ValueError):
    """A cursor that no page of this kind gave."""


class OutboxRecord(Struct, frozen=True, kw_only=True):
    """Something to be delivered to Langfuse, stored in the same commit as what it tells of.

    Attributes:
        id: the same record always has the same id; storing it again changes nothing.
        experiment_id: what it belongs to.
        project: the Langfuse project that it goes to.
        kind: what it is, for the deliverer.
        payload: JSON text, in the deliverer's own form.
        records: how many it stands for; they are counted one by one and settled together.
    """

    id: str
    experiment_id: str
    project: str
    kind: str
    payload: str
    records: int = 1


class Commit(Struct, frozen=True, kw_only=True):
    """Changes to one experiment that become durable together.

    Attributes:
        experiment: the experiment as it is after all of `events`.
        events: to be appended to the log; sequences go on from the stored ones without a gap. An event whose body is an
            `ItemResult` also stores the result.
        outbox: records to be delivered.
        respecified: whether the experiment's spec is another one than before.
    """

    experiment: Experiment
    events: Sequence[Event]
    outbox: Sequence[OutboxRecord] = ()
    respecified: bool = False


class ResultOrder(Enum):
    """The order of listed results."""

    ITEM = "item"
    COMPLETION = "completion"


class ExperimentPage(Struct, frozen=True, kw_only=True):
    """Experiments, newest first; `next_cursor` is empty at the end."""

    experiments: Sequence[Experiment]
    next_cursor: str


class ResultPage(Struct, frozen=True, kw_only=True):
    """Results in the order asked for; `next_cursor` is empty at the end."""

    results: Sequence[ItemResult]
    next_cursor: str


class ScorePage(Struct, frozen=True, kw_only=True):
    """Scores by item index and trial; an item's trials may go on on the next page. `next_cursor` is empty at the end."""

    trials: Sequence[TrialScores]
    next_cursor: str


class EvaluatorPage(Struct, frozen=True, kw_only=True):
    """Registered evaluators; `next_cursor` is empty at the end."""

    evaluators: Sequence[RegisteredEvaluator]
    next_cursor: str


class Creation(Struct, frozen=True, kw_only=True):
    """What became of a request to create an experiment.

    Attributes:
        experiment: the new one, or the one that the request id already belongs to.
        created: whether it is new.
        same_content: whether an existing one was made by a request of the same content.
    """

    experiment: Experiment
    created: bool
    same_content: bool = True


class ItemCollection(Struct, frozen=True, kw_only=True):
    """Items in a row, of one upload or one experiment.

    Attributes:
        id: what experiments refer to.
        count: how many items it has so far.
        characters: text in them.
        complete: whether all have arrived.
        cursor: where the source of an incomplete collection goes on; opaque.
    """

    id: str
    count: int
    characters: int
    complete: bool
    cursor: str = ""


class ExperimentStore(Protocol):
    """Experiments, their logs and their results."""

    async def create_experiment(
        self, commit: Commit, *, request_id: str = "", fingerprint: str = "", items: Sequence[Item] = ()
    ) -> Creation:
        """Stores a new experiment with its first event and, for inline data, its items as a complete collection.

        A `request_id` that is already taken stores nothing and returns the experiment that it belongs to; `same_content`
        tells whether the fingerprints are equal.
        """

    async def find_request(self, request_id: str, fingerprint: str) -> Creation | None:
        """Returns the experiment that a request id belongs to, or None; `same_content` compares the fingerprints."""

    async def get_experiment(self, experiment_id: str) -> Experiment | None:
        """Returns an experiment, or None where there is none of that id."""

    async def list_experiments(
        self, *, limit: int, cursor: str = "", states: Collection[State] = (), name: str = ""
    ) -> ExperimentPage:
        """Returns a page of experiments, newest first, optionally only those in some states or of one name."""

    async def unfinished_experiments(self) -> Sequence[Experiment]:
        """Returns all experiments whose state is not final, oldest first."""

    async def commit(self, commit: Commit) -> None:
        """Makes changes to an experiment durable, all or none.

        Raises:
            StoreError: the same commit may be tried again; it is stored once, also where a lost connection hid that the
                first attempt had succeeded.
        """

    async def read_events(
        self, experiment_id: str, *, after: int, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[Event]:
        """Returns the events behind a sequence, in order."""

    async def read_results(
        self,
        experiment_id: str,
        *,
        order: ResultOrder = ResultOrder.ITEM,
        limit: int,
        cursor: str = "",
        failed_only: bool = False,
        characters: int = PAGE_CHARACTERS,
    ) -> ResultPage:
        """Returns a page of results, by item index and trial or in the order of their events.

        Raises:
            InvalidCursorError: no page of this order gave the cursor; the other lists raise it likewise.
        """

    async def read_scores(
        self,
        experiment_id: str,
        *,
        limit: int,
        cursor: str = "",
        cluster_by: str = "",
        characters: int = PAGE_CHARACTERS,
    ) -> ScorePage:
        """Returns a page of what was said of the results, by item index and trial, without their documents.

        Args:
            experiment_id: whose results.
            limit: how many trials at most.
            cursor: where to go on.
            cluster_by: the path within item metadata, such as "document.id", that tells an item's cluster; empty for none.
                An item where nothing stands there is a cluster of its own.
            characters: how much stored text is read for a page.

        Raises:
            InvalidCursorError: no page of scores gave the cursor.
        """

    async def first_results(
        self, experiment_id: str, indexes: Sequence[int], *, characters: int = PAGE_CHARACTERS
    ) -> Sequence[ItemResult]:
        """Returns the result of the first trial of each item that has one, in the order of the indexes.

        It ends early, behind the first at least, where the results would have more characters.
        """

    async def finished_trials(
        self, experiment_id: str, *, first: int, last: int
    ) -> Collection[tuple[int, int]]:
        """Returns the (item index, trial) pairs that have a result, for the items from `first` to `last`, both included."""


class ItemStore(Protocol):
    """Collections of items: uploads, and the data of experiments."""

    async def create_collection(self, collection_id: str) -> None:
        """Makes an empty, incomplete collection; does nothing where it exists."""

    async def append_items(
        self, collection_id: str, items: Sequence[Item], *, cursor: str = "", complete: bool = False
    ) -> None:
        """Adds items whose indexes go on from the stored ones, and notes where the source goes on.

        Raises:
            StoreError: nothing was stored. An index or id that the collection has already is refused so.
        """

    async def known_item_ids(self, collection_id: str, ids: Collection[str]) -> Collection[str]:
        """Returns those of the ids that the collection has already."""

    async def get_collection(self, collection_id: str) -> ItemCollection | None:
        """Returns a collection, or None where there is none of that id."""

    async def abandoned_collections(self) -> Collection[str]:
        """Returns the ids of incomplete collections that belong to no experiment: what broke off can never be used."""

    async def discard_collection(self, collection_id: str) -> None:
        """Removes a collection that belongs to no experiment, and its items; does nothing otherwise."""

    async def read_items(
        self, collection_id: str, *, after: int, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[Item]:
        """Returns the items behind an index, in order; `after=-1` begins at the first."""


class EvaluatorStore(Protocol):
    """Registered evaluators."""

    async def register_evaluator(self, evaluator: RegisteredEvaluator) -> RegisteredEvaluator:
        """Stores the next version of a name and returns it; its own `version` is ignored.

        Where the newest version has the same spec, that one is returned and nothing is stored.
        """

    async def get_evaluator(self, name: str, version: int | None = None) -> RegisteredEvaluator | None:
        """Returns a version, by default the newest, or None where there is none."""

    async def list_evaluators(self, *, limit: int, cursor: str = "", name: str = "") -> EvaluatorPage:
        """Returns a page: the newest version of each name, or all versions of one name, the newest first."""

    async def delete_evaluator(self, name: str, version: int | None = None) -> int:
        """Deletes a version, or all of a name, and returns how many. A deleted version's number is not given again."""


class OutboxCounts(Struct, frozen=True, kw_only=True):
    """Outbox records of one experiment, by what became of them, and the newest refusal."""

    queued: int = 0
    accepted: int = 0
    rejected: int = 0
    last_error: str = ""


class QueuedRecord(Struct, frozen=True, kw_only=True):
    """A record to deliver; positions grow in the order of storing."""

    position: int
    record: OutboxRecord


class RecordState(Struct, frozen=True):
    """What became of one record; `error` says why it was rejected."""

    delivered: Delivered
    error: str = ""


class OutboxStore(Protocol):
    """Records on their way to Langfuse. They stay until they are accepted or refused for good."""

    async def add_outbox(self, records: Sequence[OutboxRecord]) -> None:
        """Stores records that come with no change to an experiment."""

    async def split_outbox(self, position: int, records: Sequence[OutboxRecord]) -> None:
        """Replaces a queued record by those that it holds, which are queued behind all others; does nothing otherwise."""

    async def read_outbox(
        self, project: str, kind: str, *, after: int = 0, limit: int, characters: int = PAGE_CHARACTERS
    ) -> Sequence[QueuedRecord]:
        """Returns queued records of one kind of a project behind a position, oldest first."""

    async def outbox_end(self) -> int:
        """Returns the position of the newest record, settled or not; 0 where there was none yet."""

    async def settle_outbox(
        self, *, accepted: Collection[int] = (), rejected: Mapping[int, str] | None = None
    ) -> None:
        """Marks records by position as accepted (their payloads are dropped) or rejected for a reason (they are kept)."""

    async def outbox_counts(self, experiment_id: str) -> OutboxCounts:
        """Returns what became of an experiment's records."""

    async def outbox_states(self, ids: Collection[str]) -> Mapping[str, RecordState]:
        """Returns what became of the records of these ids; unknown ids are left out."""


class KeyStore(Protocol):
    """Keys by which the server recognises what it has issued, also after a restart."""

    async def ensure_key(self, name: str) -> bytes:
        """Returns the 32 random bytes kept under a name, made when they are first asked for."""


class Store(ExperimentStore, ItemStore, EvaluatorStore, OutboxStore, KeyStore, Protocol):
    """Everything that must survive the process. One server holds a store at a time."""

    async def open(self) -> None:
        """Connects, takes hold of the store, and brings its schema up to date.

        Raises:
            StoreBusyError: another server holds it.
            StoreError: it cannot be opened.
        """

    async def close(self) -> None:
        """Finishes what was begun and lets go of the store."""
