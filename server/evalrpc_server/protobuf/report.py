"""What the page of a run is told."""

from __future__ import annotations

from collections.abc import Sequence

from evalrpc.report import update_text
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.protobuf.documents import Encoding
from evalrpc_server.protobuf.experiments import experiment_to_message
from evalrpc_server.protobuf.results import result_to_message


def report_update(experiment: Experiment, results: Sequence[ItemResult], *, cursor: str, more: bool) -> str:
    """Returns an answer to the page, as JSON; see `evalrpc.report.update_text`."""
    messages = (result_to_message(each, Encoding.TEXT) for each in results)
    return update_text(experiment_to_message(experiment, Encoding.TEXT), messages, cursor=cursor, more=more)
