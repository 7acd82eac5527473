"""A gRPC server that does as it is told, for what the real one does only when things go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from evalrpc.v1 import event_pb2, experiment_pb2, experiment_service_pb2_grpc
from evalrpc.v1 import experiment_service_pb2 as service

ID = "exp_scripted"

Step = event_pb2.ExperimentEvent | Callable[[grpc.ServicerContext], None]
"""What a stream does next: send an event, or something else, such as `cut`."""


class Scripted(experiment_service_pb2_grpc.ExperimentServiceServicer):
    """Answers each stream with the next of its scripts, and remembers the requests."""

    def __init__(self) -> None:
        self.address = ""
        self.scripts: list[list[Step]] = []
        self.runs: list[service.RunExperimentRequest] = []
        self.watches: list[service.WatchExperimentRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.answers: list[Callable[[grpc.ServicerContext], None]] = []

    def RunExperiment(  # noqa: N802 - the RPC's name
        self, request: service.RunExperimentRequest, context: grpc.ServicerContext
    ) -> Iterator[service.RunExperimentResponse]:
        self.runs.append(request)
        for event in self._played(context):
            yield service.RunExperimentResponse(event=event)

    def WatchExperiment(  # noqa: N802 - the RPC's name
        self, request: service.WatchExperimentRequest, context: grpc.ServicerContext
    ) -> Iterator[service.WatchExperimentResponse]:
        self.watches.append(request)
        for event in self._played(context):
            yield service.WatchExperimentResponse(event=event)

    def GetExperiment(  # noqa: N802 - the RPC's name
        self, request: service.GetExperimentRequest, context: grpc.ServicerContext
    ) -> service.GetExperimentResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        if self.answers:
            self.answers.pop(0)(context)
        return service.GetExperimentResponse(experiment=experiment_pb2.Experiment(id=request.id))

    def _played(self, context: grpc.ServicerContext) -> Iterator[event_pb2.ExperimentEvent]:
        self.metadata.append(dict(context.invocation_metadata()))
        for step in self.scripts.pop(0):
            if callable(step):
                step(context)
            else:
                yield step


@contextmanager
def scripted(credentials: grpc.ServerCredentials | None = None) -> Iterator[Scripted]:
    """Serves until the block ends."""
    servicer = Scripted()  # the other RPCs are answered with UNIMPLEMENTED
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(servicer, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    servicer.address = f"localhost:{port}" if credentials else f"127.0.0.1:{port}"
    server.start()
    try:
        yield servicer
    finally:
        server.stop(0).wait()


def state(sequence: int, name: str) -> event_pb2.ExperimentEvent:
    """Returns an event that tells a state, such as "RUNNING"."""
    number = experiment_pb2.ExperimentState.Value(f"EXPERIMENT_STATE_{name}")
    return event_pb2.ExperimentEvent(
        sequence=sequence, experiment=experiment_pb2.Experiment(id=ID, state=number, last_sequence=sequence)
    )


def result(sequence: int, index: int) -> event_pb2.ExperimentEvent:
    """Returns an event with the result of the item at a place."""
    event = event_pb2.ExperimentEvent(sequence=sequence)
    event.item_result.item.index = index
    event.item_result.output.text = str(index)
    return event


def checkpoint(sequence: int, *, draining: bool = False) -> event_pb2.ExperimentEvent:
    """Returns a checkpoint."""
    return event_pb2.ExperimentEvent(sequence=sequence, checkpoint=event_pb2.Checkpoint(draining=draining))


def of_unknown_kind(sequence: int) -> event_pb2.ExperimentEvent:
    """Returns an event whose kind a later version of the contract may add: field 100, a message."""
    known = event_pb2.ExperimentEvent(sequence=sequence).SerializeToString()
    return event_pb2.ExperimentEvent.FromString(known + b"\xa2\x06\x02\x08\x01")


def cut(code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> Callable[[grpc.ServicerContext], None]:
    """Breaks the stream off as a connection or a proxy does, without a reason."""

    def abort(context: grpc.ServicerContext) -> None:
        context.abort(code, "cut")

    return abort


def refuse(
    code: grpc.StatusCode, reason: str, *, retry_after: float | None = None, **metadata: str
) -> Callable[[grpc.ServicerContext], None]:
    """Fails a call as an evalrpc server does."""
    details: list[Message] = [ErrorInfo(reason=reason, domain="evalrpc.dev", metadata=metadata)]
    if retry_after is not None:
        info = RetryInfo()
        info.retry_delay.FromNanoseconds(round(retry_after * 1e9))
        details.append(info)
    status = Status(code=Code.Value(code.name), message=f"refused: {reason}")
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)

    def abort(context: grpc.ServicerContext) -> None:
        trailers = (("grpc-status-details-bin", status.SerializeToString()),)
        context.set_trailing_metadata(cast(Any, trailers))
        context.abort(code, status.message)

    return abort
