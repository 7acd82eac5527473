"""Workers against the service as a whole: real servers, real worker processes, and what goes wrong between them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from evalrpc.v1 import (
    evaluation_service_pb2,
    event_pb2,
    experiment_pb2,
    experiment_service_pb2,
    item_pb2,
    task_service_pb2,
    worker_messages_pb2,
    worker_pb2,
    worker_service_pb2,
)
from tests.processes import Program, running
from tests.servers import Server, Stubs, serving
from tests.service.calls import SECONDS, reason, results, run, start, violations, watch
from tests.service.stream import WorkerStream, hello

LEASE = 2.0
SUCCEEDED = experiment_pb2.EXPERIMENT_STATE_SUCCEEDED
FAILED = experiment_pb2.EXPERIMENT_STATE_FAILED
CANCELLED = experiment_pb2.EXPERIMENT_STATE_CANCELLED


class Crew:
    """Worker processes of one server, and the directory that they share with the test."""

    def __init__(self, directory: Path, address: str) -> None:
        self.directory = directory
        self.address = address
        self._stack = ExitStack()

    def hire(self, worker_id: str, max_in_flight: int = 64) -> Program:
        """Starts a worker and waits until it is connected."""
        command = [
            sys.executable,
            "-m",
            "tests.service.hosting",
            self.address,
            worker_id,
            self.directory,
            max_in_flight,
        ]
        program = self._stack.enter_context(running([str(part) for part in command]))
        program.wait_for("connected to")
        return program

    def open(self) -> None:
        """Lets all held calls go on."""
        (self.directory / "open").touch()

    def seen(self, worker_id: str) -> list[str]:
        """Returns what a worker's functions were called with."""
        path = self.directory / worker_id
        return path.read_text().splitlines() if path.exists() else []

    def dismiss(self) -> None:
        """Ends all workers."""
        self._stack.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of this file, with a short lease."""
    with serving(tmp_path_factory.mktemp("data"), "--worker-lease", str(LEASE)) as made:
        yield made


@pytest.fixture
def crew(tmp_path: Path, server: Server) -> Iterator[Crew]:
    """Workers for the test."""
    made = Crew(tmp_path, server.grpc)
    yield made
    made.dismiss()


def worker_spec(function: str, *inputs: Any, **fields: Any) -> dict[str, Any]:
    """Returns a spec whose task is a worker's function."""
    items = [
        each if isinstance(each, dict) else {"input": {"value": each}, "expected_output": {"value": each}}
        for each in inputs
    ]
    task = {"worker": {"function": function}}
    return {"name": "test", "items": {"items": items}, "task": task} | fields


async def until(happened: Callable[[], bool]) -> None:
    """Waits for something that only polling shows."""
    async with asyncio.timeout(SECONDS):
        while not happened():  # noqa: ASYNC110  another process makes it happen
            await asyncio.sleep(0.02)


async def waiting_experiment(stubs: Stubs, experiment_id: str) -> experiment_pb2.Experiment:
    """Waits until an experiment waits."""
    request = experiment_service_pb2.WatchExperimentRequest(id=experiment_id)
    call = stubs.experiments.WatchExperiment(request, timeout=SECONDS)
    async for response in call:
        if response.event.experiment.HasField("waiting"):
            break
    call.cancel()
    get = experiment_service_pb2.GetExperimentRequest(id=experiment_id)
    return (await stubs.experiments.GetExperiment(get)).experiment


def outputs(events: list[event_pb2.ExperimentEvent]) -> list[Any]:
    return [value_of(result.output) for result in results(events)]


def value_of(document: Any) -> Any:
    return json.loads(document.text) if document.text else _plain(document.value)


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return None if kind == "null_value" else getattr(value, kind)


# ------------------------------------------------------------------------------------------ what workers do


async def test_a_worker_hosts_the_task_the_evaluators_and_the_run_evaluator(stubs: Stubs, crew: Crew):
    crew.hire("w")
    spec = worker_spec(
        "echo",
        *range(500),
        evaluators=[{"name": "judge", "worker": {"function": "equal"}}],
        run_evaluators=[{"name": "share", "worker": {"function": "share"}}],
    )
    events = await run(stubs, spec)
    found = results(events)
    assert events[-1].experiment.state == SUCCEEDED
    assert [value_of(result.output) for result in found] == list(range(500))
    (evaluation,) = found[7].evaluations
    assert (evaluation.name, evaluation.evaluator, evaluation.boolean) == ("equal", "judge", True)
    assert evaluation.comment == "compared"
    (said,) = events[-1].experiment.run_evaluations
    assert (said.name, said.number) == ("share", 1.0)
    assert Counter(crew.seen("w")) == Counter(str(n) for n in range(500)) + Counter(
        f"equal {n}" for n in range(500)
    )


