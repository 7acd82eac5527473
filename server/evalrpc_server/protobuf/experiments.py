"""Experiments and their events as messages."""

from __future__ import annotations

from google.protobuf import json_format

from evalrpc.v1 import evaluation_pb2, event_pb2, experiment_pb2
from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.events import Checkpoint, Event, RunEvaluations
from evalrpc_server.domain.experiments import Experiment, Progress, State
from evalrpc_server.domain.limits import EndpointLimit
from evalrpc_server.domain.results import ItemResult
from evalrpc_server.domain.second_look import Origin
from evalrpc_server.domain.usage import Spending
from evalrpc_server.protobuf.documents import Encoding, normalized
from evalrpc_server.protobuf.evaluations import evaluation_to_message
from evalrpc_server.protobuf.langfuse import status_to_message
from evalrpc_server.protobuf.results import fill_result
from evalrpc_server.protobuf.spec import spec_to_message
from evalrpc_server.protobuf.summaries import gate_to_message, summary_to_message
from evalrpc_server.protobuf.values import error_to_message, fill_timestamp, timestamp

_STATES = {state: experiment_pb2.ExperimentState.Value(f"EXPERIMENT_STATE_{state}") for state in State}
_STATES_BY_NUMBER: dict[int, State] = {number: state for state, number in _STATES.items()}


def event_to_message(event: Event, encoding: Encoding) -> event_pb2.ExperimentEvent:
    """Writes an event."""
    message = event_pb2.ExperimentEvent(sequence=event.sequence)
    fill_timestamp(message.time, event.time)
    _fill_progress(message.progress, event.progress)
    match event.body:
        case ItemResult() as result:
            fill_result(message.item_result, result, encoding)
        case Experiment() as experiment:
            message.experiment.CopyFrom(experiment_to_message(experiment, encoding))
        case RunEvaluations(evaluations):
            message.run_evaluations.CopyFrom(
                evaluation_pb2.RunEvaluations(
                    evaluations=[evaluation_to_message(evaluation, encoding) for evaluation in evaluations]
                )
            )
        case Checkpoint(draining):
            message.checkpoint.CopyFrom(event_pb2.Checkpoint(draining=draining))
    return message


def experiment_to_message(experiment: Experiment, encoding: Encoding) -> experiment_pb2.Experiment:
    """Writes an experiment."""
    return experiment_pb2.Experiment(
        id=experiment.id,
        spec=spec_to_message(experiment.spec),
        state=_STATES[experiment.state],
        progress=_progress(experiment.progress),
        summaries=[
            summary_to_message(name, summary)
            for name, summary in sorted(experiment.evaluation_summaries.items())
        ],
        run_evaluations=[
            evaluation_to_message(evaluation, encoding) for evaluation in experiment.run_evaluations
        ],
        last_sequence=experiment.sequence,
        create_time=timestamp(experiment.create_time),
        start_time=timestamp(experiment.start_time),
        end_time=timestamp(experiment.end_time),
        error=error_to_message(experiment.error) if experiment.error else None,
        request_id=experiment.request_id,
        waiting=error_to_message(experiment.waiting) if experiment.waiting else None,
        langfuse=status_to_message(experiment.langfuse) if experiment.langfuse else None,
        task_spending=_spending(experiment.task_spending),
        evaluation_spending=_spending(experiment.evaluation_spending),
        origin=_origin(experiment.origin) if experiment.origin else None,
        gates=[gate_to_message(result) for result in experiment.gates],
    )


def experiment_to_json(experiment: Experiment) -> JsonValue:
    """Writes an experiment as the JSON of its message, with the contract's own names."""
    message = experiment_to_message(experiment, Encoding.VALUE)
    return normalized(json_format.MessageToDict(message, preserving_proto_field_name=True))


def limit_to_message(limit: EndpointLimit) -> experiment_pb2.EndpointLimit:
    """Writes how fast an endpoint may be called."""
    return experiment_pb2.EndpointLimit(
        endpoint=limit.endpoint,
        rate=limit.rate,
        in_flight=limit.in_flight,
        paused_until=timestamp(limit.paused_until),
    )


def state_from_number(number: int) -> State | None:
    """Returns the state of an enum value, or None where it names none."""
    return _STATES_BY_NUMBER.get(number)


def _spending(spending: Spending) -> experiment_pb2.Spending | None:
    """Writes what calls took; None where none of them said."""
    if not (spending.tokens or spending.cost_usd):
        return None
    return experiment_pb2.Spending(
        input_tokens=spending.input_tokens,
        output_tokens=spending.output_tokens,
        cost_usd=spending.cost_usd,
        unknown=spending.unknown,
    )


def _origin(origin: Origin) -> experiment_pb2.Origin:
    kind = experiment_pb2.OriginKind.Value(f"ORIGIN_KIND_{origin.kind}")
    return experiment_pb2.Origin(experiment_id=origin.experiment_id, kind=kind)


def _progress(progress: Progress) -> experiment_pb2.Progress:
    message = experiment_pb2.Progress()
    _fill_progress(message, progress)
    return message


def _fill_progress(message: experiment_pb2.Progress, progress: Progress) -> None:
    if progress.total is not None:
        message.total = progress.total
    message.completed = progress.completed
    message.failed = progress.failed
    message.retried = progress.retried
    message.in_flight = progress.in_flight
