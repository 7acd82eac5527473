"""Datasets kept in Langfuse, and their items."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from evalrpc_server.domain.documents import Document, JsonValue


class Dataset(Struct, frozen=True, kw_only=True):
    """A dataset; documents are None where there is none.

    Attributes:
        input_schema: the JSON Schema of its inputs.
        expected_output_schema: the JSON Schema of its expected outputs.
        url: its page in Langfuse's user interface.
    """

    id: str
    name: str
    description: str = ""
    metadata: Document | None = None
    input_schema: Document | None = None
    expected_output_schema: Document | None = None
    create_time: datetime
    update_time: datetime
    url: str = ""


class DatasetItem(Struct, frozen=True, kw_only=True):
    """An item of a dataset, as it was at some time; documents are None where there is none, or it is null.

    Attributes:
        source_trace_id: the trace that it was made from; empty for none.
        source_observation_id: the observation that it was made from; empty for none.
        archived: whether it is not to be used any more.
    """

    id: str
    dataset_id: str
    dataset_name: str
    input: Document | None = None
    expected_output: Document | None = None
    metadata: Document | None = None
    source_trace_id: str = ""
    source_observation_id: str = ""
    create_time: datetime
    update_time: datetime
    archived: bool = False

    @property
    def size(self) -> int:
        """Characters in the item's documents, a measure of the memory it takes."""
        return sum(len(document or "") for document in (self.input, self.expected_output, self.metadata))


class Link(Struct, frozen=True, kw_only=True):
    """A caller's own trace as the result of a dataset item in a run.

    Attributes:
        run_metadata: facts about the run.
        trace_id: 32 hex digits.
        observation_id: 16 hex digits; the observation that stands for the result.
        dataset_version: of the dataset that the item was read from; None for none in particular.
    """

    dataset_name: str
    dataset_item_id: str
    run_name: str
    run_description: str = ""
    run_metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    trace_id: str
    observation_id: str
    dataset_version: datetime | None = None


class Linked(Struct, frozen=True, kw_only=True):
    """What ties a trace to a dataset item.

    Attributes:
        dataset_run_id: the run, which is the experiment in Langfuse.
        dataset_run_item_id: empty where the attributes alone tie them.
        span_attributes: to be set on every span of the trace.
        url: the run's page.
    """

    dataset_run_id: str
    dataset_run_item_id: str
    span_attributes: Mapping[str, str]
    url: str
