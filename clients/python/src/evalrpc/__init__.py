"""Client for evalrpc, an experiment runner as a gRPC service.

from evalrpc import Client, builtin

with Client("localhost:50051") as client:
result = client.run(
name="Geography Quiz",
data=[{"input": "What is the capital of France?", "expected_output": "Paris"}],
task="http://127.0.0.1:9000/task",
evaluators=[builtin("contains", ignore_case=True, name="accuracy")],
).result()
print(result.format())
"""

from __future__ import annotations

from evalrpc._aio.client import AsyncClient
from evalrpc._aio.langfuse_style import AsyncLoadedDataset
from evalrpc._aio.run import AsyncRun
from evalrpc._autoevals import create_evaluator_from_autoevals
from evalrpc._connection import Tls
from evalrpc._documents import RawJson
from evalrpc._errors import (
    AlreadyExistsError,
    DeadlineExceededError,
    EvalrpcError,
    FailedPreconditionError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    NotImplementedByServerError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    ServerUnreachableError,
    UnauthenticatedError,
    UnavailableError,
    Violation,
    WatchInterruptedError,
)
from evalrpc._model.calibration import Calibration
from evalrpc._model.comparison import (
    Comparison,
    EvaluationComparison,
    ExperimentPlan,
    Flip,
    LangfuseRun,
    Plans,
    Variances,
    Verdict,
)
from evalrpc._model.datasets import (
    Dataset,
    DatasetItem,
    DatasetItemLink,
    Score,
    ScoreDelivery,
    ScoreReceipt,
)
from evalrpc._model.definitions import Definition
from evalrpc._model.evaluation import Error, Evaluation, Usage, Value
from evalrpc._model.evaluators import BuiltinEvaluator, RegisteredEvaluator, Upload
from evalrpc._model.event import Event, EventKind
from evalrpc._model.experiment import (
    EndpointLimit,
    EvaluationSummary,
    Experiment,
    ExperimentState,
    GateResult,
    LangfuseStatus,
    Origin,
    Progress,
    Spending,
)
from evalrpc._model.item_result import Context, Item, ItemResult
from evalrpc._model.result import ExperimentResult
from evalrpc._model.workers import FunctionInfo, FunctionKind, WorkerInfo, WorkerState
from evalrpc._regression import RegressionError, RunnerContext
from evalrpc._spec.data import Data, ItemLike, LangfuseDataset
from evalrpc._spec.evaluators import (
    EvaluatorLike,
    builtin,
    expression,
    grpc_evaluator,
    http_evaluator,
    registered,
    worker_evaluator,
)
from evalrpc._spec.experiment import ExperimentFields, RetryPolicy, SpecLike
from evalrpc._spec.judges import JudgeModelLike, LabelledOutput, judge
from evalrpc._spec.tasks import GrpcTask, HttpTask, TaskLike, WorkerTask
from evalrpc._sync.client import Client
from evalrpc._sync.default import get_client
from evalrpc._sync.langfuse_style import LoadedDataset
from evalrpc._sync.run import Run
from evalrpc._version import __version__
from evalrpc._worker.answers import RetryableError, TaskOutput
from evalrpc._worker.arguments import ExperimentInfo, TaskItem
from evalrpc._worker.calls import WorkerStatus
from evalrpc._worker.tracing import trace_context
from evalrpc._worker.worker import Worker

__all__ = [
    "AlreadyExistsError",
    "AsyncClient",
    "AsyncLoadedDataset",
    "AsyncRun",
    "BuiltinEvaluator",
    "Calibration",
    "Client",
    "Comparison",
    "Context",
    "Data",
    "Dataset",
    "DatasetItem",
    "DatasetItemLink",
    "DeadlineExceededError",
    "Definition",
    "EndpointLimit",
    "Error",
    "EvalrpcError",
    "Evaluation",
    "EvaluationComparison",
    "EvaluationSummary",
    "EvaluatorLike",
    "Event",
    "EventKind",
    "Experiment",
    "ExperimentFields",
    "ExperimentInfo",
    "ExperimentPlan",
    "ExperimentResult",
    "ExperimentState",
    "FailedPreconditionError",
    "Flip",
    "FunctionInfo",
    "FunctionKind",
    "GateResult",
    "GrpcTask",
    "HttpTask",
    "InternalError",
    "InvalidRequestError",
    "Item",
    "ItemLike",
    "ItemResult",
    "JudgeModelLike",
    "LabelledOutput",
    "LangfuseDataset",
    "LangfuseRun",
    "LangfuseStatus",
    "LoadedDataset",
    "NotFoundError",
    "NotImplementedByServerError",
    "Origin",
    "OutOfRangeError",
    "PermissionDeniedError",
    "Plans",
    "Progress",
    "RawJson",
    "RegisteredEvaluator",
    "RegressionError",
    "ResourceExhaustedError",
    "RetryPolicy",
    "RetryableError",
    "Run",
    "RunnerContext",
    "Score",
    "ScoreDelivery",
    "ScoreReceipt",
    "ServerUnreachableError",
    "SpecLike",
    "Spending",
    "TaskItem",
    "TaskLike",
    "TaskOutput",
    "Tls",
    "UnauthenticatedError",
    "UnavailableError",
    "Upload",
    "Usage",
    "Value",
    "Variances",
    "Verdict",
    "Violation",
    "WatchInterruptedError",
    "Worker",
    "WorkerInfo",
    "WorkerState",
    "WorkerStatus",
    "WorkerTask",
    "__version__",
    "builtin",
    "create_evaluator_from_autoevals",
    "expression",
    "get_client",
    "grpc_evaluator",
    "http_evaluator",
    "judge",
    "registered",
    "trace_context",
    "worker_evaluator",
]
