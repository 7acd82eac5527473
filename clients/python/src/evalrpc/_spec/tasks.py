"""What a task can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import ParseDict

from evalrpc._spec.parsing import parsed
from evalrpc.v1 import http_task_pb2, task_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTask:
    """An HTTP endpoint, called once for each trial.

    With `url` and `headers` alone it speaks evalrpc's own shape: POST of {"input", "metadata", "item_id", "trial",
    "experiment"}, answered by the output or by {"output", "contexts", "usage", "metadata"}. The further fields adapt it
    to an endpoint of another shape; they are mappings in the JSON form of the contract's `HttpTask`.

    Attributes:
        url: http:// or https://; a template.
        headers: of every call; values may hold secrets of the server by reference, `${secret:NAME}`.
        method: POST by default.
        include_expected_output: whether the task may see the expected output.
        http2: whether to use HTTP/2 where the endpoint offers it.
        body: the body to send, as a template; evalrpc's own shape if None.
        pre_call: a call to make before each trial's.
        post_call: a call to make after each trial's.
        selectors: where the answer holds what.
        success: a predicate that is true for a good answer.
        event_stream: how to read an answer that is a stream of events.
        polling: how to wait for a result that the call only submits.
        strip: RE2 patterns whose matches are cut out of string outputs.
        retry_timeouts: whether an attempt that timed out is repeated.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = ""
    include_expected_output: bool = False
    http2: bool = False
    body: Any = None
    pre_call: Mapping[str, Any] | None = None
    post_call: Mapping[str, Any] | None = None
    selectors: Mapping[str, str] | None = None
    success: str = ""
    event_stream: Mapping[str, Any] | None = None
    polling: Mapping[str, Any] | None = None
    strip: tuple[str, ...] = ()
    retry_timeouts: bool = False

    def to_message(self) -> task_pb2.Task:
        """Returns the task as the contract's message.

        Raises:
            InvalidRequestError: a mapping does not have the form that the contract asks for.
        """
        http = http_task_pb2.HttpTask(
            url=self.url,
            headers=dict(self.headers),
            method=self.method,
            include_expected_output=self.include_expected_output,
            http2=self.http2,
            success=self.success,
            strip=self.strip,
            retry_timeouts=self.retry_timeouts,
        )
        if self.body is not None:
            ParseDict(self.body, http.body)
        for name in ("pre_call", "post_call", "selectors", "event_stream", "polling"):
            value = getattr(self, name)
            if value is not None:
                parsed(value, getattr(http, name), f"task.http.{name}")
        return task_pb2.Task(http=http)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcTask:
    """A gRPC endpoint that implements `evalrpc.v1.TaskService`.

    Attributes:
        target: `host:port`.
        tls: whether to use TLS.
        metadata: of every call; values may hold secrets of the server by reference, `${secret:NAME}`.
        include_expected_output: whether the task may see the expected output.
    """

    target: str
    tls: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    include_expected_output: bool = False

    def to_message(self) -> task_pb2.Task:
        """Returns the task as the contract's message."""
        return task_pb2.Task(
            grpc=task_pb2.GrpcTask(
                target=self.target,
                tls=self.tls,
                metadata=dict(self.metadata),
                include_expected_output=self.include_expected_output,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTask:
    """A task function that a connected `Worker` hosts.

    Attributes:
        function: its name.
        include_expected_output: whether the task may see the expected output.
    """

    function: str
    include_expected_output: bool = False

    def to_message(self) -> task_pb2.Task:
        """Returns the task as the contract's message."""
        return task_pb2.Task(
            worker=task_pb2.WorkerTask(
                function=self.function, include_expected_output=self.include_expected_output
            )
        )


TaskLike = str | HttpTask | GrpcTask | WorkerTask | task_pb2.Task | Mapping[str, Any] | Callable[..., Any]
"""A task: the URL of an HTTP endpoint, one of the classes here, any of the contract's in its JSON form, or a function.

A function is called with the keyword argument `item`; see `Worker`. It runs in this process, for as long as the run goes.
"""


def task_message(task: TaskLike) -> task_pb2.Task:
    """Returns a task as the contract's message.

    Raises:
        InvalidRequestError: a mapping does not have the contract's form.
        TypeError: it is nothing that a task can be.
    """
    if isinstance(task, str):
        task = HttpTask(url=task)
    if isinstance(task, HttpTask | GrpcTask | WorkerTask):
        return task.to_message()
    if callable(task):
        raise TypeError(
            "a function can be the task of run(), which lasts as long as the experiment; elsewhere give a URL, HttpTask, "
            "GrpcTask, or the WorkerTask of a function that a Worker hosts"
        )
    return parsed(task, task_pb2.Task(), "experiment.task")