async def test_several_workers_share_a_function(stubs: Stubs, crew: Crew):
    for name in ("a", "b", "c"):
        crew.hire(name, 5)
    events = await run(stubs, worker_spec("echo", *range(600), max_concurrency=15))
    assert outputs(events) == list(range(600))
    shares = [len(crew.seen(name)) for name in ("a", "b", "c")]
    assert sum(shares) == 600
    assert min(shares) > 0


async def test_the_functions_error_is_the_items(stubs: Stubs, crew: Crew):
    crew.hire("w")
    (result,) = results(await run(stubs, worker_spec("broken", 1)))
    assert (result.error.reason, result.error.message) == ("TASK_FAILED", "ValueError: cannot answer 1")
    assert dict(result.error.metadata) == {"error_type": "ValueError"}
    assert result.attempts == 1


async def test_the_trace_context_reaches_the_function(stubs: Stubs, crew: Crew):
    crew.hire("w")
    (result,) = results(await run(stubs, worker_spec("traced", 1)))
    version, trace, _, flags = value_of(result.output).split("-")
    assert (version, trace, flags) == ("00", result.trace_id, "01")


@pytest.mark.parametrize("size", [1_000_000, 1_048_574])
async def test_a_large_output_arrives_beside_the_stream(stubs: Stubs, crew: Crew, size: int):
    crew.hire("w")
    (result,) = results(await run(stubs, worker_spec("large", size)))
    assert len(value_of(result.output)) == size


@pytest.mark.parametrize("size", [1_048_575, 5_000_000])
async def test_an_output_above_the_limit_is_the_items_error(stubs: Stubs, crew: Crew, size: int):
    crew.hire("w")
    (result,) = results(await run(stubs, worker_spec("large", size)))
    assert result.error.reason == "PAYLOAD_TOO_LARGE"
    assert int(result.error.metadata["size_bytes"]) > int(result.error.metadata["limit_bytes"])


async def test_calls_that_wait_for_a_place_are_not_timed_out(stubs: Stubs, crew: Crew):
    crew.hire("w", 1)
    spec = worker_spec("blocking_the_loop", *[0.05] * 30, max_concurrency=30, task_timeout="0.5s")
    events = await run(stubs, spec)
    assert outputs(events) == [0.05] * 30
    assert all(result.task_duration.seconds == 0 for result in results(events))


async def test_heartbeats_go_on_while_functions_block_the_loop(stubs: Stubs, crew: Crew):
    crew.hire("w")
    (result,) = results(await run(stubs, worker_spec("blocking_the_loop", 2 * LEASE)))
    assert (value_of(result.output), result.attempts) == (2 * LEASE, 1)


async def test_a_call_that_takes_too_long_is_cancelled_and_the_worker_goes_on(stubs: Stubs, crew: Crew):
    crew.hire("w", 2)
    spec = worker_spec("held", *range(4), task_timeout="0.3s", retry={"max_attempts": 1})
    found = results(await run(stubs, spec))
    assert {result.error.reason for result in found} == {"TASK_TIMEOUT"}
    assert outputs(await run(stubs, worker_spec("echo", *range(10)))) == list(range(10))


async def test_a_cancelled_experiment_is_cancelled_at_the_worker(stubs: Stubs, crew: Crew):
    crew.hire("w", 3)
    experiment_id = await start(stubs, worker_spec("held", *range(3)))
    await until(lambda: len(crew.seen("w")) == 3)
    await stubs.experiments.CancelExperiment(experiment_service_pb2.CancelExperimentRequest(id=experiment_id))
    events = await watch(stubs, experiment_id)
    assert events[-1].experiment.state == CANCELLED
    assert {result.error.reason for result in results(events)} == {"CANCELLED"}
    assert outputs(await run(stubs, worker_spec("echo", 1))) == [1]


# ----------------------------------------------------------------------------------------- without a worker


