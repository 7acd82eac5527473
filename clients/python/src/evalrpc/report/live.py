"""What a page that follows a run on the server is told each time that it asks."""

from __future__ import annotations

from collections.abc import Iterable

from evalrpc._convert.experiments import experiment_from_message
from evalrpc._convert.item_results import item_result_from_message
from evalrpc.report.rows import MAX_CHARACTERS, experiment_head, result_row, to_script
from evalrpc.v1 import experiment_pb2, item_result_pb2


def update_text(
    experiment: experiment_pb2.Experiment,
    results: Iterable[item_result_pb2.ItemResult],
    *,
    cursor: str,
    more: bool,
    limit: int = MAX_CHARACTERS,
) -> str:
    """Returns an answer to the page, as JSON.

    Args:
        experiment: as it is now.
        results: that the page does not have yet.
        cursor: what the page asks with next.
        more: whether there are results behind these already; else the page waits before it asks again, or is done where the
            experiment has ended.
        limit: how many characters of each text are kept.
    """
    update = {
        "experiment": experiment_head(experiment_from_message(experiment)),
        "rows": [result_row(item_result_from_message(each), limit=limit) for each in results],
        "cursor": cursor,
        "more": more,
    }
    return to_script(update)
