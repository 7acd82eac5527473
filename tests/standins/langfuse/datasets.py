"""Datasets and their versioned items: what is stored, without HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import jsonschema
import msgspec

from tests.standins.langfuse.answers import Json, conflict, encode_json, invalid_request, not_found
from tests.standins.langfuse.clock import Clock, iso
from tests.standins.langfuse.models import DatasetBody, DatasetItemBody

KEPT_LISTINGS = 100


@dataclass(slots=True)
class ItemVersion:
    """One state of an item, current from `created` until `replaced` (both ns, None: still)."""

    item: Item
    input: Json
    expected_output: Json
    metadata: Json
    status: str
    source_trace_id: str | None
    source_observation_id: str | None
    created: int
    sequence: int
    replaced: int | None = None
    encoded: bytes | None = None

    @property
    def key(self) -> tuple[int, int]:
        """The order of lists: newest write first."""
        return self.created, self.sequence

    def show(self) -> dict[str, Json]:
        """The item as the API returns it."""
        return {
            "id": self.item.id,
            "status": self.status,
            "input": self.input,
            "expectedOutput": self.expected_output,
            "metadata": self.metadata,
            "sourceTraceId": self.source_trace_id,
            "sourceObservationId": self.source_observation_id,
            "datasetId": self.item.dataset.id,
            "datasetName": self.item.dataset.name,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
            "version": iso(self.created),
            "mediaReferences": [],
        }

    def raw(self) -> msgspec.Raw:
        """The encoded form of `show`, made once."""
        if self.encoded is None:
            self.encoded = encode_json(self.show())
        return msgspec.Raw(self.encoded)


@dataclass(slots=True)
class Item:
    """An item and all its states, oldest first; the last is current unless `replaced` is set."""

    id: str
    dataset: Dataset
    versions: list[ItemVersion] = field(default_factory=list)

    @property
    def current(self) -> ItemVersion | None:
        """The state now, None after a deletion."""
        return self.versions[-1] if self.versions[-1].replaced is None else None

    def at(self, moment: int) -> ItemVersion | None:
        """The state at a moment (ns)."""
        for version in reversed(self.versions):
            if version.created <= moment:
                return version if version.replaced is None or moment < version.replaced else None
        return None


@dataclass(slots=True)
class Dataset:
    """A dataset; `listings` caches the active items, newest first, by moment (ns, None: now) until the next write."""

    id: str
    name: str
    project_id: str
    created: int
    updated: int
    description: str | None = None
    metadata: Json = None
    input_schema: Json = None
    expected_output_schema: Json = None
    items: list[Item] = field(default_factory=list)
    listings: dict[int | None, list[ItemVersion]] = field(default_factory=dict)

    def show(self) -> dict[str, Json]:
        """The dataset as the API returns it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "metadata": self.metadata,
            "projectId": self.project_id,
            "inputSchema": self.input_schema,
            "expectedOutputSchema": self.expected_output_schema,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
        }


