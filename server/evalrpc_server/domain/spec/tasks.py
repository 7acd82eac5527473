"""What a task can be. One model per kind; a new kind is a new model here and a new target that serves it."""

from __future__ import annotations

from evalrpc_server.domain.spec.fields import GrpcAddress, Headers, HttpUrl, Name, OneOfModel, SpecModel


class HttpTask(SpecModel):
    """An HTTP endpoint that takes an item by POST and answers with its output."""

    url: HttpUrl
    headers: Headers
    include_expected_output: bool = False
    http2: bool = False


class GrpcTask(SpecModel):
    """A gRPC endpoint that implements `evalrpc.v1.TaskService`."""

    target: GrpcAddress
    tls: bool = False
    metadata: Headers
    include_expected_output: bool = False


class WorkerTask(SpecModel):
    """A task function that a connected worker hosts."""

    function: Name
    include_expected_output: bool = False


class TaskSpec(OneOfModel):
    """The application under test; exactly one kind."""

    http: HttpTask | None = None
    grpc: GrpcTask | None = None
    worker: WorkerTask | None = None
