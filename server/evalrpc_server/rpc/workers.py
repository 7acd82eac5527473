"""The servicer of `evalrpc.v1.WorkerService`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

from evalrpc.v1 import worker_messages_pb2, worker_service_pb2, worker_service_pb2_grpc
from evalrpc_server.domain.errors import InvalidRequestError, RequestError, Violation
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.rpc.context import Context
from evalrpc_server.rpc.paging import page_cursor, page_limit, page_token
from evalrpc_server.rpc.worker_link import BATCHES, StreamLink
from evalrpc_server.rpc.worker_messages import (
    introduction_from_message,
    outcome_from_message,
    welcome_message,
    worker_to_message,
)
from evalrpc_server.workers.hub import Workers
from evalrpc_server.workers.roster import Session

_PATH = "report"


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    """Connects workers to the hub: reads their streams, and writes what the hub has for them."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def Serve(
        self, request_iterator: AsyncIterator[worker_service_pb2.ServeRequest], context: Context
    ) -> AsyncIterator[worker_service_pb2.ServeResponse]:
        """Serves one worker until either side ends the stream."""
        hello = await self._hello(request_iterator)
        shared = [BATCHES] if BATCHES in hello.capabilities else []
        link = StreamLink(batches=bool(shared))
        link.put(welcome_message(self._workers.lease, self._workers.heartbeat_interval, shared))
        session = self._workers.connect(introduction_from_message(hello), link)
        reading = asyncio.create_task(self._read(request_iterator, session, link))
        try:
            while (response := await link.next()) is not None:
                yield response
        finally:
            self._workers.disconnect(session)
            reading.cancel()
            await asyncio.wait([reading])

    async def ReportTask(
        self, request: worker_service_pb2.ReportTaskRequest, context: Context
    ) -> worker_service_pb2.ReportTaskResponse:
        """Takes a report in and returns once it is stored."""
        token = request.report.task_token
        if not token:
            raise InvalidRequestError([Violation("report.task_token", "is required: that of the assignment")])
        if request.report.WhichOneof("outcome") is None:
            raise InvalidRequestError(
                [Violation(_PATH, "must set exactly one of task, evaluations, error, handback")]
            )
        settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def acknowledge(token: str, *, ignored: bool) -> None:  # noqa: ARG001  there is only one
            if not settled.done():
                settled.set_result(ignored)

        self._workers.report(token, partial(outcome_from_message, request.report), acknowledge)
        ack = worker_messages_pb2.TaskAck(task_token=token, ignored=await settled)
        return worker_service_pb2.ReportTaskResponse(ack=ack)

    async def ListWorkers(
        self, request: worker_service_pb2.ListWorkersRequest, context: Context
    ) -> worker_service_pb2.ListWorkersResponse:
        """Returns a page of workers, by id."""
        limit = page_limit(request.page_size, default=50, maximum=500)
        arguments = ("workers", request.function)
        after = page_cursor(request.page_token, *arguments)
        found = self._workers.list_workers(after=after, limit=limit + 1, function=request.function)
        response = worker_service_pb2.ListWorkersResponse()
        last, size = "", 0
        for worker in found[:limit]:
            message = worker_to_message(worker)
            size += message.ByteSize()
            if response.workers and size > _PAGE_BYTES:
                break
            response.workers.append(message)
            last = worker.id
        if len(response.workers) < len(found):
            response.next_page_token = page_token(last, *arguments)
        return response

    async def _hello(
        self, requests: AsyncIterator[worker_service_pb2.ServeRequest]
    ) -> worker_messages_pb2.Hello:
        try:
            async with asyncio.timeout(self._workers.lease):
                first = await anext(requests, None)
        except TimeoutError:
            raise RequestError(
                Reason.WORKER_UNRESPONSIVE,
                f"no Hello within {self._workers.lease:g} s",
                lease_seconds=f"{self._workers.lease:g}",
            ) from None
        received = first.WhichOneof("message") or "nothing" if first else "nothing"
        if first is None or received != "hello":
            raise RequestError(
                Reason.HELLO_EXPECTED,
                f"the first message must be a Hello, not {received}",
                received=received,
            )
        return first.hello

    async def _read(
        self,
        requests: AsyncIterator[worker_service_pb2.ServeRequest],
        session: Session,
        link: StreamLink,
    ) -> None:
        """Passes on what the worker sends, until its side of the stream ends."""
        try:
            async for request in requests:
                for each in request.batch.requests if request.HasField("batch") else (request,):
                    if take := _TAKERS.get(each.WhichOneof("message") or ""):
                        take(self._workers, session, each)
                await link.room()
            self._workers.disconnect(session)
        except Exception as error:  # noqa: BLE001  it is raised where the stream is written
            link.fail(error)
        finally:
            link.close()


def _take_report(workers: Workers, session: Session, request: worker_service_pb2.ServeRequest) -> None:
    report = request.report
    workers.report_over(session, report.task_token, partial(outcome_from_message, report))


def _take_credit(workers: Workers, session: Session, request: worker_service_pb2.ServeRequest) -> None:
    if request.credit.count < 1:
        raise InvalidRequestError([Violation("credit.count", "must be at least 1")])
    workers.grant(session, request.credit.count)


def _take_heartbeat(workers: Workers, session: Session, request: worker_service_pb2.ServeRequest) -> None:
    workers.heartbeat(session, request.heartbeat.task_tokens)


def _take_chunk_ack(workers: Workers, session: Session, request: worker_service_pb2.ServeRequest) -> None:
    workers.take_chunk(session, request.chunk_ack.task_token, request.chunk_ack.number)


def _take_drain(workers: Workers, session: Session, _request: worker_service_pb2.ServeRequest) -> None:
    workers.suspend(session)


def _take_goodbye(workers: Workers, session: Session, _request: worker_service_pb2.ServeRequest) -> None:
    workers.disconnect(session, for_good=True)


def _take_hello(_workers: Workers, session: Session, _request: worker_service_pb2.ServeRequest) -> None:
    raise RequestError(
        Reason.HELLO_REPEATED,
        "a stream has one Hello; to introduce other functions, connect anew",
        worker_id=session.worker.id,
    )


_TAKERS: dict[str, Callable[[Workers, Session, worker_service_pb2.ServeRequest], None]] = {
    "report": _take_report,
    "credit": _take_credit,
    "heartbeat": _take_heartbeat,
    "chunk_ack": _take_chunk_ack,
    "drain": _take_drain,
    "goodbye": _take_goodbye,
    "hello": _take_hello,
}
"""What is done with each kind of message; kinds that are not known are passed over."""

_PAGE_BYTES = 3 * 1024 * 1024
