"""The worker's side of the stream: connects, again and again, and does what the server asks."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from evalrpc._connection import Connection
from evalrpc._convert.item_results import item_result_from_message
from evalrpc._convert.values import to_seconds
from evalrpc._errors import error_from_call
from evalrpc._jitter import JITTER
from evalrpc._version import __version__
from evalrpc._worker.answers import error_report, evaluator_report, task_report, too_large_report
from evalrpc._worker.arguments import evaluator_arguments, run_evaluator_arguments, task_arguments
from evalrpc._worker.calls import Call, Ledger
from evalrpc._worker.execution import DaemonThreads, Execution, Starts
from evalrpc._worker.functions import HostedFunction, Kind
from evalrpc._worker.outbox import BATCHES, Outbox
from evalrpc.v1 import worker_messages_pb2, worker_service_pb2, worker_service_pb2_grpc

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("evalrpc.worker")

_LARGE_BYTES = 256 * 1024  # above it, a report would hold up the stream
_REPORT_SECONDS = 600.0
_ACK_SECONDS = (
    5.0  # the server has the reports already; without an acknowledgement it is only not sure to keep them
)
_LONGEST_PAUSE = 2.0
_FATAL = frozenset({"INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"})


class Host:
    """Serves one set of functions under one worker id, over one stream after another.

    Args:
        connection: how to connect.
        functions: what is hosted, by name.
        worker_id: under which the server knows the worker across streams.
        max_in_flight: how many calls it takes at once.
        loop: where coroutines run.
    """

    def __init__(
        self,
        connection: Connection,
        functions: Mapping[str, HostedFunction],
        *,
        worker_id: str,
        max_in_flight: int,
        loop: Callable[[], asyncio.AbstractEventLoop],
    ) -> None:
        self.ledger = Ledger()
        self.connected = threading.Event()
        self.ended = threading.Event()
        self.error: Exception | None = None
        self.connections = 0
        self._connection = connection
        self._functions = functions
        self._worker_id = worker_id
        self._max_in_flight = max_in_flight
        self._loop = loop
        self._threads = DaemonThreads(max_in_flight)
        self._starts = Starts(loop)
        self._stream: Any = None
        self._outbox: Outbox | None = None
        self._draining = False
        self._grace = 0.0
        self._stopped = threading.Event()
        self._heartbeat_interval = 5.0
        self._max_report_bytes = 4 * 1024 * 1024
        self._failures = 0
        self._unsent: queue.SimpleQueue[worker_messages_pb2.TaskReport] = queue.SimpleQueue()

    @property
    def draining(self) -> bool:
        """Whether nothing new is taken."""
        return self._draining

    def run(self) -> None:
        """Serves until it is stopped or drained, or the server will have none of it. To be called in a thread."""
        connection = self._connection
        if connection.credentials is None:
            channel = grpc.insecure_channel(connection.address, connection.options)
        else:
            channel = grpc.secure_channel(connection.address, connection.credentials, connection.options)
        try:
            with channel:
                self._stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
                while not self._stopped.is_set():
                    self._connect()
        except Exception as error:  # noqa: BLE001  it is raised where the worker's end is awaited
            self.error = error
        finally:
            self._stopped.set()
            self._threads.close()
            self.ended.set()
            self.ledger.wake()

    def wait_until_connected(self, timeout: float | None) -> bool:
        """Waits until the server has welcomed the worker; returns whether it did so in time.

        Raises:
            EvalrpcError: the server refuses the worker.
        """
        with self.ledger.changed:
            self.ledger.changed.wait_for(lambda: self.connected.is_set() or self.ended.is_set(), timeout)
        if self.error is not None:
            raise self.error
        return self.connected.is_set()

    def stop(self) -> None:
        """Ends the stream at once; the server gives what is in flight to others when its lease has run out."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.cancel()
        for token in self.ledger.tokens():
            self._drop(token)

    def drain(self, grace: float) -> None:
        """Takes nothing new, finishes what is in flight within `grace` seconds, and ends the stream.

        What is not finished by then goes to other workers at once.
        """
        deadline = time.monotonic() + grace
        self._grace, self._draining = grace, True
        if outbox := self._outbox:
            outbox.put(_drain(grace))
        ledger = self.ledger
        with ledger.changed:
            ledger.changed.wait_for(lambda: not ledger.at_work or self.ended.is_set(), grace)
            left = min(_ACK_SECONDS, max(0.0, deadline - time.monotonic()))
            ledger.changed.wait_for(lambda: not ledger.unacknowledged or self.ended.is_set(), left)
        self._stopped.set()
        if outbox := self._outbox:
            outbox.put(worker_service_pb2.ServeRequest(goodbye=worker_messages_pb2.Goodbye(reason="drained")))
            outbox.close()

    # ------------------------------------------------------------------------------------------- streams

    def _connect(self) -> None:
        """Serves over one stream; after its end, waits before the next."""
        pause = 0.0
        try:
            self._serve()
        except grpc.RpcError as error:
            failure = error_from_call(error, self._connection.address)
            if self._stopped.is_set():
                return
            if failure.code in _FATAL:
                self.error = failure
                self._stopped.set()
                return
            pause = failure.retry_after or 0.0
            logger.warning("the stream broke off: %s", failure)
        self._failures += 1
        longest = min(_LONGEST_PAUSE, 0.1 * 2 ** min(self._failures, 10))
        self._stopped.wait(pause + JITTER.uniform(0, longest))

    def _serve(self) -> None:
        outbox = Outbox(self._hello(), group=max(1, self._max_in_flight // 4))
        stream = self._stub.Serve(outbox, metadata=self._connection.metadata)
        self._stream = stream
        try:
            for message in stream:
                for each in message.batch.responses if message.HasField("batch") else (message,):
                    self._take(each, outbox)
                self._starts.flush()
        finally:
            self.connected.clear()
            self._outbox = self._stream = None
            outbox.close()
            stream.cancel()

    def _hello(self) -> worker_messages_pb2.Hello:
        return worker_messages_pb2.Hello(
            worker_id=self._worker_id,
            functions=[function.to_message() for function in self._functions.values()],
            max_in_flight=self._max_in_flight,
            client_name="evalrpc-python",
            client_version=__version__,
            capabilities=[BATCHES],
        )

    def _take(self, message: worker_service_pb2.ServeResponse, outbox: Outbox) -> None:
        match message.WhichOneof("message"):
            case "assignment":
                self._begin(message.assignment, outbox)
            case "ack":
                self.ledger.confirm(message.ack.task_token)
            case "item_results":
                self._take_chunk(message.item_results, outbox)
            case "heartbeat_ack":
                for token in message.heartbeat_ack.lost_task_tokens:
                    self._drop(token)
            case "cancel":
                self._drop(message.cancel.task_token)
            case "welcome":
                self._settle_in(message.welcome, outbox)
            case "drain":
                logger.info("the server is shutting down")
            case "goodbye":
                logger.info("the server ends the stream: %s", message.goodbye.reason)

    def _settle_in(self, welcome: worker_messages_pb2.Welcome, outbox: Outbox) -> None:
        self._heartbeat_interval = to_seconds(welcome.heartbeat_interval) or self._heartbeat_interval
        self._max_report_bytes = welcome.max_report_bytes or self._max_report_bytes
        outbox.batches = BATCHES in welcome.capabilities
        self._failures = 0
        self._outbox = outbox
        outbox.put(self._heartbeat())
        for report in self.ledger.reports():
            self._send(report, outbox)
        if self._draining:
            outbox.put(_drain(self._grace))
        elif (free := self._max_in_flight - self.ledger.busy) > 0:
            outbox.grant(free)
        if not self.connections:
            threading.Thread(target=self._beat, name="evalrpc heartbeat", daemon=True).start()
        self.connections += 1
        self.connected.set()
        self.ledger.wake()
        logger.info("connected to %s as %s", self._connection.address, self._worker_id)

    def _beat(self) -> None:
        while not self._stopped.wait(self._heartbeat_interval):
            if outbox := self._outbox:
                outbox.put(self._heartbeat())
                for _ in range(self._unsent.qsize()):
                    self._send(self._unsent.get(), outbox)

    def _heartbeat(self) -> worker_service_pb2.ServeRequest:
        return worker_service_pb2.ServeRequest(
            heartbeat=worker_messages_pb2.Heartbeat(task_tokens=self.ledger.tokens())
        )

    # --------------------------------------------------------------------------------------------- calls

    def _begin(self, assignment: worker_messages_pb2.Assignment, outbox: Outbox) -> None:
        function = self._functions.get(assignment.function)
        if self._draining or function is None:
            report = worker_messages_pb2.TaskReport(
                task_token=assignment.task_token,
                handback=worker_messages_pb2.Handback(reason="draining" if function else "not hosted here"),
            )
            outbox.put(worker_service_pb2.ServeRequest(report=report))
            return
        call = Call(assignment, function)
        self.ledger.enter(call)
        if function.kind is not Kind.RUN_EVALUATOR:
            self._execute(call)

    def _execute(self, call: Call) -> None:
        execution = call.execution = Execution(self._loop, partial(self._finish, call))
        trace = call.assignment.trace_context
        arguments = partial(_ARGUMENTS[call.function.kind], call)
        if call.function.asynchronous:
            execution.begin(call.function, arguments, trace, self._starts)
        else:
            self._threads.submit(partial(execution.call, call.function, arguments, trace))

    def _take_chunk(self, chunk: worker_messages_pb2.ItemResultChunk, outbox: Outbox) -> None:
        call = self.ledger.get(chunk.task_token)
        if call is None:
            return
        if chunk.number == call.chunks + 1:
            call.chunks += 1
            call.results.extend(item_result_from_message(result) for result in chunk.item_results)
        ack = worker_messages_pb2.ChunkAck(task_token=chunk.task_token, number=chunk.number)
        outbox.put(worker_service_pb2.ServeRequest(chunk_ack=ack))
        if chunk.last and call.execution is None:
            self._execute(call)

    def _drop(self, token: str) -> None:
        call = self.ledger.drop(token)
        if call is None:
            return
        if call.execution is not None:
            call.execution.cancel()
        else:
            self._finish(call, None, None)

    def _finish(self, call: Call, answer: Any, error: BaseException | None) -> None:
        """Reports what a function returned or raised."""
        report = self._report(call, answer, error)
        wanted = self.ledger.finish(call, report)
        if outbox := self._outbox:
            if wanted:
                self._send(report, outbox)
            if not self._draining:
                outbox.grant(1)

    def _report(self, call: Call, answer: Any, error: BaseException | None) -> worker_messages_pb2.TaskReport:
        of_task = call.function.kind is Kind.TASK
        if call.dropped:
            return worker_messages_pb2.TaskReport()
        if error is not None:
            return error_report(call.token, error, of_task=of_task)
        try:
            report = (task_report if of_task else evaluator_report)(call.token, answer)
        except Exception as problem:  # noqa: BLE001  an answer that cannot be sent is a failure of the function
            return error_report(call.token, problem, of_task=of_task)
        if (size := report.ByteSize()) > self._max_report_bytes:
            return too_large_report(call.token, size, self._max_report_bytes)
        return report

    def _send(self, report: worker_messages_pb2.TaskReport, outbox: Outbox) -> None:
        """Sends a report over the stream, or beside it where it would hold others up."""
        if report.ByteSize() <= _LARGE_BYTES:
            outbox.put(worker_service_pb2.ServeRequest(report=report))
            return
        request = worker_service_pb2.ReportTaskRequest(report=report)
        future = self._stub.ReportTask.future(
            request, timeout=_REPORT_SECONDS, metadata=self._connection.metadata
        )
        future.add_done_callback(partial(self._confirm_large, report))

    def _confirm_large(self, report: worker_messages_pb2.TaskReport, future: Any) -> None:
        """Forgets a report that was taken in, or that nobody knows; sends it again later after another failure."""
        if future.cancelled():
            return
        error = future.exception()
        if error is None or error.code() is grpc.StatusCode.NOT_FOUND:
            self.ledger.confirm(report.task_token)
        else:
            logger.warning("a report could not be sent: %s", error.details())
            self._unsent.put(report)


def _drain(grace: float) -> worker_service_pb2.ServeRequest:
    drain = worker_messages_pb2.Drain()
    drain.grace.FromMilliseconds(round(grace * 1000))
    return worker_service_pb2.ServeRequest(drain=drain)


def _task(call: Call) -> dict[str, Any]:
    return task_arguments(call.assignment)


def _evaluator(call: Call) -> dict[str, Any]:
    return evaluator_arguments(call.assignment)


def _run_evaluator(call: Call) -> dict[str, Any]:
    return run_evaluator_arguments(call.assignment, call.results)


_ARGUMENTS: Mapping[Kind, Callable[[Call], dict[str, Any]]] = {
    Kind.TASK: _task,
    Kind.EVALUATOR: _evaluator,
    Kind.RUN_EVALUATOR: _run_evaluator,
}
