"""Domain values as stored text: exact both ways, and readable although the domain has grown since."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evalrpc_server.domain.documents import document_from_value
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.events import Event, EventBody, RunEvaluations
from evalrpc_server.domain.experiments import Experiment, Progress, RunningSummary, State
from evalrpc_server.domain.gates import GateResult
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context, FailedAttempt, ItemResult, TaskOutcome
from evalrpc_server.domain.spec.experiment import ExperimentSpec
from evalrpc_server.domain.statistics.comparison import Verdict
from evalrpc_server.domain.statistics.intervals import Interval
from evalrpc_server.domain.statistics.quantiles import Quantile
from evalrpc_server.domain.statistics.summaries import EvaluationSummary
from evalrpc_server.domain.usage import Usage
from evalrpc_server.store import codec
from evalrpc_server.store.port import StoreError
from tests.store.builders import START, make_evaluator, make_experiment, make_items, make_result, make_spec

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**53)
TIMES = st.datetimes(allow_imaginary=False, timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | COUNTS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
).map(document_from_value)
ERRORS = st.builds(
    Error,
    reason=st.sampled_from(Reason),
    message=TEXT,
    metadata=st.dictionaries(TEXT, TEXT, max_size=2),
    retryable=st.booleans(),
)
EVALUATIONS = st.builds(
    Evaluation,
    name=TEXT,
    evaluator=TEXT,
    value=st.none() | FLOATS | st.booleans() | TEXT,
    unscored=st.none() | TEXT,
    error=st.none() | ERRORS,
    comment=TEXT,
    metadata=st.none() | DOCUMENTS,
    config_id=TEXT,
)
OUTCOMES = st.builds(
    TaskOutcome,
    output=st.none() | DOCUMENTS,
    contexts=st.lists(
        st.builds(Context, text=TEXT, id=TEXT, source=TEXT, score=st.none() | FLOATS), max_size=2
    ).map(tuple),
    usage=st.none()
    | st.builds(
        Usage,
        input_tokens=st.none() | COUNTS,
        output_tokens=st.none() | COUNTS,
        cost_usd=st.none() | FLOATS,
    ),
    metadata=st.none() | DOCUMENTS,
    error=st.none() | ERRORS,
    start_time=TIMES,
    task_duration=FLOATS,
    attempts=COUNTS,
    retries=st.lists(
        st.builds(FailedAttempt, start_time=TIMES, duration=FLOATS, error=ERRORS), max_size=2
    ).map(tuple),
)
ITEM = make_items(1)[0]
RESULTS = st.builds(
    ItemResult,
    item=st.just(ITEM),
    trial=COUNTS,
    outcome=OUTCOMES,
    evaluations=st.lists(EVALUATIONS, max_size=3).map(tuple),
    evaluation_duration=FLOATS,
    trace_id=TEXT,
    trace_url=TEXT,
)
PROGRESS = st.builds(
    Progress, total=st.none() | COUNTS, completed=COUNTS, failed=COUNTS, retried=COUNTS, in_flight=COUNTS
)
SUMMARIES = st.builds(
    RunningSummary,
    n=COUNTS,
    unscored=COUNTS,
    errors=COUNTS,
    mean=st.none() | FLOATS,
    m2=FLOATS,
    numeric=COUNTS,
    booleans=COUNTS,
    min=st.none() | FLOATS,
    max=st.none() | FLOATS,
    labels=st.dictionaries(TEXT, COUNTS, max_size=2),
)
INTERVALS = st.builds(Interval, low=FLOATS, high=FLOATS, confidence=FLOATS)
STATISTICS = st.builds(
    EvaluationSummary,
    n=COUNTS,
    mean=st.none() | FLOATS,
    interval=st.none() | INTERVALS,
    quantiles=st.lists(st.builds(Quantile, probability=FLOATS, value=FLOATS), max_size=2).map(tuple),
    labels=st.dictionaries(TEXT, COUNTS, max_size=2),
    clusters=COUNTS,
)
GATES = st.builds(
    GateResult,
    name=TEXT,
    passed=st.booleans(),
    message=TEXT,
    value=st.none() | FLOATS,
    verdict=st.none() | st.sampled_from(Verdict),
)
EXPERIMENTS = st.builds(
    Experiment,
    id=TEXT,
    spec=st.just(make_spec()),
    items=TEXT,
    state=st.sampled_from(State),
    progress=PROGRESS,
    summaries=st.dictionaries(TEXT, SUMMARIES, max_size=2),
    statistics=st.dictionaries(TEXT, STATISTICS, max_size=2),
    gates=st.lists(GATES, max_size=2).map(tuple),
    run_evaluations=st.lists(EVALUATIONS, max_size=2).map(tuple),
    sequence=COUNTS,
    registered=st.dictionaries(TEXT, st.just(make_evaluator().spec), max_size=2),
    create_time=TIMES,
    start_time=st.none() | TIMES,
    end_time=st.none() | TIMES,
    error=st.none() | ERRORS,
)
BODIES = RESULTS | EXPERIMENTS | st.builds(RunEvaluations, st.lists(EVALUATIONS, max_size=2).map(tuple))


def there_and_back(event: Event) -> Event:
    kind, payload = codec.encode_event(event)
    return codec.decode_event(event.sequence, kind, payload, item=ITEM, spec=make_spec())


@given(body=BODIES, time=TIMES, progress=PROGRESS)
def test_events_come_back_exactly(body: EventBody, time: datetime, progress: Progress):
    event = Event(sequence=7, time=time, progress=progress, body=body)
    assert repr(there_and_back(event)) == repr(event)


@given(EXPERIMENTS)
def test_experiments_come_back_exactly(experiment: Experiment):
    text = codec.encode_experiment(experiment)
    assert repr(codec.decode_experiment(text, experiment.spec)) == repr(experiment)


@given(st.floats(min_value=0, exclude_min=True, max_value=86_400))
def test_durations_in_specs_come_back_exactly(seconds: float):
    spec = make_spec(task_timeout=seconds)
    assert codec.decode_model(ExperimentSpec, codec.encode_model(spec)) == spec


def without_newer_fields(value: Any, kept: set[str]) -> Any:
    """Drops all keys but some from every object in a JSON value."""
    if isinstance(value, dict):
        return {key: without_newer_fields(inner, kept) for key, inner in value.items() if key in kept}
    if isinstance(value, list):
        return [without_newer_fields(inner, kept) for inner in value]
    return value


def test_a_row_that_was_written_before_fields_were_added_takes_their_defaults():
    result = make_result(ITEM)
    event = Event(sequence=1, time=START, progress=Progress(completed=1), body=result)
    kind, payload = codec.encode_event(event)
    kept = {
        *(
            "time",
            "progress",
            "completed",
            "body",
            "trial",
            "outcome",
            "output",
            "start_time",
            "task_duration",
        ),
        *("attempts", "retries", "duration", "error", "reason", "message", "evaluations", "name", "value"),
    }
    old = json.dumps(without_newer_fields(json.loads(payload), kept))
    body = codec.decode_event(1, kind, old, item=ITEM, spec=None).body
    assert isinstance(body, ItemResult)
    assert body.outcome == replace(
        result.outcome,
        contexts=(),
        usage=None,
        metadata=None,
        retries=tuple(
            replace(attempt, error=replace(attempt.error, metadata={}, retryable=False))
            for attempt in result.outcome.retries
        ),
    )
    assert (body.trace_id, body.evaluation_duration) == ("", 0.0)


def test_a_row_of_a_newer_release_with_more_fields_is_read_without_them():
    experiment = make_experiment()
    stored = json.loads(codec.encode_experiment(experiment)) | {"added": {"later": 1}}
    assert codec.decode_experiment(json.dumps(stored), experiment.spec) == experiment


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("result", "{}"), ("result", "not JSON"), ("unheard of", "{}"), ("experiment", '{"body": []}')],
)
def test_a_row_that_cannot_be_read_is_a_store_error(kind: str, payload: str):
    with pytest.raises(StoreError):
        codec.decode_event(1, kind, payload, item=ITEM, spec=make_spec())


def test_a_spec_that_cannot_be_read_is_a_store_error_that_quotes_nothing():
    with pytest.raises(StoreError) as refused:
        codec.decode_model(ExperimentSpec, '{"name": "private", "later": 1}')
    assert "private" not in str(refused.value)


def test_a_text_that_is_not_unicode_is_a_store_error():
    with pytest.raises(StoreError):
        codec.encode_experiment(make_experiment(error=Error(reason=Reason.INTERNAL, message="\ud800")))
