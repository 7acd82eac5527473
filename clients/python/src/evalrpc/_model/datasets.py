"""Datasets in Langfuse, and what ties a trace of one's own to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from evalrpc._documents import decode
from evalrpc._model.evaluation import Error, Value
from evalrpc._model.item_result import Subscripted


@dataclass(frozen=True)
class Dataset:
    """A dataset in Langfuse.

    Attributes:
        id: its id.
        name: its name.
        description: what it is.
        metadata: facts about it; None if there are none.
        input_schema: the JSON Schema of its inputs; None if there is none.
        expected_output_schema: the JSON Schema of its expected outputs; None if there is none.
        create_time: when it was made.
        update_time: when it was last changed.
        url: its page in Langfuse.
    """

    id: str
    name: str
    description: str | None = None
    metadata: Any = None
    input_schema: Any = None
    expected_output_schema: Any = None
    create_time: datetime | None = None
    update_time: datetime | None = None
    url: str | None = None


@dataclass(frozen=True)
class DatasetItem(Subscripted):
    """One item of a dataset in Langfuse. Documents are kept as JSON text and parsed on first use.

    Attributes:
        id: its id.
        dataset_id: its dataset's id.
        dataset_name: its dataset's name.
        dataset_version: the time as of which the dataset was read; None for the latest.
        input_json: the input as JSON text; None if there is none.
        expected_output_json: the expected output as JSON text; None if there is none.
        metadata_json: facts about it as JSON text; None if there are none.
        source_trace_id: the trace that it was made from.
        source_observation_id: the observation that it was made from.
        create_time: when it was made.
        update_time: when it was last changed.
    """

    id: str
    dataset_id: str
    dataset_name: str
    dataset_version: datetime | None = None
    input_json: str | None = None
    expected_output_json: str | None = None
    metadata_json: str | None = None
    source_trace_id: str | None = None
    source_observation_id: str | None = None
    create_time: datetime | None = None
    update_time: datetime | None = None

    @cached_property
    def input(self) -> Any:
        """The input; None if there is none, as for JSON null."""
        return decode(self.input_json)

    @cached_property
    def expected_output(self) -> Any:
        """The expected output; None if there is none, as for JSON null."""
        return decode(self.expected_output_json)

    @cached_property
    def metadata(self) -> Any:
        """Facts about it; None if there are none."""
        return decode(self.metadata_json)


@dataclass(frozen=True, slots=True)
class DatasetItemLink:
    """What ties a trace to a dataset item.

    Attributes:
        dataset_run_id: the dataset run, which is the experiment's id in Langfuse; run scores go to it.
        dataset_run_item_id: the dataset run item; None if this Langfuse has none.
        span_attributes: the attributes to set on every span of the trace.
        url: the run's page in Langfuse.
    """

    dataset_run_id: str
    dataset_run_item_id: str | None = None
    span_attributes: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One score to write to Langfuse: of a trace, of an observation in it, or of a dataset run.

    Attributes:
        name: its name.
        value: a number, true or false, or a label.
        trace_id: what is scored, 32 hexadecimal digits. Exactly one of it and `dataset_run_id` is required.
        observation_id: the observation in the trace, 16 hexadecimal digits; by default the trace as a whole.
        dataset_run_id: the dataset run that is scored.
        id: one written twice under the same id exists once; by default derived from the content.
        comment: an explanation.
        metadata: further facts.
        config_id: the Langfuse score config that the value obeys.
        time: when the verdict was reached; by default, when the call arrives.
        environment: which should be that of the trace; by default the project's on the server.
    """

    name: str
    value: Value
    trace_id: str | None = None
    observation_id: str | None = None
    dataset_run_id: str | None = None
    id: str | None = None
    comment: str | None = None
    metadata: Mapping[str, Any] | None = None
    config_id: str | None = None
    time: datetime | None = None
    environment: str | None = None


class ScoreDelivery(StrEnum):
    """How far a score is on its way: stored and not answered for yet, accepted by Langfuse, or refused for good."""

    QUEUED = "QUEUED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class ScoreReceipt:
    """What became of a score.

    Attributes:
        id: the score's id, given or by default.
        delivery: how far it is; None for what this version of the client does not know.
        error: why Langfuse refused it, or what has kept it so far.
    """

    id: str
    delivery: ScoreDelivery | None = None
    error: Error | None = None
