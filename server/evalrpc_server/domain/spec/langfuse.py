"""What a spec says about Langfuse: data from there, and how the run is recorded there."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from evalrpc_server.domain.spec.fields import Name, SpecModel

_MAX_LABEL = 200
_MAX_ENVIRONMENT = 40
_ENVIRONMENT_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class LangfuseDataset(SpecModel):
    """A dataset kept in Langfuse, as it was at `version` (an ISO 8601 time; default: now)."""

    name: Name
    version: str = ""


class LangfuseSync(StrEnum):
    """How an experiment's end relates to what is still on its way to Langfuse."""

    BACKGROUND = "LANGFUSE_SYNC_BACKGROUND"
    WAIT = "LANGFUSE_SYNC_WAIT"
    OFF = "LANGFUSE_SYNC_OFF"


def _environment(value: str) -> str:
    if value and (
        len(value) > _MAX_ENVIRONMENT
        or value.startswith("langfuse")
        or not _ENVIRONMENT_CHARACTERS.issuperset(value)
    ):
        raise PydanticCustomError(
            "environment",
            "must be at most 40 of the characters a-z, 0-9, - and _, and not begin with langfuse",
        )
    return value


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
    environment: Annotated[str, AfterValidator(_environment)] = ""
