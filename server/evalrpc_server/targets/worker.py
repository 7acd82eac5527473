"""A task function that a connected worker hosts."""

from __future__ import annotations

from evalrpc_server.domain.errors import Error
from evalrpc_server.domain.reasons import Reason
from evalrpc_server.domain.spec.tasks import WorkerTask
from evalrpc_server.outbound.tracing import baggage
from evalrpc_server.targets.port import TaskAnswer, TaskCall, TaskError
from evalrpc_server.workers.functions import FunctionKind, FunctionRef
from evalrpc_server.workers.hub import Workers
from evalrpc_server.workers.work import Answered, Failed, TaskWork, Work, WorkerLostError, WorkTooLargeError


class WorkerTarget:
    """Has workers call the function. One that is lost with a call fails this attempt, and others take the next."""

    def __init__(self, spec: WorkerTask, workers: Workers) -> None:
        self._function = FunctionRef(spec.function, FunctionKind.TASK)
        self._include_expected_output = spec.include_expected_output
        self._workers = workers

    async def call(self, call: TaskCall) -> TaskAnswer:
        """Runs the task once, when a worker has room for it.

        Raises:
            TaskError: the task gave no usable output.
        """
        work = Work(
            function=self._function,
            payload=TaskWork(call, self._include_expected_output),
            experiment_id=call.experiment.id,
            unit=call.trace_id,
            timeout=call.timeout,
            attempt=call.attempt,
            trace_context={
                "traceparent": call.traceparent,
                "baggage": baggage(call.experiment, call.item.id),
            },
        )
        try:
            outcome = await self._workers.call(work)
        except WorkerLostError:
            raise TaskError(self._lost(call.attempt), backoff=False) from None
        except WorkTooLargeError as problem:
            raise TaskError(_too_large(problem)) from None
        match outcome:
            case Answered(answer):
                return answer
            case Failed(error):
                raise TaskError(error)
        raise AssertionError("a task function gives no evaluations")

    async def aclose(self) -> None:
        """Does nothing: the workers belong to all experiments."""

    def _lost(self, attempts: int) -> Error:
        return Error(
            reason=Reason.WORKER_LOST,
            message=f"The worker that ran {self._function.name!r} went away, or was silent for longer than its lease.",
            metadata={"function": self._function.name, "attempts": str(attempts)},
            retryable=True,
        )


def _too_large(error: WorkTooLargeError) -> Error:
    return Error(
        reason=Reason.PAYLOAD_TOO_LARGE,
        message=f"The item takes {error.size_bytes} bytes as a message; the limit is {error.limit_bytes} bytes.",
        metadata={"limit_bytes": str(error.limit_bytes), "size_bytes": str(error.size_bytes)},
    )
