"""Ties between a caller's own traces and dataset items: the dataset run item where the server has them, and attributes."""

from __future__ import annotations

from datetime import datetime

from evalrpc_server.domain.datasets import DatasetItem, Link, Linked
from evalrpc_server.domain.errors import NotFoundError
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.langfuse.api import LangfuseApi
from evalrpc_server.langfuse.connections import Connection
from evalrpc_server.langfuse.datasets import read_dataset, read_item
from evalrpc_server.langfuse.documents import iso, members, shown, to_json
from evalrpc_server.langfuse.identity import dataset_experiment_id, run_url
from evalrpc_server.langfuse.pinning import dataset_not_found
from evalrpc_server.langfuse.server import Generation
from evalrpc_server.langfuse.ties import RunItems


async def link_item(connection: Connection, link: Link, run_items: RunItems) -> Linked:
    """Ties a trace to a dataset item.

    Args:
        connection: to the project.
        link: the trace, the item and the run.
        run_items: of the project.

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
        with_version = info.generation is not Generation.LEGACY
        made = await run_items.make(link, item.dataset_id, with_version=with_version)
        run_id, run_item_id = made.run_id, made.id
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
