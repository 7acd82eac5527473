"""Calls of `WorkerService`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from evalrpc._convert.workers import worker_from_message
from evalrpc._model.workers import WorkerInfo
from evalrpc._sync.channel import ChannelOwner
from evalrpc.v1 import worker_service_pb2, worker_service_pb2_grpc


class WorkerCalls(ChannelOwner):
    """Lists workers; a `Worker` is one."""

    @cached_property
    def _workers(self) -> worker_service_pb2_grpc.WorkerServiceStub:
        return worker_service_pb2_grpc.WorkerServiceStub(self._channel)

    def list_workers(
        self, *, function: str | None = None, page_size: int | None = None
    ) -> Iterator[WorkerInfo]:
        """Yields the workers that are connected, by id.

        Args:
            function: only those that host it.
            page_size: how many to ask for at once.
        """
        request = worker_service_pb2.ListWorkersRequest(function=function or "", page_size=page_size or 0)
        for page in self._pages(self._workers.ListWorkers, request):
            for worker in page.workers:
                yield worker_from_message(worker)