class DatasetTable:
    """The datasets of one project."""

    def __init__(self, clock: Clock, project_id: str) -> None:
        self._clock = clock
        self._project_id = project_id
        self._datasets: dict[str, Dataset] = {}
        self._items: dict[str, Item] = {}
        self._writes = 0

    def all(self) -> list[Dataset]:
        """All datasets, newest first."""
        return sorted(self._datasets.values(), key=lambda dataset: dataset.created, reverse=True)

    def get(self, name: str) -> Dataset:
        """A dataset by name; a name that is still percent-encoded is tolerated."""
        found = self._datasets.get(name) or self._datasets.get(unquote(name))
        if found is None:
            raise not_found("Dataset not found")
        return found

    def by_id(self, dataset_id: str) -> Dataset | None:
        """A dataset by its id."""
        return next((found for found in self._datasets.values() if found.id == dataset_id), None)

    def put(self, body: DatasetBody) -> Dataset:
        """Create a dataset, or change the given fields of the one with this name."""
        now = self._clock.now_ms()
        given = body.model_fields_set
        dataset = self._datasets.get(body.name)
        for schema in (body.inputSchema, body.expectedOutputSchema):
            check_schema(schema)
        if dataset is None:
            dataset = Dataset(uuid.uuid4().hex, body.name, self._project_id, now, now)
            self._datasets[body.name] = dataset
        for attribute, name in (
            ("description", "description"),
            ("metadata", "metadata"),
            ("input_schema", "inputSchema"),
            ("expected_output_schema", "expectedOutputSchema"),
        ):
            if name in given:
                setattr(dataset, attribute, getattr(body, name))
        for item in dataset.items:
            if (state := item.current) is not None:
                check_item(dataset, state.input, state.expected_output)
        dataset.updated = now
        return dataset

    def put_item(self, body: DatasetItemBody) -> ItemVersion:
        """Create an item, or write a new state of the one with this id.

        Fields that are absent or null keep their value; texts that are JSON are stored decoded.
        """
        dataset = self.get(body.datasetName)
        identity = body.id or str(uuid.uuid4())
        item = self._items.get(identity)
        if item is not None and item.current is not None and item.dataset is not dataset:
            raise conflict(f"Dataset item {identity} exists in another dataset")
        if item is None or item.current is None:
            old = None
            item = Item(identity, dataset)
        else:
            old = item.current
        state = ItemVersion(
            item,
            _merged(body.input, old and old.input),
            _merged(body.expectedOutput, old and old.expected_output),
            _merged(body.metadata, old and old.metadata),
            body.status or (old.status if old else "ACTIVE"),
            body.sourceTraceId or (old.source_trace_id if old else None),
            body.sourceObservationId or (old.source_observation_id if old else None),
            self._clock.now_ms(),
            self._next(),
        )
        check_item(dataset, state.input, state.expected_output)
        self._write(item, state)
        return state

    def _next(self) -> int:
        self._writes += 1
        return self._writes

    def _write(self, item: Item, state: ItemVersion) -> None:
        if (known := self._items.get(item.id)) is None or known is not item:
            if known is not None:
                if known.versions[-1].replaced is None:
                    known.versions[-1].replaced = state.created
                item.versions = [*known.versions]
                known.dataset.items.remove(known)
            self._items[item.id] = item
            item.dataset.items.append(item)
        elif item.versions:
            item.versions[-1].replaced = state.created
        item.versions.append(state)
        item.dataset.listings.clear()

    def load(self, name: str, items: Iterable[dict[str, Any]]) -> Dataset:
        """Create a dataset with many items at once, as a test's set-up; values are taken as they are.

        Each item may have id, input, expectedOutput, metadata and status.
        """
        dataset = self.put(DatasetBody(name=name))
        now = self._clock.now_ms()
        for entry in items:
            item = Item(entry.get("id") or str(uuid.uuid4()), dataset)
            state = ItemVersion(
                item,
                entry.get("input"),
                entry.get("expectedOutput"),
                entry.get("metadata"),
                entry.get("status", "ACTIVE"),
                None,
                None,
                now,
                self._next(),
            )
            self._write(item, state)
        return dataset

    def item(self, identity: str) -> ItemVersion:
        """An item's current state, archived or not."""
        item = self._items.get(identity)
        if item is None or item.current is None:
            raise not_found("Dataset item not found")
        return item.current

    def delete_item(self, identity: str) -> None:
        """Delete an item; its past states stay readable by version."""
        state = self.item(identity)
        state.replaced = self._clock.now_ms()
        state.item.dataset.listings.clear()

    def active(self, dataset: Dataset, moment: int | None) -> list[ItemVersion]:
        """The ACTIVE items now, or at a moment (ns), newest write first."""
        if (known := dataset.listings.get(moment)) is not None:
            return known
        states = (item.current if moment is None else item.at(moment) for item in dataset.items)
        listing = sorted(
            (state for state in states if state is not None and state.status == "ACTIVE"),
            key=lambda state: state.key,
            reverse=True,
        )
        if len(dataset.listings) >= KEPT_LISTINGS:
            dataset.listings.clear()
        dataset.listings[moment] = listing
        return listing


def stored(value: Json) -> Json:
    """A value as the server keeps it: a text that is JSON is decoded, an empty one becomes null."""
    if not isinstance(value, str):
        return value
    if value == "":
        return None
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return "".join(char for char in value if char in "\n\r\t" or ord(char) >= 32)


def _merged(given: Json, old: Json) -> Json:
    # The server decodes the kept value once more on every partial write; so does this.
    return stored(old if given is None else given)


def check_schema(schema: Json) -> None:
    """Refuse what is no JSON Schema in strict mode: unknown keywords, unknown required names."""
    if schema is None:
        return
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError:
        raise invalid_request("Must be a valid JSON Schema") from None
    if isinstance(schema, dict):
        unknown = set(schema) - KEYWORDS
        missing = set(schema.get("required", ())) - set(schema.get("properties", ()))
        if unknown or missing:
            raise invalid_request("Must be a valid JSON Schema")


KEYWORDS = set(jsonschema.Draft7Validator.META_SCHEMA["properties"])


def check_item(dataset: Dataset, given: Json, expected: Json) -> None:
    """Refuse an item that its dataset's schemas refuse."""
    for name, schema, value in (
        ("input", dataset.input_schema, given),
        ("expectedOutput", dataset.expected_output_schema, expected),
    ):
        if schema is not None and not jsonschema.Draft7Validator(schema).is_valid(value):
            raise invalid_request(f"Dataset item validation failed: {name} does not match the schema")
