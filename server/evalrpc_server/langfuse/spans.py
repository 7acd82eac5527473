"""Traces: what one trial of one item becomes as OpenTelemetry spans.

The tree and the names are those of Langfuse's own SDKs, for its Experiments view reads them:

    experiment-item-run            the whole trial, from the first attempt to the last evaluation
      experiment-item-task         the last attempt of the task; the item's root observation, parent of the application's spans
      experiment-item-evaluation   all evaluators
        <evaluator>                one each, of the type EVALUATOR

Every span carries what identifies the experiment and the item, because Langfuse asks any one of them. The same result always
gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalrpc_server.domain.documents import JsonValue
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.experiments import Experiment
from evalrpc_server.domain.results import ItemResult, TaskOutcome
from evalrpc_server.domain.trace import span_id, span_id_bytes
from evalrpc_server.langfuse import attributes, otlp
from evalrpc_server.langfuse.documents import members, nanoseconds, shown, to_json
from evalrpc_server.langfuse.evaluation_parts import EvaluationParts
from evalrpc_server.langfuse.identity import run_name


class TraceEncoder:
    """Encodes the traces of one experiment's trials of one number.

    Args:
        experiment: whose results are encoded.
        trial: the number of the trials.
        experiment_id: in Langfuse.
        environment: of the traces.

    Attributes:
        experiment_id: in Langfuse.
        evaluators: how many evaluators look at an item, besides the composite one.
    """

    def __init__(self, experiment: Experiment, *, trial: int, experiment_id: str, environment: str) -> None:
        spec = experiment.spec
        dataset = spec.langfuse_dataset
        dataset_id = experiment.langfuse.dataset_id if experiment.langfuse else ""
        name = run_name(spec.run_name, trial)
        self._run_metadata: dict[str, JsonValue] = dict(spec.metadata)
        if spec.repetitions > 1:
            self._run_metadata |= {"trial": trial, "repetitions": spec.repetitions}
        self._names: dict[str, JsonValue] = {
            "experiment_name": spec.name,
            "experiment_run_name": name,
        } | ({"dataset_id": dataset_id} if dataset_id else {})
        self._metadata = otlp.text(attributes.METADATA, to_json(self._run_metadata | self._names))
        self._version = (
            otlp.attribute(f"{attributes.EXPERIMENT}item.version", dataset.version)
            if dataset and dataset.version
            else b""
        )
        self.experiment_id = experiment_id
        self.evaluators = len(spec.evaluators)
        self._common = b"".join(
            self._common_attributes(experiment, name, experiment_id, dataset_id, environment)
        )

    def _common_attributes(
        self, experiment: Experiment, name: str, experiment_id: str, dataset_id: str, environment: str
    ) -> Iterator[bytes]:
        spec = experiment.spec
        labels = spec.trace
        yield otlp.attribute("langfuse.environment", environment)
        yield otlp.attribute(f"{attributes.EXPERIMENT}id", experiment_id)
        yield otlp.attribute(f"{attributes.EXPERIMENT}name", name)
        if spec.description:
            yield otlp.attribute(f"{attributes.EXPERIMENT}description", spec.description)
        if self._run_metadata:
            yield otlp.attribute(f"{attributes.EXPERIMENT}metadata", to_json(self._run_metadata))
        if dataset_id:
            yield otlp.attribute(f"{attributes.EXPERIMENT}dataset.id", dataset_id)
        yield otlp.attribute("langfuse.trace.name", labels.name or spec.name)
        if labels.tags:
            yield otlp.attribute("langfuse.trace.tags", labels.tags)
        if labels.session_id:
            yield otlp.attribute("session.id", labels.session_id)
        if labels.user_id:
            yield otlp.attribute("user.id", labels.user_id)

    def encode(self, result: ItemResult) -> list[bytes]:
        """Returns the spans of a result's trace, each encoded as an entry of `ScopeSpans`."""
        return _Trace(self, result).spans()

    def item_attributes(self, result: ItemResult, root_observation: str) -> bytes:
        """Returns the attributes of every span of a result's trace."""
        item = result.item
        parts = [
            self._common,
            otlp.text(attributes.ITEM_ID, item.dataset_item_id or item.id),
            otlp.text(attributes.ROOT_OBSERVATION, root_observation),
        ]
        if item.metadata is not None and item.metadata.lstrip().startswith("{"):
            parts.append(otlp.text(attributes.ITEM_METADATA, item.metadata))
        return b"".join(parts)

    def subject_attributes(self, result: ItemResult) -> list[bytes]:
        """Returns what the run's and the task's span have in common: what went in, what came out, what was expected."""
        item, outcome = result.item, result.outcome
        parts = [self._version, otlp.text(attributes.INPUT, shown(item.input)), self._item_metadata(result)]
        if item.expected_output is not None:
            parts.append(otlp.text(attributes.EXPECTED_OUTPUT, shown(item.expected_output)))
        if outcome.output is not None:
            parts.append(otlp.text(attributes.OUTPUT, shown(outcome.output)))
        elif outcome.error is not None:
            parts += attributes.failed(f"Error: {outcome.error.message}", outcome.error.message)
        return parts

    def _item_metadata(self, result: ItemResult) -> bytes:
        item = result.item
        if item.metadata is None and not item.dataset_item_id:
            return self._metadata
        names = self._names | ({"dataset_item_id": item.dataset_item_id} if item.dataset_item_id else {})
        return otlp.text(attributes.METADATA, to_json(members(item.metadata) | self._run_metadata | names))


