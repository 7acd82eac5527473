"""Cases and results to judge, and a short way to have a builtin judge them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from evalrpc_server.domain.documents import Document, document_from_value
from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.evaluations import Evaluation
from evalrpc_server.domain.experiments import ExperimentRef
from evalrpc_server.domain.items import Item
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.results import Context, ItemResult, TaskOutcome
from evalrpc_server.domain.usage import Usage
from evalrpc_server.evaluators.builtin.judge import evaluation, judge, unscored
from evalrpc_server.evaluators.builtin.registry import Level
from evalrpc_server.evaluators.builtin.table import BUILTINS
from evalrpc_server.evaluators.builtin.validation import read_params, validate_builtin
from evalrpc_server.evaluators.builtin.verdicts import Unscored
from evalrpc_server.evaluators.port import Case

EXPERIMENT = ExperimentRef(id="e1", name="quiz", run_name="quiz - 1")
ABSENT = object()


def document(value: Any) -> Document:
    """Returns a value as a document; text of the type Document as it is (see `raw`)."""
    return value.text if isinstance(value, Raw) else document_from_value(value)


class Raw:
    """JSON text to be used exactly as written."""

    def __init__(self, text: str) -> None:
        self.text = Document(text)


def case(
    output: Any,
    expected: Any = ABSENT,
    *,
    metadata: Any = ABSENT,
    contexts: Sequence[Context] = (),
    usage: Usage | None = None,
    duration: float = 0.25,
    evaluations: Sequence[Evaluation] = (),
) -> Case:
    """Returns a case with the given output."""
    item = Item(
        index=0,
        id="i0",
        input=document("a question"),
        expected_output=None if expected is ABSENT else document(expected),
        metadata=None if metadata is ABSENT else document(metadata),
    )
    return Case(
        experiment=EXPERIMENT,
        item=item,
        trial=1,
        output=document(output),
        contexts=tuple(contexts),
        usage=usage,
        duration=duration,
        evaluations=tuple(evaluations),
    )


def say(name: str, judged: Case, **params: Any) -> Evaluation:
    """Returns what a builtin says of a case."""
    assert validate_builtin(name, params, Level.ITEM) == []
    return judge({}, name, read_params(BUILTINS[name], params), name, judged)


def value(name: str, output: Any, expected: Any = ABSENT, **params: Any) -> Any:
    """Returns the value that a builtin gives to an output; None where it gives none."""
    return say(name, case(output, expected), **params).value


def result(
    index: int,
    evaluations: Iterable[Evaluation] = (),
    *,
    trial: int = 1,
    failed: bool = False,
    duration: float = 0.1,
    usage: Usage | None = None,
) -> ItemResult:
    """Returns the result of an item."""
    return ItemResult(
        item=Item(index=index, id=f"i{index}", input=document("a question")),
        trial=trial,
        outcome=TaskOutcome(
            output=None if failed else document("an answer"),
            error=Error(reason=Reason.TASK_TIMEOUT, message="late") if failed else None,
            start_time=datetime(2026, 1, 1, tzinfo=UTC),
            task_duration=duration,
            attempts=1,
            usage=usage,
        ),
        evaluations=tuple(evaluations),
    )


def scored(value: float | bool | str, name: str = "accuracy") -> Evaluation:
    """Returns an evaluation with a value."""
    return Evaluation(name=name, value=value)


def fold(name: str, chunks: Iterable[Sequence[ItemResult]], **params: Any) -> Evaluation:
    """Returns what a run-level builtin says of results that come in chunks."""
    assert validate_builtin(name, params, Level.RUN) == []
    builtin = BUILTINS[name]
    assert builtin.fold is not None
    at_work = builtin.fold(read_params(builtin, params))
    try:
        for chunk in chunks:
            at_work.add(chunk)
        return evaluation(builtin, name, at_work.verdict())
    except Unscored as reason:
        return unscored(builtin, name, reason)
