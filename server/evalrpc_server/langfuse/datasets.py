"""Datasets and their items, as Langfuse's API tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from evalrpc_server.domain.datasets import Dataset, DatasetItem
from evalrpc_server.domain.documents import Document
from evalrpc_server.langfuse.api import Answer, ApiError, LangfuseApi
from evalrpc_server.langfuse.projects import path_segment

MAX_PAGE = 100
"""The most items that Langfuse lists at once."""

_ITEMS = "/api/public/dataset-items"
_DATASETS = "/api/public/v2/datasets"
_NULL = msgspec.Raw(b"null")

_Body = TypeVar("_Body")


class _DatasetBody(msgspec.Struct, rename="camel", gc=False):
    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    metadata: msgspec.Raw = _NULL
    input_schema: msgspec.Raw = _NULL
    expected_output_schema: msgspec.Raw = _NULL


class _ItemBody(msgspec.Struct, rename="camel", gc=False):
    id: str
    dataset_id: str
    dataset_name: str
    created_at: datetime
    updated_at: datetime
    status: str = "ACTIVE"
    input: msgspec.Raw = _NULL
    expected_output: msgspec.Raw = _NULL
    metadata: msgspec.Raw = _NULL
    source_trace_id: str | None = None
    source_observation_id: str | None = None


class _Meta(msgspec.Struct, rename="camel"):
    total_items: int


class _PageBody(msgspec.Struct):
    data: list[_ItemBody]
    meta: _Meta


_decode_dataset = msgspec.json.Decoder(_DatasetBody)
_decode_item = msgspec.json.Decoder(_ItemBody)
_decode_page = msgspec.json.Decoder(_PageBody)


class Listing(Struct, frozen=True, kw_only=True):
    """A page of a dataset's items, newest first, without the archived ones.

    Attributes:
        items: of the page.
        total: how many the dataset has.
        size: bytes of the answer, a measure of the memory it takes.
        server_time: Langfuse's time of day, to the second; None where it does not tell.
    """

    items: Sequence[DatasetItem]
    total: int
    size: int
    server_time: datetime | None


async def read_dataset(api: LangfuseApi, name: str) -> Dataset | None:
    """Returns a dataset, or None where there is none of that name; its `url` is left empty.

    Raises:
        ApiError: it cannot be read.
    """
    answer = await api.retried("GET", f"{_DATASETS}/{path_segment(name)}", expected={404})
    if _is_missing(answer):
        return None
    body = _decoded(_decode_dataset, answer)
    return Dataset(
        id=body.id,
        name=body.name,
        description=body.description or "",
        metadata=_document(body.metadata),
        input_schema=_document(body.input_schema),
        expected_output_schema=_document(body.expected_output_schema),
        create_time=body.created_at,
        update_time=body.updated_at,
    )


async def read_item(api: LangfuseApi, item_id: str) -> DatasetItem | None:
    """Returns an item as it is now, archived ones too, or None where there is none of that id.

    Raises:
        ApiError: it cannot be read.
    """
    answer = await api.retried("GET", f"{_ITEMS}/{path_segment(item_id)}", expected={404})
    return None if _is_missing(answer) else _item(_decoded(_decode_item, answer))


async def list_items(
    api: LangfuseApi,
    name: str,
    *,
    version: str | None,
    page: int,
    limit: int = MAX_PAGE,
    attempts: int = 1,
) -> Listing | None:
    """Returns a page of a dataset's items, or None where there is no such dataset.

    Args:
        api: of the project.
        name: of the dataset.
        version: the items as they were then; None for now.
        page: from 1.
        limit: items on a page.
        attempts: how often to ask while that fails in passing.

    Raises:
        ApiError: they cannot be read.
    """
    params: dict[str, str | int] = {"datasetName": name, "page": page, "limit": limit}
    if version is not None:
        params["version"] = version
    answer = await api.retried("GET", _ITEMS, attempts=attempts, params=params, expected={404})
    if _is_missing(answer):
        return None
    body = _decoded(_decode_page, answer)
    return Listing(
        items=[_item(each) for each in body.data],
        total=body.meta.total_items,
        size=len(answer.body),
        server_time=_server_time(answer.headers),
    )


def _decoded(decoder: msgspec.json.Decoder[_Body], answer: Answer) -> _Body:
    try:
        return decoder.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(
            f"answered with something that is no dataset ({error}); check its base URL", status=answer.status
        ) from None


def _is_missing(answer: Answer) -> bool:
    """Tells what does not exist from a server that does not know the path.

    Raises:
        ApiError: this is no Langfuse server, or one that is too old.
    """
    if answer.status != 404:
        return False
    body = answer.json()
    if not isinstance(body, dict) or not body.get("message"):
        raise ApiError("has no datasets at its base URL; check the URL", status=404)
    return True


def _item(body: _ItemBody) -> DatasetItem:
    return DatasetItem(
        id=body.id,
        dataset_id=body.dataset_id,
        dataset_name=body.dataset_name,
        input=_document(body.input),
        expected_output=_document(body.expected_output),
        metadata=_document(body.metadata),
        source_trace_id=body.source_trace_id or "",
        source_observation_id=body.source_observation_id or "",
        create_time=body.created_at,
        update_time=body.updated_at,
        archived=body.status == "ARCHIVED",
    )


def _document(raw: msgspec.Raw) -> Document | None:
    """Returns a value as it stands in the answer, byte for byte; None for null."""
    text = bytes(raw)
    return None if text == b"null" else Document(text.decode("utf-8"))


def _server_time(headers: Mapping[str, str]) -> datetime | None:
    try:
        told = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