class _Trace:
    """One trace while it is being encoded."""

    def __init__(self, encoder: TraceEncoder, result: ItemResult) -> None:
        outcome = result.outcome
        self._encoder = encoder
        self._result = result
        self._id = bytes.fromhex(result.trace_id)
        task = span_id(result.trace_id, "task")
        self._task = bytes.fromhex(task)
        self._run = span_id_bytes(result.trace_id, "run")
        self._evaluation = span_id_bytes(result.trace_id, "evaluation")
        self._common = encoder.item_attributes(result, task)
        self._began = nanoseconds(outcome.start_time)
        self._task_end = self._began + attributes.duration(outcome.task_duration)
        start, end = result.evaluation_span
        self._evaluation_start = self._task_end + attributes.duration(start)
        self._end = self._task_end + attributes.duration(end)

    def spans(self) -> list[bytes]:
        outcome = self._result.outcome
        subject = self._encoder.subject_attributes(self._result)
        found = [self._run_span(outcome, subject), self._task_span(outcome, subject)]
        if self._result.evaluator_calls:
            found += self._evaluation_spans()
        return found

    def _span(
        self,
        own_id: bytes,
        parent: bytes,
        name: str,
        start: int,
        end: int,
        parts: Sequence[bytes],
        error: str | None = None,
    ) -> bytes:
        return otlp.span(
            trace_id=self._id,
            span_id=own_id,
            parent_id=parent,
            name=name,
            start=start,
            end=end,
            parts=(self._common, *parts),
            error=error,
        )

    def _run_span(self, outcome: TaskOutcome, subject: Sequence[bytes]) -> bytes:
        parts = [attributes.TYPE_SPAN, attributes.APP_ROOT, *subject]
        began = self._began
        for number, attempt in enumerate(outcome.retries, 1):
            start = nanoseconds(attempt.start_time)
            began = min(began, start)
            parts.append(
                otlp.event(
                    "retry",
                    start + attributes.duration(attempt.duration),
                    {
                        "attempt": number,
                        "duration_seconds": attempt.duration,
                        "exception.type": attempt.error.reason,
                        "exception.message": attempt.error.message,
                    },
                )
            )
        parts += self._exception(outcome.error)
        return self._span(
            self._run, b"", "experiment-item-run", began, self._end, parts, attributes.status(outcome.error)
        )

    def _task_span(self, outcome: TaskOutcome, subject: Sequence[bytes]) -> bytes:
        usage = outcome.usage
        parts = [
            *subject,
            *(attributes.generation(usage) if usage else (attributes.TYPE_SPAN,)),
            *self._exception(outcome.error),
        ]
        if outcome.contexts:
            contexts = [{"text": one.text, "id": one.id, "source": one.source} for one in outcome.contexts]
            parts.append(otlp.attribute(f"{attributes.OBSERVATION}metadata.contexts", to_json(contexts)))
        if outcome.metadata is not None:
            parts.append(
                otlp.attribute(f"{attributes.OBSERVATION}metadata.output_metadata", outcome.metadata)
            )
        error = attributes.status(outcome.error)
        return self._span(
            self._task, self._run, "experiment-item-task", self._began, self._task_end, parts, error
        )

    def _exception(self, error: Error | None) -> Sequence[bytes]:
        if error is None:
            return ()
        told = {"exception.type": error.reason, "exception.message": error.message}
        return (otlp.event("exception", self._task_end, told),)

    def _evaluation_spans(self) -> Iterator[bytes]:
        said = EvaluationParts(self._result, self._encoder.evaluators)
        yield self._span(
            self._evaluation,
            self._run,
            "experiment-item-evaluation",
            self._evaluation_start,
            self._end,
            [attributes.TYPE_SPAN, said.summary()],
        )
        for number, (call, _) in enumerate(said.calls):
            parts, error = said.of(number)
            start = self._task_end + attributes.duration(call.start)
            yield self._span(
                span_id_bytes(self._result.trace_id, "evaluator", str(number)),
                self._evaluation,
                call.name,
                start,
                start + attributes.duration(call.duration),
                parts,
                error,
            )
