"""Scores: what an evaluation becomes, as the body of Langfuse's score API.

The same evaluation always gives the same id and time, so that a score that is sent twice is there once. Evaluations without a
value, unscored or failed, become none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.trace import span_id
from evalrpc_server.langfuse.documents import iso, raw, to_json
from evalrpc_server.langfuse.identity import score_id


def item_scores(experiment_id: str, result: ItemResult, environment: str) -> Iterator[tuple[str, str]]:
    """Yields the id and the body of a result's scores, which belong to its task's observation."""
    if not result.evaluations:
        return
    outcome = result.outcome
    end = outcome.end_time + timedelta(seconds=result.evaluation_span[1])
    fields: dict[str, JsonValue] = {
        "traceId": result.trace_id,
        "observationId": span_id(result.trace_id, "task"),
        "environment": environment,
        "timestamp": iso(end),
    }
    yield from _scores((experiment_id, result.trace_id), result.evaluations, fields)


def run_scores(
    experiment_id: str,
    evaluations: Sequence[Evaluation],
    *,
    time: datetime,
    run: str | None,
    environment: str,
) -> Iterator[tuple[str, str]]:
    """Yields the id and the body of a run's scores.

    Args:
        experiment_id: evalrpc's id of the run.
        evaluations: of the run.
        time: when they were given.
        run: Langfuse's id of the run; None leaves it to be filled in by `with_run`.
        environment: of the run's traces.
    """
    fields: dict[str, JsonValue] = {"environment": environment, "timestamp": iso(time)}
    if run is not None:
        fields["datasetRunId"] = run
    yield from _scores((experiment_id, "run"), evaluations, fields)


def with_run(body: str, run: str) -> str:
    """Returns a run score's body with Langfuse's id of the run in it."""
    return f'{{"datasetRunId":{to_json(run)},{body[1:]}'


def _scores(
    path: Sequence[str], evaluations: Sequence[Evaluation], fields: dict[str, JsonValue]
) -> Iterator[tuple[str, str]]:
    common = to_json(fields)[1:]
    seen: dict[tuple[str, str], int] = {}
    for evaluation in evaluations:
        if evaluation.value is None:
            continue
        author = (evaluation.name, evaluation.evaluator)
        repeated = seen[author] = seen.get(author, -1) + 1
        identity = score_id(*path, *author, *([str(repeated)] if repeated else []))
        yield identity, f'{{"id":"{identity}",{_value_fields(evaluation)},{common}'


def _value_fields(evaluation: Evaluation) -> str:
    """Returns what an evaluation says as members of a JSON object."""
    value = evaluation.value
    fields: dict[str, JsonValue] = {"name": evaluation.name}
    if isinstance(value, bool):
        fields["value"], fields["dataType"] = int(value), "BOOLEAN"
    else:
        fields["value"] = value
        fields["dataType"] = "CATEGORICAL" if isinstance(value, str) else "NUMERIC"
    if evaluation.comment:
        fields["comment"] = evaluation.comment
    if evaluation.metadata is not None:
        fields["metadata"] = raw(evaluation.metadata)
    if evaluation.config_id:
        fields["configId"] = evaluation.config_id
    return to_json(fields)[1:-1]