async def test_a_run_without_a_worker_waits_visibly_until_one_comes(stubs: Stubs, crew: Crew):
    experiment_id = await start(stubs, worker_spec("echo", 1, 2))
    experiment = await waiting_experiment(stubs, experiment_id)
    assert (experiment.waiting.reason, dict(experiment.waiting.metadata)) == (
        "NO_WORKER",
        {"function": "echo"},
    )
    crew.hire("w")
    events = await watch(stubs, experiment_id)
    assert events[-1].experiment.state == SUCCEEDED
    assert not events[-1].experiment.HasField("waiting")
    assert len(results(events)) == 2


async def test_a_run_that_no_worker_comes_for_fails(stubs: Stubs):
    events = await run(stubs, worker_spec("nobody", 1, 2, worker_wait="0.3s"))
    ended = events[-1].experiment
    assert (ended.state, ended.error.reason) == (FAILED, "NO_WORKER")
    assert dict(ended.error.metadata) == {"function": "nobody", "waited_seconds": "0.3"}
    assert results(events) == []


# ----------------------------------------------------------------------------------------------- hand-over


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_dead_or_frozen_workers_tasks_go_to_another(
    stubs: Stubs, crew: Crew, blow: signal.Signals, record_property: Callable[[str, object], None]
):
    first = crew.hire("first", 5)
    experiment_id = await start(stubs, worker_spec("held", *range(5), max_concurrency=5))
    await until(lambda: len(crew.seen("first")) == 5)
    crew.hire("second", 5)
    begin = time.monotonic()
    first.signal(blow)
    await until(lambda: len(crew.seen("second")) == 5)
    seconds = time.monotonic() - begin
    record_property("hand_over_seconds", f"{seconds:.2f}")
    crew.open()
    if blow is signal.SIGSTOP:
        first.signal(signal.SIGCONT)
    events = await watch(stubs, experiment_id)
    assert outputs(events) == list(range(5))
    assert [result.attempts for result in results(events)] == [2] * 5
    assert events[-1].experiment.progress.completed == 5
    assert events[-1].experiment.progress.retried == 5
    assert seconds < LEASE + 1 + 5, "with what a loaded machine adds"
    print(f"hand-over after {blow.name}: {seconds:.2f} s at a lease of {LEASE:g} s")


async def test_a_drained_worker_finishes_and_takes_nothing_new(stubs: Stubs, crew: Crew):
    leaving = crew.hire("leaving", 2)
    experiment_id = await start(stubs, worker_spec("held", *range(6), max_concurrency=4))
    await until(lambda: len(crew.seen("leaving")) == 2)
    leaving.signal(signal.SIGTERM)
    crew.hire("staying", 4)
    await until(lambda: len(crew.seen("staying")) == 2)
    crew.open()
    assert await asyncio.to_thread(leaving.wait) == 0
    events = await watch(stubs, experiment_id)
    assert outputs(events) == list(range(6))
    assert [result.attempts for result in results(events)] == [1] * 6
    assert len(crew.seen("leaving")) == 2


@pytest.mark.timeout(180)
async def test_a_killed_and_restarted_server_gets_exactly_one_result_per_item(tmp_path: Path):
    data = tmp_path / "data"
    with serving(data, "--worker-lease", str(LEASE)) as server:
        crew = Crew(tmp_path, server.grpc)
        try:
            for name in ("a", "b", "c"):
                crew.hire(name, 8)
            async with grpc.aio.insecure_channel(server.grpc) as channel:
                experiment_id = await start(
                    Stubs(channel), worker_spec("echo", *range(1500), max_concurrency=24)
                )
                await until(lambda: sum(len(crew.seen(name)) for name in ("a", "b", "c")) > 400)
                server.program.signal(signal.SIGKILL)
                await asyncio.to_thread(server.program.wait)
            with serving(data, "--worker-lease", str(LEASE), "--listen", server.grpc) as again:
                async with grpc.aio.insecure_channel(again.grpc) as channel:
                    events = await watch(Stubs(channel), experiment_id)
        finally:
            crew.dismiss()
    assert events[-1].experiment.state == SUCCEEDED
    assert outputs(events) == list(range(1500))


