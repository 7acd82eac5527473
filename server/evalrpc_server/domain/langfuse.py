"""How an experiment is recorded in Langfuse, as told to callers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from evalrpc_server.domain.errors import Error


class LinkMode(StrEnum):
    """How results are tied to dataset items: by attributes of the spans alone, or by dataset run items as well."""

    ATTRIBUTES = "attributes"
    RUN_ITEMS = "run_items"


class LangfuseStatus(Struct, frozen=True, kw_only=True):
    """What became of an experiment's records: traces, links to dataset items, and scores.

    Attributes:
        project: by its name in the server's configuration.
        dataset_id: the dataset that the items come from; empty for other data.
        experiment_id: in Langfuse; empty until it is known. With repetitions, that of the first trials.
        dataset_run_id: the dataset run; empty where the items come from no dataset of Langfuse's.
        url: the run's page; empty until it is known.
        link_mode: None until it is known.
        queued: records not answered for yet.
        accepted: records that Langfuse took.
        rejected: records that it refused for good; they are kept.
        last_error: what went wrong last.
        last_error_time: when that was.
        verified: records found when reading back; None where that was not done.
    """

    project: str
    dataset_id: str = ""
    experiment_id: str = ""
    dataset_run_id: str = ""
    url: str = ""
    link_mode: LinkMode | None = None
    queued: int = 0
    accepted: int = 0
    rejected: int = 0
    last_error: Error | None = None
    last_error_time: datetime | None = None
    verified: int | None = None
