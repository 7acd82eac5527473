"""Domain values for the store's tests, as small or as full as a test needs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from evalrpc_server.domain.documents import Document
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Event, EventBody
from evalrpc_server.domain.experiments import Experiment, Progress, RunningSummary, State
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.registered import RegisteredEvaluator
from evalrpc_server.domain.results import Context, FailedAttempt, ItemResult, TaskOutcome
from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.usage import Usage
from evalrpc_server.store.port import Commit, OutboxRecord, Store

START = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

FAILURE = Error(
    reason=Reason.TASK_HTTP_STATUS,
    message="the task answered 500",
    metadata={"status": "500"},
    retryable=True,
)


def make_spec(name: str = "capitals", **fields: object) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "name": name,
            "run_name": f"{name} - 1",
            "items": {"count": 3},
            "task": {"http": {"url": "http://127.0.0.1:9/task", "headers": {"X-Key": "${secret:KEY}"}}},
            "evaluators": [{"builtin": {"name": "exact_match", "params": {"ignore_case": True}}}],
            **fields,
        }
    )


def make_items(count: int, *, first: int = 0, size: int = 10) -> list[Item]:
    return [
        Item(
            index=index,
            id=f"item-{index}",
            input=Document(f'{{"n": {index}, "pad": "{"x" * size}"}}'),
            expected_output=Document(f'"{index}"') if index % 2 else None,
            metadata=Document('{ "kept":  1.0 }') if index % 3 else None,
            dataset_item_id=f"dataset-{index}" if index % 5 == 0 else "",
        )
        for index in range(first, first + count)
    ]


def make_result(item: Item, *, trial: int = 1, failed: bool = False, output: str = '"out"') -> ItemResult:
    time = START + timedelta(seconds=item.index)
    if failed:
        outcome = TaskOutcome(error=FAILURE, start_time=time, task_duration=0.25, attempts=3)
        return ItemResult(item=item, trial=trial, outcome=outcome, trace_id="0" * 32)
    outcome = TaskOutcome(
        output=Document(output),
        contexts=(Context(text="Bern is the capital", id="c1", source="wiki", score=0.1 + 0.2),),
        usage=Usage(input_tokens=12, output_tokens=None, cost_usd=1e-7),
        metadata=Document('{"model":"m"}'),
        start_time=time,
        task_duration=1 / 3,
        attempts=2,
        retries=(FailedAttempt(start_time=time, duration=0.125, error=FAILURE),),
    )
    evaluations = (
        Evaluation(name="exact", evaluator="exact_match@1", value=1.0, comment="same"),
        Evaluation(name="flag", value=False, metadata=Document("[1, 2]"), config_id="config"),
        Evaluation(name="label", value="good"),
        Evaluation(name="skipped", unscored="nothing expected"),
        Evaluation(name="broken", error=replace(FAILURE, reason=Reason.EVALUATOR_FAILED)),
    )
    return ItemResult(
        item=item,
        trial=trial,
        outcome=outcome,
        evaluations=evaluations,
        evaluation_duration=0.1,
        trace_id="ab" * 16,
        trace_url="http://langfuse/trace",
    )


def make_experiment(experiment_id: str = "e1", *, name: str = "capitals", **fields: object) -> Experiment:
    base = Experiment(
        id=experiment_id, spec=make_spec(name), items=f"{experiment_id}-items", create_time=START, sequence=0
    )
    return replace(base, **fields)


def make_record(
    name: str, experiment_id: str = "e1", *, project: str = "main", kind: str = "score", size: int = 20
) -> OutboxRecord:
    payload = '{"v": "' + "p" * size + '"}'
    return OutboxRecord(id=name, experiment_id=experiment_id, project=project, kind=kind, payload=payload)


def make_evaluator(
    name: str = "accuracy", params: object = None, description: str = ""
) -> RegisteredEvaluator:
    spec = EvaluatorSpec.model_validate({"builtin": {"name": "contains", "params": params or {}}})
    return RegisteredEvaluator(name=name, version=0, spec=spec, description=description, create_time=START)


def advance(
    experiment: Experiment,
    bodies: Sequence[EventBody],
    *,
    outbox: Sequence[OutboxRecord] = (),
    state: State | None = None,
) -> Commit:
    """Returns the commit that adds events to an experiment; `commit.experiment` is the experiment after it."""
    progress = experiment.progress
    after = replace(experiment, state=state or experiment.state)
    events = []
    for sequence, body in enumerate(bodies, experiment.sequence + 1):
        if isinstance(body, ItemResult):
            progress = replace(
                progress, completed=progress.completed + 1, failed=progress.failed + int(body.failed)
            )
            summary = after.summaries.get("exact", RunningSummary())
            for evaluation in body.evaluations[:1]:
                summary = summary.add(evaluation)
            after = replace(after, summaries={"exact": summary})
        after = replace(after, sequence=sequence, progress=progress)
        stored = after if isinstance(body, Experiment) else body
        events.append(
            Event(sequence=sequence, time=START + timedelta(seconds=sequence), progress=progress, body=stored)
        )
    return Commit(experiment=after, events=events, outbox=outbox)


async def create(
    store: Store, experiment_id: str = "e1", *, items: int = 3, name: str = "capitals", size: int = 10
) -> Experiment:
    """Stores a new experiment with its items and the event of its creation."""
    experiment = make_experiment(experiment_id, name=name, progress=Progress(total=items))
    commit = advance(experiment, [experiment])
    return (await store.create_experiment(commit, items=make_items(items, size=size))).experiment


async def add_results(store: Store, experiment: Experiment, results: Sequence[ItemResult]) -> Experiment:
    """Commits each result on its own, all at the same time, and returns the experiment after them."""
    commit = advance(experiment, results)
    await store.commit(commit)
    return commit.experiment
