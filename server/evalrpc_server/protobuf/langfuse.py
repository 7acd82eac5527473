"""How an experiment is recorded in Langfuse, as a message."""

from __future__ import annotations

from collections.abc import Mapping

from evalrpc.v1 import langfuse_pb2
from evalrpc_server.domain.langfuse import LangfuseStatus, LinkMode
from evalrpc_server.protobuf.values import error_to_message, timestamp

_LINK_MODES: Mapping[LinkMode | None, langfuse_pb2.LangfuseLinkMode.ValueType] = {
    None: langfuse_pb2.LANGFUSE_LINK_MODE_UNSPECIFIED,
    LinkMode.ATTRIBUTES: langfuse_pb2.LANGFUSE_LINK_MODE_ATTRIBUTES,
    LinkMode.RUN_ITEMS: langfuse_pb2.LANGFUSE_LINK_MODE_RUN_ITEMS,
}


def status_to_message(status: LangfuseStatus) -> langfuse_pb2.LangfuseStatus:
    """Writes what became of an experiment's records."""
    return langfuse_pb2.LangfuseStatus(
        project=status.project,
        experiment_id=status.experiment_id,
        dataset_run_id=status.dataset_run_id,
        url=status.url,
        link_mode=_LINK_MODES[status.link_mode],
        queued=status.queued,
        accepted=status.accepted,
        rejected=status.rejected,
        last_error=error_to_message(status.last_error) if status.last_error else None,
        last_error_time=timestamp(status.last_error_time),
        verified=status.verified,
    )
