"""Ties between a caller's own traces and dataset items: the dataset run item where the server has them, and attributes."""

from __future__ import annotations

from datetime import datetime

from evalrpc_server.domain.datasets import DatasetItem, Link, Linked
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.langfuse.api import Answer, ApiError, LangfuseApi
from evalrpc_server.langfuse.connections import Connection
from evalrpc_server.langfuse.datasets import read_dataset, read_item
from evalrpc_server.langfuse.documents import iso, members, shown, to_json
from evalrpc_server.langfuse.identity import dataset_experiment_id, run_url
from evalrpc_server.langfuse.pinning import dataset_not_found
from evalrpc_server.langfuse.server import Generation, ServerInfo

_RUN_ITEMS = "/api/public/dataset-run-items"
_ATTEMPTS = 4


async def link_item(connection: Connection, link: Link) -> Linked:
    """Ties a trace to a dataset item.

    Raises:
        NotFoundError: there is no such dataset, or no such item in it that is active.
        ApiError: Langfuse refuses or does not answer.
    """
    project = connection.project
    info = await connection.server.info()
    item = await _item(connection.api, link)
    mode = info.link_mode(project.link_mode)
    run_item_id = ""
    if mode is LinkMode.RUN_ITEMS:
        run_id, run_item_id = await _create_run_item(connection.api, link, info)
    else:
        run_id = dataset_experiment_id(info.project_id, item.dataset_id, link.run_name)
    return Linked(
        dataset_run_id=run_id,
        dataset_run_item_id=run_item_id,
        span_attributes=_attributes(link, item, run_id, project.environment),
        url=run_url(
            project.base_url, info.project_id, mode=mode, experiment_id=run_id, dataset_id=item.dataset_id
        ),
    )


async def _item(api: LangfuseApi, link: Link) -> DatasetItem:
    project, item_id = api.project.name, link.dataset_item_id
    item = await read_item(api, item_id)
    if item is None and await read_dataset(api, link.dataset_name) is None:
        raise dataset_not_found(link.dataset_name, project)
    if item is None:
        problem = f"has no dataset item {item_id!r}"
    elif item.dataset_name != link.dataset_name:
        problem = f"has the item {item_id!r} in another dataset, {item.dataset_name!r}"
    elif item.archived:
        problem = f"has archived the dataset item {item_id!r}"
    else:
        return item
    raise NotFoundError(
        Reason.DATASET_ITEM_NOT_FOUND,
        f"Langfuse (project {project}) {problem}",
        dataset_item_id=item_id,
        project=project,
    )


async def _create_run_item(api: LangfuseApi, link: Link, info: ServerInfo) -> tuple[str, str]:
    """Makes a dataset run item and returns the ids of its run and of itself."""
    body: dict[str, JsonValue] = {
        "runName": link.run_name,
        "datasetItemId": link.dataset_item_id,
        "traceId": link.trace_id,
        "observationId": link.observation_id,
    }
    if link.run_description:
        body["runDescription"] = link.run_description
    if link.run_metadata:
        body["metadata"] = dict(link.run_metadata)
    if link.dataset_version is not None and info.generation is not Generation.LEGACY:
        body["datasetVersion"] = iso(link.dataset_version)
    answer = await _post(api, body)
    try:
        made = answer.json()
        return str(made["datasetRunId"]), str(made["id"])
    except (KeyError, TypeError):
        raise ApiError("answered without the dataset run's id", status=answer.status) from None


async def _post(api: LangfuseApi, body: dict[str, JsonValue]) -> Answer:
    """Sends a run item; again only where an attempt surely had no effect, for each that has makes one."""
    attempt = 1
    while True:
        try:
            return await api.request("POST", _RUN_ITEMS, json=body)
        except ApiError as error:
            if error.sent or not error.retryable or attempt >= _ATTEMPTS:
                raise
            await api.wait(attempt, error.retry_after)
        attempt += 1


def _attributes(link: Link, item: DatasetItem, run_id: str, environment: str) -> dict[str, str]:
    """Returns the attributes under which Langfuse finds a span's experiment and item."""
    version = link.dataset_version
    found = {
        "langfuse.environment": environment,
        "langfuse.experiment.id": run_id,
        "langfuse.experiment.name": link.run_name,
        "langfuse.experiment.description": link.run_description,
        "langfuse.experiment.metadata": to_json(dict(link.run_metadata)) if link.run_metadata else "",
        "langfuse.experiment.dataset.id": item.dataset_id,
        "langfuse.experiment.item.id": item.id,
        "langfuse.experiment.item.root_observation_id": link.observation_id,
        "langfuse.experiment.item.version": iso(version) if version else "",
    }
    if _is_as_of(item, version):
        metadata, expected = item.metadata, item.expected_output
        found["langfuse.experiment.item.metadata"] = metadata if metadata and members(metadata) else ""
        found["langfuse.experiment.item.expected_output"] = shown(expected) if expected is not None else ""
    return {name: value for name, value in found.items() if value}


def _is_as_of(item: DatasetItem, version: datetime | None) -> bool:
    """Whether the item is still what it was in that version; what it was before, Langfuse tells in lists only."""
    return version is None or max(item.create_time, item.update_time) <= version