async def test_a_server_that_shuts_down_lets_workers_finish(tmp_path: Path):
    with serving(tmp_path / "data") as server:
        crew = Crew(tmp_path, server.grpc)
        try:
            worker = crew.hire("w", 3)
            async with grpc.aio.insecure_channel(server.grpc) as channel:
                experiment_id = await start(Stubs(channel), worker_spec("held", *range(9), max_concurrency=3))
                await until(lambda: len(crew.seen("w")) == 3)
                server.program.signal(signal.SIGTERM)
                worker.wait_for("the server is shutting down")
                crew.open()
                assert await asyncio.to_thread(server.program.wait) == 0
            with serving(tmp_path / "data", "--listen", server.grpc) as again:
                async with grpc.aio.insecure_channel(again.grpc) as channel:
                    events = await watch(Stubs(channel), experiment_id)
        finally:
            crew.dismiss()
    assert outputs(events) == list(range(9))
    assert sorted(crew.seen("w")) == [str(number) for number in range(9)], "each was called once"


# ----------------------------------------------------------------------------------------------- bad input


@asynccontextmanager
async def stream(stubs: Stubs, *messages: worker_service_pb2.ServeRequest) -> AsyncIterator[WorkerStream]:
    made = WorkerStream(stubs)
    try:
        for message in messages:
            await made.send(message)
        yield made
    finally:
        await made.drop()


def request(**message: Any) -> worker_service_pb2.ServeRequest:
    return worker_service_pb2.ServeRequest(**message)


FUNCTIONS = [("f", "TASK")]
BAD_HELLOS: dict[str, tuple[worker_service_pb2.ServeRequest, str, str]] = {
    "no id": (hello("", FUNCTIONS), "INVALID_FIELD", "hello.worker_id"),
    "long id": (hello("x" * 256, FUNCTIONS), "INVALID_FIELD", "hello.worker_id"),
    "no functions": (hello("w", []), "INVALID_FIELD", "hello.functions"),
    "no room": (hello("w", FUNCTIONS, max_in_flight=0), "INVALID_FIELD", "hello.max_in_flight"),
    "too much room": (hello("w", FUNCTIONS, max_in_flight=10_001), "INVALID_FIELD", "hello.max_in_flight"),
    "no name": (hello("w", [("", "TASK")]), "INVALID_FIELD", "hello.functions[0].name"),
    "no kind": (hello("w", [("f", "UNSPECIFIED")]), "INVALID_FIELD", "hello.functions[0].kind"),
    "twice": (hello("w", FUNCTIONS * 2), "INVALID_FIELD", "hello.functions[1].name"),
    "two kinds": (hello("w", [("f", "TASK"), ("f", "EVALUATOR")]), "FUNCTION_KIND_CONFLICT", ""),
    "many": (hello("w", [(f"f{n}", "TASK") for n in range(10_000)]), "TOO_MANY_FUNCTIONS", ""),
    "no hello": (request(heartbeat=worker_messages_pb2.Heartbeat()), "HELLO_EXPECTED", ""),
    "nothing": (request(), "HELLO_EXPECTED", ""),
}


@pytest.mark.parametrize("case", BAD_HELLOS)
async def test_a_wrong_introduction_is_refused_and_says_why(stubs: Stubs, case: str):
    message, expected, field = BAD_HELLOS[case]
    async with stream(stubs, message) as worker:
        error = await worker.error()
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(error) == expected
    if field:
        assert field in violations(error)


