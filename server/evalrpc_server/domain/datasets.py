"""Datasets kept in Langfuse, and their items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from evalrpc_server.domain.documents import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetItem:
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
