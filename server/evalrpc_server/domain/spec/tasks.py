"""What a task can be. One model per kind; a new kind is a new model here and a new target that serves it."""

from __future__ import annotations

from evalrpc_server.domain.spec.fields import GrpcAddress, Headers, Name, OneOfModel, SpecModel
from evalrpc_server.domain.spec.http_task import HttpTask
from evalrpc_server.domain.spec.llm_tasks import DifyTask, OpenAiTask, RagflowTask


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
    openai: OpenAiTask | None = None
    dify: DifyTask | None = None
    ragflow: RagflowTask | None = None
    worker: WorkerTask | None = None