async def test_a_second_hello_ends_the_stream_and_disturbs_nobody(stubs: Stubs, crew: Crew):
    crew.hire("w")
    running_experiment = asyncio.create_task(run(stubs, worker_spec("echo", *range(200))))
    async with stream(stubs, hello("twice", FUNCTIONS), hello("twice", FUNCTIONS)) as worker:
        error = await worker.error()
    assert (error.code(), reason(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "HELLO_REPEATED")
    assert outputs(await running_experiment) == list(range(200))


async def test_a_function_of_another_kind_than_others_host_is_refused(stubs: Stubs, crew: Crew):
    crew.hire("w")
    async with stream(stubs, hello("other", [("echo", "EVALUATOR")])) as worker:
        error = await worker.error()
    assert reason(error) == "FUNCTION_KIND_CONFLICT"


async def test_credit_of_nothing_is_refused(stubs: Stubs):
    bad = request(credit=worker_messages_pb2.Credit(count=0))
    async with stream(stubs, hello("w", FUNCTIONS), bad) as worker:
        error = await worker.error()
    assert "credit.count" in violations(error)


async def test_a_worker_that_is_silent_is_cut_off(stubs: Stubs):
    async with stream(stubs, hello("silent", FUNCTIONS)) as worker:
        error = await worker.error()
    assert (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "WORKER_UNRESPONSIVE")


async def test_a_caller_that_never_says_hello_is_cut_off(stubs: Stubs):
    async with stream(stubs) as worker:
        error = await worker.error()
    assert (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "WORKER_UNRESPONSIVE")


async def test_an_unknown_token_is_told_apart_from_an_old_one(stubs: Stubs):
    report = worker_messages_pb2.TaskReport(task_token="tok_1", handback=worker_messages_pb2.Handback())
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await stubs.workers.ReportTask(worker_service_pb2.ReportTaskRequest(report=report))
    assert (unknown.value.code(), reason(unknown.value)) == (grpc.StatusCode.NOT_FOUND, "TASK_TOKEN_UNKNOWN")
    async with stream(stubs, hello("w", FUNCTIONS), request(report=report)) as worker:
        assert (await worker.next("ack")).ack.ignored
        await worker.send(request(heartbeat=worker_messages_pb2.Heartbeat(task_tokens=["tok_1"])))
        assert list((await worker.next("heartbeat_ack")).heartbeat_ack.lost_task_tokens) == ["tok_1"]


@pytest.mark.parametrize(
    ("report", "field"),
    [({}, "report.task_token"), ({"task_token": "tok_1"}, "report")],
    ids=["no token", "no outcome"],
)
async def test_a_report_of_nothing_names_the_field(stubs: Stubs, report: dict[str, Any], field: str):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.workers.ReportTask(
            worker_service_pb2.ReportTaskRequest(report=worker_messages_pb2.TaskReport(**report))
        )
    assert field in violations(refused.value)


async def test_a_report_above_the_limit_is_the_items_error(stubs: Stubs):
    async with stream(stubs, hello("w", FUNCTIONS), request(credit={"count": 1})) as worker:
        running_experiment = asyncio.create_task(run(stubs, worker_spec("f", 1)))
        limit = (await worker.next("welcome")).welcome.max_report_bytes
        answer = task_service_pb2.RunTaskResponse(contexts=[item_pb2.Context(text="x" * limit)])
        token = (await worker.next("assignment")).assignment.task_token
        report = worker_messages_pb2.TaskReport(task_token=token, task=answer)
        await stubs.workers.ReportTask(worker_service_pb2.ReportTaskRequest(report=report))
        (result,) = results(await running_experiment)
    assert result.error.reason == "PAYLOAD_TOO_LARGE"
    assert result.error.metadata["limit_bytes"] == str(limit)


async def test_a_report_above_what_a_message_holds_ends_its_stream_alone(stubs: Stubs, crew: Crew):
    crew.hire("w")
    async with stream(stubs, hello("huge", FUNCTIONS), request(credit={"count": 1})) as worker:
        spec = worker_spec("f", 1, retry={"max_attempts": 1})
        running_experiment = asyncio.create_task(run(stubs, spec))
        token = (await worker.next("assignment")).assignment.task_token
        answer = {"output": {"text": '"' + "x" * 5_000_000 + '"'}}
        await worker.send(request(report={"task_token": token, "task": answer}))
        error = await worker.error()
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert outputs(await run(stubs, worker_spec("echo", *range(50)))) == list(range(50))
        (result,) = results(await running_experiment)
    assert result.error.reason == "WORKER_LOST"


async def test_a_worker_that_never_reports_loses_its_call_alone(stubs: Stubs, crew: Crew):
    crew.hire("w")
    async with stream(stubs, hello("mute", FUNCTIONS), request(credit={"count": 1})) as worker:
        spec = worker_spec("f", 1, task_timeout="1s", retry={"max_attempts": 1})
        running_experiment = asyncio.create_task(run(stubs, spec))
        token = (await worker.next("assignment")).assignment.task_token
        await worker.send(request(heartbeat={"task_tokens": [token]}))
        assert outputs(await run(stubs, worker_spec("echo", *range(50)))) == list(range(50))
        assert (await worker.next("cancel")).cancel.task_token == token
        (result,) = results(await running_experiment)
    assert result.error.reason == "TASK_TIMEOUT"


WRONG_REPORTS: dict[str, dict[str, Any]] = {
    "an evaluation of a task": {"evaluations": evaluation_service_pb2.EvaluateItemResponse()},
    "text that is no JSON": {"task": {"output": {"text": "{"}}},
    "metadata that is no object": {"task": {"output": {"text": "1"}, "metadata": {"text": "[]"}}},
    "nothing": {},
}


@pytest.mark.parametrize("case", WRONG_REPORTS)
async def test_a_report_of_the_wrong_form_is_the_items_error(stubs: Stubs, case: str):
    async with stream(stubs, hello("w", FUNCTIONS), request(credit={"count": 1})) as worker:
        running_experiment = asyncio.create_task(run(stubs, worker_spec("f", 1)))
        token = (await worker.next("assignment")).assignment.task_token
        await worker.send(request(report={"task_token": token, **WRONG_REPORTS[case]}))
        (result,) = results(await running_experiment)
        assert result.error.reason == "TASK_INVALID_ANSWER"
        assert (await worker.next("ack")).ack.task_token == token


async def test_acknowledgements_come_after_the_result_is_streamed(stubs: Stubs):
    async with stream(stubs, hello("w", FUNCTIONS), request(credit={"count": 1})) as worker:
        spec = worker_spec("f", 1, evaluators=[{"name": "slow", "worker": {"function": "judge"}}])
        async with stream(stubs, hello("j", [("judge", "EVALUATOR")]), request(credit={"count": 1})) as judge:
            running_experiment = asyncio.create_task(run(stubs, spec))
            token = (await worker.next("assignment")).assignment.task_token
            await worker.send(request(report={"task_token": token, "task": {"output": {"text": "1"}}}))
            verdict = (await judge.next("assignment")).assignment.task_token
            await worker.send(request(heartbeat={"task_tokens": [token]}))
            before = await worker.next()
            assert before.WhichOneof("message") == "heartbeat_ack", (
                "no acknowledgement while the evaluator is out"
            )
            assert list(before.heartbeat_ack.lost_task_tokens) == []
            await judge.send(request(report={"task_token": verdict, "evaluations": {}}))
            assert (await worker.next("ack")).ack == worker_messages_pb2.TaskAck(task_token=token)
            assert len(results(await running_experiment)) == 1


async def test_a_run_evaluator_that_never_takes_a_chunk_in_is_timed_out(stubs: Stubs, crew: Crew):
    crew.hire("w")
    evaluators = [{"name": "stuck", "worker": {"function": "stuck"}, "timeout": "1s"}]
    async with stream(
        stubs, hello("stuck", [("stuck", "RUN_EVALUATOR")]), request(credit={"count": 1})
    ) as worker:
        running_experiment = asyncio.create_task(
            run(stubs, worker_spec("echo", *range(300), run_evaluators=evaluators))
        )
        call = (await worker.next("assignment")).assignment.run_evaluator
        assert (call.evaluator, call.item_result_count) == ("stuck", 300)
        chunk = (await worker.next("item_results")).item_results
        assert (chunk.number, len(chunk.item_results), chunk.last) == (1, 200, False)
        assert (await worker.next("cancel")).cancel.task_token == chunk.task_token
        ended = (await running_experiment)[-1].experiment
    assert (ended.state, ended.run_evaluations[0].error.reason) == (SUCCEEDED, "EVALUATOR_TIMEOUT")


# ------------------------------------------------------------------------------------------------ the list


async def test_the_list_shows_who_hosts_what_and_how_much_they_do(stubs: Stubs, crew: Crew):
    crew.hire("a", 5)
    crew.hire("b", 7)
    experiment_id = await start(stubs, worker_spec("held", *range(12), max_concurrency=12))
    await until(lambda: len(crew.seen("a")) + len(crew.seen("b")) == 12)
    first = await stubs.workers.ListWorkers(worker_service_pb2.ListWorkersRequest(page_size=1))
    rest = await stubs.workers.ListWorkers(
        worker_service_pb2.ListWorkersRequest(page_size=1, page_token=first.next_page_token)
    )
    (a,), (b,) = first.workers, rest.workers
    assert rest.next_page_token == ""
    assert [(each.id, each.max_in_flight, each.in_flight) for each in (a, b)] == [("a", 5, 5), ("b", 7, 7)]
    assert a.state == worker_pb2.WORKER_STATE_CONNECTED
    assert a.client_name == "evalrpc-python"
    assert {(each.name, each.kind) for each in a.functions} >= {
        ("echo", worker_pb2.FUNCTION_KIND_TASK),
        ("equal", worker_pb2.FUNCTION_KIND_EVALUATOR),
        ("share", worker_pb2.FUNCTION_KIND_RUN_EVALUATOR),
    }
    none = await stubs.workers.ListWorkers(worker_service_pb2.ListWorkersRequest(function="nobody"))
    assert list(none.workers) == []
    crew.open()
    await watch(stubs, experiment_id)
