"""Reads experiments."""

from __future__ import annotations

from google.protobuf.json_format import MessageToDict

from evalrpc._convert.comparisons import verdict_from_number
from evalrpc._convert.evaluations import error_from_message, evaluation_from_message
from evalrpc._convert.values import to_datetime, to_dict
from evalrpc._model.experiment import (
    EndpointLimit,
    EvaluationSummary,
    Experiment,
    ExperimentState,
    GateResult,
    LangfuseStatus,
    Origin,
    Progress,
    Spending,
)
from evalrpc.v1 import (
    evaluator_pb2,
    experiment_pb2,
    experiment_spec_pb2,
    gate_pb2,
    langfuse_pb2,
    summary_pb2,
)

NUMBERS = {
    state: experiment_pb2.ExperimentState.Value(f"EXPERIMENT_STATE_{state}") for state in ExperimentState
}
"""The states' numbers in the contract."""

_STATES: dict[int, ExperimentState] = {number: state for state, number in NUMBERS.items()}


def experiment_from_message(message: experiment_pb2.Experiment) -> Experiment:
    """Reads an experiment. A state that this version does not know is UNSPECIFIED."""
    spec, has = message.spec, message.HasField
    return Experiment(
        id=message.id,
        name=spec.name,
        run_name=spec.run_name,
        state=_STATES.get(message.state, ExperimentState.UNSPECIFIED),
        description=spec.description or None,
        metadata=to_dict(spec.metadata) if spec.HasField("metadata") else {},
        evaluators=_evaluator_names(spec),
        progress=progress_from_message(message.progress),
        summaries=tuple(_summary(each) for each in message.summaries),
        run_evaluations=tuple(evaluation_from_message(each) for each in message.run_evaluations),
        langfuse=_langfuse(message.langfuse) if has("langfuse") else None,
        last_sequence=message.last_sequence,
        create_time=to_datetime(message.create_time) if has("create_time") else None,
        start_time=to_datetime(message.start_time) if has("start_time") else None,
        end_time=to_datetime(message.end_time) if has("end_time") else None,
        error=error_from_message(message.error) if has("error") else None,
        waiting=error_from_message(message.waiting) if has("waiting") else None,
        gates=tuple(_gate(each) for each in message.gates),
        task_spending=_spending(message.task_spending) if has("task_spending") else None,
        evaluation_spending=_spending(message.evaluation_spending) if has("evaluation_spending") else None,
        endpoint_limits=tuple(_limit(each) for each in message.endpoint_limits),
        origin=_origin(message.origin) if has("origin") else None,
        request_id=message.request_id or None,
        spec=MessageToDict(spec, preserving_proto_field_name=True),
    )


def progress_from_message(message: experiment_pb2.Progress) -> Progress:
    """Reads the counts of trials."""
    return Progress(
        message.total if message.HasField("total") else None,
        message.completed,
        message.failed,
        message.retried,
        message.in_flight,
    )


def is_final(state: int) -> bool:
    """Tells whether an experiment in this state, by its number in the contract, has ended."""
    return _STATES.get(state, ExperimentState.UNSPECIFIED).ended


def _evaluator_names(spec: experiment_spec_pb2.ExperimentSpec) -> tuple[str, ...]:
    evaluators = list(spec.evaluators)
    if spec.HasField("composite_evaluator"):
        evaluators.append(spec.composite_evaluator)
    return tuple(_evaluator_name(each) for each in evaluators)


def _evaluator_name(spec: evaluator_pb2.EvaluatorSpec) -> str:
    """Returns the name of an evaluator's evaluations, which two kinds give by default."""
    return spec.name or spec.builtin.name or spec.registered.partition("@")[0]


def _summary(message: summary_pb2.EvaluationSummary) -> EvaluationSummary:
    has = message.HasField
    return EvaluationSummary(
        name=message.name,
        n=message.n,
        unscored=message.unscored,
        errors=message.errors,
        mean=message.mean if has("mean") else None,
        standard_error=message.standard_error if has("standard_error") else None,
        standard_deviation=message.standard_deviation if has("standard_deviation") else None,
        interval=(message.interval.low, message.interval.high) if has("interval") else None,
        min=message.min if has("min") else None,
        max=message.max if has("max") else None,
        quantiles={each.probability: each.value for each in message.quantiles},
        labels=dict(sorted(message.labels.items())),
        clusters=message.clusters,
    )


def _langfuse(message: langfuse_pb2.LangfuseStatus) -> LangfuseStatus:
    has = message.HasField
    return LangfuseStatus(
        project=message.project,
        experiment_id=message.experiment_id or None,
        dataset_run_id=message.dataset_run_id or None,
        url=message.url or None,
        queued=message.queued,
        accepted=message.accepted,
        rejected=message.rejected,
        verified=message.verified if has("verified") else None,
        last_error=error_from_message(message.last_error) if has("last_error") else None,
        last_error_time=to_datetime(message.last_error_time) if has("last_error_time") else None,
    )


def _gate(message: gate_pb2.GateResult) -> GateResult:
    value = message.value if message.HasField("value") else None
    verdict = verdict_from_number(message.verdict) if message.verdict else None
    return GateResult(message.name, message.passed, message.message, value, verdict)


def _limit(message: experiment_pb2.EndpointLimit) -> EndpointLimit:
    paused_until = to_datetime(message.paused_until) if message.HasField("paused_until") else None
    return EndpointLimit(message.endpoint, message.rate, message.in_flight, paused_until)


def _origin(message: experiment_pb2.Origin) -> Origin:
    match message.kind:
        case experiment_pb2.ORIGIN_KIND_EVALUATE:
            return Origin(message.experiment_id, "evaluate")
        case experiment_pb2.ORIGIN_KIND_RETRY:
            return Origin(message.experiment_id, "retry")
    return Origin(message.experiment_id)


def _spending(message: experiment_pb2.Spending) -> Spending:
    return Spending(message.input_tokens, message.output_tokens, message.cost_usd, message.unknown)
