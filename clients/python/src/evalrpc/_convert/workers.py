"""Reads workers as the server lists them."""

from __future__ import annotations

from evalrpc._convert.values import to_datetime
from evalrpc._model.workers import FunctionInfo, FunctionKind, WorkerInfo, WorkerState
from evalrpc.v1 import worker_pb2

_KINDS = {worker_pb2.FunctionKind.Value(f"FUNCTION_KIND_{kind}"): kind for kind in FunctionKind}
_STATES = {worker_pb2.WorkerState.Value(f"WORKER_STATE_{state}"): state for state in WorkerState}


def worker_from_message(message: worker_pb2.Worker) -> WorkerInfo:
    """Reads a worker."""
    return WorkerInfo(
        id=message.id,
        functions=tuple(_function(each) for each in message.functions),
        state=_STATES.get(message.state),
        max_in_flight=message.max_in_flight,
        in_flight=message.in_flight,
        completed=message.completed,
        failed=message.failed,
        lost=message.lost,
        client_name=message.client_name or None,
        client_version=message.client_version or None,
        connect_time=to_datetime(message.connect_time) if message.HasField("connect_time") else None,
        last_heartbeat_time=to_datetime(message.last_heartbeat_time)
        if message.HasField("last_heartbeat_time")
        else None,
    )


def _function(message: worker_pb2.HostedFunction) -> FunctionInfo:
    return FunctionInfo(message.name, _KINDS.get(message.kind), message.description or None)
