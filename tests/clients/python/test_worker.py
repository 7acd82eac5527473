"""The Python `Worker`, against a real server."""

from __future__ import annotations

import asyncio
import enum
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalrpc import (
    AsyncClient,
    Client,
    Context,
    Evaluation,
    ItemResult,
    RetryableError,
    RetryPolicy,
    TaskItem,
    TaskOutput,
    UnauthenticatedError,
    Usage,
    Worker,
    WorkerTask,
    trace_context,
    worker_evaluator,
)
from tests.clients.python.wire import wire
from tests.servers import Server, serving

SECONDS = 30.0


@pytest.fixture
def plain(server: Server) -> Iterator[Client]:
    """A client of the server."""
    with Client(server.grpc) as client:
        yield client


@pytest.fixture
def hosting(server: Server) -> Iterator[Callable[..., Worker]]:
    """Makes workers that are connected, and ends them."""
    made: list[Worker] = []

    def host(address: str = server.grpc, **functions: Any) -> Worker:
        worker = Worker(address, **functions)
        made.append(worker)
        worker.start()
        assert worker.wait_until_connected(SECONDS)
        return worker

    yield host
    for worker in made:
        worker.stop()


def until(happened: Callable[[], bool]) -> None:
    """Waits for what another thread makes happen."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def judged(client: Client, evaluator: Any, *, output: Any = "out", **hosted: Any) -> tuple[Evaluation, ...]:
    """Returns what a function says of an output."""
    result = client.run(
        name="judged",
        data=[{"input": "in", "expected_output": "expected", "metadata": {"m": 1}}],
        task=lambda *, item: output,
        evaluators=[evaluator],
        **hosted,
    ).result()
    return result.item_results[0].evaluations


# ------------------------------------------------------------------------------------- what functions get


def test_a_task_gets_the_item_and_what_else_it_asks_for(plain: Client, hosting: Callable[..., Worker]):
    seen: dict[str, Any] = {}

    def task(
        *, item: TaskItem, trial: int, attempt: int, experiment: Any, trace_context: dict[str, str]
    ) -> str:
        seen.update(item=item, trial=trial, attempt=attempt, experiment=experiment, trace=trace_context)
        return "done"

    hosting(tasks=[task])
    result = plain.run(
        name="asked",
        data=[{"id": "a", "input": {"q": 2**60}, "expected_output": "x", "metadata": {"m": 1}}],
        task=WorkerTask(function="task"),
    ).result()
    item = seen["item"]
    assert (item["input"], item.input, item.id) == ({"q": 2**60}, {"q": 2**60}, "a")
    assert (item.metadata, item["expected_output"]) == ({"m": 1}, None), "it may not see what is expected"
    assert (seen["trial"], seen["attempt"]) == (1, 1)
    assert (seen["experiment"].id, seen["experiment"].name) == (result.experiment_id, "asked")
    assert seen["trace"]["traceparent"].split("-")[1] == result.item_results[0].trace_id


def test_a_task_that_is_given_to_run_sees_the_item_as_it_is(plain: Client):
    result = plain.run(
        name="local", data=[{"input": 1, "expected_output": 2}], task=lambda *, item: item["expected_output"]
    ).result()
    assert result.item_results[0].output == 2


def test_an_evaluator_gets_what_langfuse_gives_and_what_else_it_asks_for(plain: Client):
    seen: dict[str, Any] = {}

    def evaluator(*, input: Any, output: Any, expected_output: Any, metadata: Any, **others: Any) -> int:  # noqa: A002
        seen.update(input=input, output=output, expected_output=expected_output, metadata=metadata, **others)
        return 1

    judged(plain, evaluator)
    assert {key: seen[key] for key in ("input", "output", "expected_output", "metadata")} == {
        "input": "in",
        "output": "out",
        "expected_output": "expected",
        "metadata": {"m": 1},
    }
    assert (seen["contexts"], seen["usage"], seen["trial"], seen["evaluations"]) == ([], None, 1, [])


def test_a_composite_evaluator_sees_the_others_evaluations(plain: Client):
    def first(*, output: Any) -> Evaluation:
        return Evaluation(name="first", value=0.25)

    def overall(*, evaluations: list[Evaluation]) -> Evaluation:
        return Evaluation(name="overall", value=sum(float(each.value or 0) for each in evaluations) * 2)

    evaluations = judged(plain, first, composite_evaluator=overall)
    assert [(each.name, each.value) for each in evaluations] == [("first", 0.25), ("overall", 0.5)]


def test_a_run_evaluator_gets_all_results(plain: Client):
    def fails_for_odd(*, item: Any) -> int:
        if item["input"] % 2:
            raise ValueError("odd")
        return int(item["input"])

    def share(*, item_results: list[ItemResult]) -> list[Evaluation]:
        failed = [each.item.input for each in item_results if each.error]
        return [Evaluation("results", len(item_results)), Evaluation("failed", len(failed))]

    result = plain.run(
        name="run", data=[{"input": n} for n in range(450)], task=fails_for_odd, run_evaluators=[share]
    ).result()
    assert {each.name: each.value for each in result.run_evaluations} == {"results": 450, "failed": 225}


# ------------------------------------------------------------------------------------ what functions return


class Tone(enum.Enum):
    WARM = "warm"


@dataclass
class Point:
    x: int
    tone: Tone


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, None),
        ({"a": [1, 2.5, "ü"]}, {"a": [1, 2.5, "ü"]}),
        (2**70, 2**70),
        (Point(1, Tone.WARM), {"x": 1, "tone": "warm"}),
        (
            {"when": datetime(2026, 1, 2, tzinfo=UTC), "set": {1}},
            {"when": "2026-01-02T00:00:00+00:00", "set": [1]},
        ),
        ((1, Path("a/b")), [1, "a/b"]),
        (SimpleNamespace(model_dump=lambda mode: {"model": mode}), {"model": "json"}),
    ],
)
def test_an_output_is_whatever_json_can_carry(plain: Client, answer: Any, expected: Any):
    result = plain.run(name="outputs", data=[{"input": 1}], task=lambda *, item: answer).result()
    assert result.item_results[0].output == expected


def test_a_task_can_say_more_than_its_output(plain: Client):
    def task(*, item: Any) -> TaskOutput:
        return TaskOutput(
            output="Paris",
            contexts=[Context(text="an atlas", score=0.5), "a page"],
            usage=Usage(input_tokens=3, model="small"),
            metadata={"cached": True},
        )

    (result,) = plain.run(name="more", data=[{"input": 1}], task=task).result().item_results
    assert [each.text for each in result.contexts] == ["an atlas", "a page"]
    assert result.usage == Usage(input_tokens=3, model="small")
    assert (result.output, result.output_metadata) == ("Paris", {"cached": True})


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (0.5, 0.5),
        (3, 3.0),
        (True, True),
        ("good", "good"),
        (None, None),
        (Evaluation(name="named", value=1, data_type="BOOLEAN"), True),
        ({"value": 1, "data_type": "BOOLEAN"}, True),
        ({"value": True, "data_type": "NUMERIC"}, 1.0),
        ({"value": 5, "data_type": "CATEGORICAL"}, "5"),
        (SimpleNamespace(name="langfuse's", value=0.25, comment=None, metadata=None), 0.25),
    ],
)
def test_an_evaluator_may_answer_in_many_ways(plain: Client, answer: Any, value: Any):
    (evaluation,) = judged(plain, lambda *, output: answer)
    assert evaluation.value == value
    assert type(evaluation.value) is type(value)
    assert (evaluation.unscored is not None) is (value is None)
    assert evaluation.error is None


def test_an_evaluation_keeps_its_comment_and_metadata_and_a_list_is_several(plain: Client):
    def evaluator(*, output: Any) -> list[Any]:
        return [
            Evaluation(name="a", value=1.0, comment="why", metadata={"k": [1]}, config_id="cfg"),
            {"name": "b", "value": 2},
        ]

    first, second = judged(plain, evaluator)
    assert (first.name, first.comment, first.metadata, first.config_id) == ("a", "why", {"k": [1]}, "cfg")
    assert (second.name, second.value, second.evaluator) == ("b", 2.0, "evaluator")


@pytest.mark.parametrize("answer", [float("nan"), {"score": 1}, object(), [object()]])
def test_an_answer_that_is_no_evaluation_is_the_evaluators_error(plain: Client, answer: Any):
    (evaluation,) = judged(plain, lambda *, output: answer)
    assert evaluation.error is not None
    assert evaluation.error.reason == "EVALUATOR_FAILED"


def test_an_output_that_json_cannot_carry_is_the_items_error(plain: Client):
    result = plain.run(name="no", data=[{"input": 1}], task=lambda *, item: {item.id: object()}).result()
    error = result.item_results[0].error
    assert error is not None
    assert (error.reason, error.metadata["error_type"]) == ("TASK_FAILED", "ValueError")


def test_only_a_retryable_error_is_repeated(plain: Client):
    calls: list[int] = []

    def task(*, item: Any, attempt: int) -> str:
        calls.append(attempt)
        if attempt < 3:
            raise RetryableError("busy")
        return "at last"

    retry = RetryPolicy(max_attempts=3, initial_backoff=0.01)
    (result,) = plain.run(name="again", data=[{"input": 1}], task=task, retry=retry).result().item_results
    assert (result.output, result.attempts, calls) == ("at last", 3, [1, 2, 3])


# ------------------------------------------------------------------------------------------ how it works


def test_the_trace_is_joined_by_opentelemetry_and_told(plain: Client):
    from opentelemetry import trace

    def told(*, item: Any) -> list[str]:
        return [
            f"{trace.get_current_span().get_span_context().trace_id:032x}",
            trace_context()["traceparent"],
        ]

    async def told_later(*, item: Any) -> list[str]:
        await asyncio.sleep(0)
        return told(item=item)

    for task in (told, told_later):
        (result,) = plain.run(name="traced", data=[{"input": 1}], task=task).result().item_results
        joined, header = result.output
        assert joined == result.trace_id
        assert header.split("-")[1] == result.trace_id
    assert trace_context() == {}


def test_functions_run_beside_each_other(plain: Client):
    meeting = threading.Barrier(8, timeout=SECONDS)

    def task(*, item: Any) -> int:
        return meeting.wait()

    result = plain.run(name="beside", data=[{"input": n} for n in range(8)], task=task).result()
    assert sorted(each.output for each in result.item_results) == list(range(8))


async def test_coroutines_of_an_async_client_run_on_its_loop(server: Server):
    loops: set[Any] = set()

    async def task(*, item: Any) -> int:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0.001)
        return int(item.input)

    async def evaluator(*, output: int) -> bool:
        loops.add(asyncio.get_running_loop())
        return output >= 0

    async with AsyncClient(server.grpc) as client:
        run = client.run(
            name="here", data=[{"input": n} for n in range(50)], task=task, evaluators=[evaluator]
        )
        result = await run.result()
    assert [each.output for each in result.item_results] == list(range(50))
    assert loops == {asyncio.get_running_loop()}


def test_a_cancelled_run_cancels_coroutines_and_frees_their_places(
    plain: Client, hosting: Callable[..., Worker]
):
    ended: list[str] = []

    async def endless(*, item: Any) -> None:
        try:
            await asyncio.sleep(SECONDS * 10)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    def echo(*, item: Any) -> Any:
        return item.input

    worker = hosting(tasks=[endless, echo], max_in_flight=2)
    started = plain.start(
        name="endless", data=[{"input": 1}, {"input": 2}], task=WorkerTask(function="endless")
    )
    until(lambda: worker.status.in_flight == 2)
    plain.cancel(started.id)
    until(lambda: len(ended) == 2)
    assert worker.status.dropped == 2
    result = plain.run(name="after", data=[{"input": 3}], task=WorkerTask(function="echo")).result()
    assert result.item_results[0].output == 3


def test_a_cut_wire_costs_nothing_that_was_at_work(
    server: Server, plain: Client, hosting: Callable[..., Worker]
):
    begun: list[int] = []
    gate = threading.Event()

    def task(*, item: Any) -> Any:
        begun.append(item.input)
        gate.wait(SECONDS)
        return item.input

    with wire(server.grpc) as line:
        worker = hosting(line.address, tasks={"cut": task}, max_in_flight=5)
        run = plain.start(name="cut", data=[{"input": n} for n in range(5)], task=WorkerTask(function="cut"))
        until(lambda: len(begun) == 5)
        line.cut()
        gate.set()
        until(lambda: worker.status.connections == 2)
        result = plain.watch(run.id).result()
    assert [(each.output, each.attempts) for each in result.item_results] == [(n, 1) for n in range(5)]
    assert sorted(begun) == list(range(5))


def test_a_worker_drains_what_it_has_before_it_ends(plain: Client, hosting: Callable[..., Worker]):
    begun = threading.Event()

    def slow(*, item: Any) -> str:
        begun.set()
        time.sleep(0.3)
        return "finished"

    worker = hosting(tasks=[slow])
    run = plain.start(name="drain", data=[{"input": 1}], task=WorkerTask(function="slow"))
    assert begun.wait(SECONDS)
    worker.close()
    assert (worker.status.completed, worker.status.unacknowledged, worker.status.connected) == (1, 0, False)
    assert plain.watch(run.id).result().item_results[0].output == "finished"


def test_leaving_a_run_ends_its_functions(server: Server, plain: Client):
    ended = threading.Event()

    async def endless(*, item: Any) -> None:
        try:
            await asyncio.sleep(SECONDS * 10)
        finally:
            ended.set()

    run = plain.run(name="left", data=[{"input": 1}], task=endless, cancel_on_disconnect=True)
    for event in run:
        if event.experiment and event.experiment.state == "RUNNING":
            until(lambda: "evalrpc loop" in {thread.name for thread in threading.enumerate()})
            break
    run.close()
    assert ended.wait(SECONDS)


async def test_a_worker_serves_on_the_loop_of_its_user(server: Server):
    async def task(*, item: Any) -> Any:
        return item.input

    worker = Worker(server.grpc, tasks={"here": task})
    serving_it = asyncio.create_task(worker.serve())
    async with AsyncClient(server.grpc) as client:
        result = await client.run(name="x", data=[{"input": 7}], task=WorkerTask(function="here")).result()
    assert result.item_results[0].output == 7
    serving_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving_it
    assert not worker.status.connected


async def test_a_worker_is_an_asynchronous_context(server: Server):
    async def task(*, item: Any) -> Any:
        return item.input

    async with Worker(server.grpc, tasks={"context": task}) as worker:
        assert worker.status.connected
    assert not worker.status.connected


# -------------------------------------------------------------------------------------------- bad input


def test_a_function_must_take_the_arguments_of_its_kind():
    with pytest.raises(
        TypeError, match=r"broken asks for 'x'; tasks are given the keyword arguments item, trial"
    ):
        Worker(tasks={"broken": lambda x: x})
    with pytest.raises(
        TypeError, match="asks for 'item'; evaluators are given the keyword arguments input, output"
    ):
        Worker(evaluators={"broken": lambda *, item: item})
    with pytest.raises(
        TypeError, match="asks for 'output'; run evaluators are given the keyword arguments item_results"
    ):
        Worker(run_evaluators={"broken": lambda *, output: output})
    with pytest.raises(TypeError, match="hosts functions, not a str"):
        Worker(tasks=["answer"])  # type: ignore[list-item]


def test_two_functions_cannot_have_one_name():
    worker = Worker(tasks={"f": lambda **_: 1})
    with pytest.raises(ValueError, match="two functions are called 'f'"):

        @worker.evaluator(name="f")
        def other(*, output: Any) -> Any:
            return output


def test_a_worker_of_nothing_does_not_start():
    with pytest.raises(ValueError, match="hosts nothing"):
        Worker().start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = Worker().status
    with pytest.raises(ValueError, match="max_in_flight"):
        Worker(max_in_flight=0)


def test_decorated_functions_stay_themselves_and_have_their_names(server: Server, plain: Client):
    worker = Worker(server.grpc)

    @worker.task
    def decorated(*, item: Any) -> str:
        """Answers."""
        return "yes"

    @worker.evaluator(name="named")
    def other(*, output: str) -> bool:
        return output == "yes"

    assert decorated(item=None) == "yes"
    with worker:
        result = plain.run(
            name="x",
            data=[{"input": 1}],
            task=WorkerTask(function="decorated"),
            evaluators=[worker_evaluator("named", timeout=5)],
        ).result()
    (evaluation,) = result.item_results[0].evaluations
    assert (evaluation.name, evaluation.value) == ("named", True)


def test_start_takes_no_functions(plain: Client):
    with pytest.raises(TypeError, match="run"):
        plain.start(name="x", data=[{"input": 1}], task=lambda *, item: 1)
    with pytest.raises(TypeError, match=r"experiment.evaluators\[0\]"):
        plain.start(
            name="x", data=[{"input": 1}], task="http://127.0.0.1:9/", evaluators=[lambda *, output: 1]
        )


def test_a_worker_that_the_server_refuses_says_why(tmp_path: Path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(f"tokens:\n  - name: someone\n    sha256: '{'0' * 64}'\n")
    with serving(tmp_path / "data", "--tokens", str(tokens)) as guarded:
        worker = Worker(guarded.grpc, tasks={"f": lambda **_: 1})
        worker.start()
        with pytest.raises(UnauthenticatedError):
            worker.wait_until_connected(SECONDS)
        with pytest.raises(UnauthenticatedError):
            worker.close()
