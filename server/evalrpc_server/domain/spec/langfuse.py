"""What a spec says about Langfuse: data from there, and how the run is recorded there."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Name, SpecModel

_MAX_LABEL = 200
_MAX_ENVIRONMENT = 40
_ENVIRONMENT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def _each_once(ids: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for each in ids:
        if each in seen:
            raise PydanticCustomError(
                "repeated", "must name each item once; {id} is there twice", {"id": each}
            )
        seen.add(each)
    return ids


_ItemId = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_ItemIds = Annotated[tuple[_ItemId, ...], Field(max_length=5000), AfterValidator(_each_once)]


def moment(time: datetime) -> str:
    """Returns a time as a `Moment`."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _moment(value: str) -> str:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise PydanticCustomError("moment", "must be a time as in RFC 3339, such as 2026-11-01T00:00:00Z")
    return moment(time)


Moment = Annotated[str, AfterValidator(_moment)]
"""A time in UTC to the millisecond, as Langfuse keeps versions: `2026-11-01T00:00:00.000Z`."""


class DatasetShuffle(SpecModel):
    """A random order of the items: that of a hash of the seed and the item's id."""

    seed: int = 0


class DatasetSample(SpecModel):
    """A random sample of the items: those with the least hashes of the seed and the item's id."""

    size: int = Field(ge=1)
    seed: int = 0


class LangfuseDataset(SpecModel):
    """A dataset kept in Langfuse, and which of its items; archived ones are never among them.

    The selection is applied in the order of the fields.

    Attributes:
        name: of the dataset.
        version: the dataset as it was then; filled in when an experiment is accepted.
        item_ids: only the items of these ids; empty for any.
        metadata_equals: only items whose metadata has these members with these values.
        shuffle: put them into a random order; None leaves them oldest first.
        sample: take some at random, in the order found.
        limit: take at most so many.
    """

    name: Name
    version: Moment | None = None
    item_ids: _ItemIds = ()
    metadata_equals: dict[str, Any] = Field(default_factory=dict)
    shuffle: DatasetShuffle | None = None
    sample: DatasetSample | None = None
    limit: int | None = Field(default=None, ge=1)

    def pinned(self, version: datetime) -> LangfuseDataset:
        """Returns the same selection from the dataset as it was at a time."""
        return self.model_copy(update={"version": moment(version)})

    @property
    def version_time(self) -> datetime | None:
        """`version` as a time; None for none."""
        return datetime.fromisoformat(self.version) if self.version else None


class LangfuseSync(StrEnum):
    """How an experiment's end relates to what is still on its way to Langfuse."""

    BACKGROUND = "LANGFUSE_SYNC_BACKGROUND"
    WAIT = "LANGFUSE_SYNC_WAIT"
    OFF = "LANGFUSE_SYNC_OFF"


def environment_problem(value: str) -> str | None:
    """Returns what is wrong with the name of an environment; None where Langfuse takes it, or it is empty."""
    if value and (
        len(value) > _MAX_ENVIRONMENT
        or value.startswith("langfuse")
        or not _ENVIRONMENT_CHARACTERS.issuperset(value)
    ):
        return "must be at most 40 of the characters a-z, 0-9, - and _, and not begin with langfuse"
    return None


def _environment(value: str) -> str:
    if problem := environment_problem(value):
        raise PydanticCustomError("environment", "{problem}", {"problem": problem})
    return value


Environment = Annotated[str, AfterValidator(_environment)]
"""The environment of traces and scores, as Langfuse allows it; may be empty."""

Label = Annotated[str, Field(max_length=_MAX_LABEL)]
"""Text that Langfuse filters traces by; it drops longer ones."""


class TraceOptions(SpecModel):
    """How the traces are labelled in Langfuse.

    Attributes:
        name: of the traces; default: the experiment's name.
        tags: of all traces.
        session_id: the session that all traces belong to; empty for none.
        user_id: the user that all traces belong to; empty for none.
        environment: of traces and scores; default: the project's.
    """

    name: Label = ""
    tags: tuple[Label, ...] = Field(default=(), max_length=50)
    session_id: Label = ""
    user_id: Label = ""
    environment: Environment = ""
