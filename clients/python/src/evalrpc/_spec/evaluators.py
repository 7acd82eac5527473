"""What an evaluator can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evalrpc._spec.parsing import Seconds, duration, parsed, struct
from evalrpc.v1 import evaluator_pb2

EvaluatorLike = evaluator_pb2.EvaluatorSpec | Mapping[str, Any] | Callable[..., Any]
"""An evaluator: what the functions here return, any of the contract's in its JSON form, or a function of the user's.

A function is called with keyword arguments; see `Worker`. It runs in this process, for as long as the run goes.
"""


def builtin(
    evaluator: str,
    /,
    *,
    name: str | None = None,
    timeout: Seconds | None = None,
    max_concurrency: int | None = None,
    **params: Any,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns one of the server's own evaluators, as `list_builtin_evaluators()` lists them.

    Args:
        evaluator: the evaluator, such as "contains".
        name: of its evaluations; the evaluator's own name by default.
        timeout: of one call, in seconds.
        max_concurrency: how many calls may be in flight at once.
        **params: its parameters, such as `ignore_case=True`.
    """
    spec = evaluator_pb2.EvaluatorSpec(builtin=evaluator_pb2.BuiltinEvaluator(name=evaluator))
    if params:
        spec.builtin.params.CopyFrom(struct(params, "builtin.params"))
    return with_options(spec, name, timeout, max_concurrency)


def http_evaluator(
    url: str,
    *,
    name: str,
    headers: Mapping[str, str] | None = None,
    timeout: Seconds | None = None,
    max_concurrency: int | None = None,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns an evaluator behind an HTTP endpoint of the caller's.

    Args:
        url: http:// or https://.
        name: of its evaluations, unless it names them itself.
        headers: of every call; values may hold secrets of the server by reference, `${secret:NAME}`.
        timeout: of one call, in seconds.
        max_concurrency: how many calls may be in flight at once.
    """
    spec = evaluator_pb2.EvaluatorSpec(http=evaluator_pb2.HttpEvaluator(url=url, headers=dict(headers or {})))
    return with_options(spec, name, timeout, max_concurrency)


def grpc_evaluator(
    target: str,
    *,
    name: str,
    evaluator: str = "",
    tls: bool = False,
    metadata: Mapping[str, str] | None = None,
    timeout: Seconds | None = None,
    max_concurrency: int | None = None,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns an evaluator behind a gRPC endpoint of the caller's that implements `EvaluationService`.

    Args:
        target: `host:port`.
        name: of its evaluations, unless it names them itself.
        evaluator: the name passed to the service, which may host several; `name` by default.
        tls: whether to use TLS.
        metadata: of every call; values may hold secrets of the server by reference, `${secret:NAME}`.
        timeout: of one call, in seconds.
        max_concurrency: how many calls may be in flight at once.
    """
    kind = evaluator_pb2.GrpcEvaluator(
        target=target, tls=tls, metadata=dict(metadata or {}), evaluator=evaluator
    )
    return with_options(evaluator_pb2.EvaluatorSpec(grpc=kind), name, timeout, max_concurrency)


def expression(
    source: str,
    *,
    name: str,
    timeout: Seconds | None = None,
    max_concurrency: int | None = None,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns an evaluator that is a CEL expression.

    Args:
        source: over input, output, expected_output, metadata, contexts, usage and latency, such as
            "output.contains(expected_output) && latency < 2.0".
        name: of its evaluations.
        timeout: of one call, in seconds.
        max_concurrency: how many calls may be in flight at once.
    """
    kind = evaluator_pb2.ExpressionEvaluator(expression=source)
    return with_options(evaluator_pb2.EvaluatorSpec(expression=kind), name, timeout, max_concurrency)


def worker_evaluator(
    function: str,
    *,
    name: str | None = None,
    timeout: Seconds | None = None,
    max_concurrency: int | None = None,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns an evaluator function that a connected `Worker` hosts.

    Args:
        function: its name.
        name: of its evaluations, unless it names them itself; the function's name by default.
        timeout: of one call, in seconds.
        max_concurrency: how many calls may be in flight at once.
    """
    kind = evaluator_pb2.WorkerEvaluator(function=function)
    return with_options(evaluator_pb2.EvaluatorSpec(worker=kind), name or function, timeout, max_concurrency)


def registered(evaluator: str, *, name: str | None = None) -> evaluator_pb2.EvaluatorSpec:
    """Returns a registered evaluator.

    Args:
        evaluator: "accuracy" for its latest version, "accuracy@3" for that one.
        name: of its evaluations; the registered name by default.
    """
    return with_options(evaluator_pb2.EvaluatorSpec(registered=evaluator), name, None, None)


def evaluator_message(evaluator: EvaluatorLike, path: str) -> evaluator_pb2.EvaluatorSpec:
    """Returns an evaluator as the contract's message.

    Raises:
        InvalidRequestError: a mapping does not have the contract's form.
        TypeError: it is nothing that an evaluator can be.
    """
    if not isinstance(evaluator, evaluator_pb2.EvaluatorSpec | Mapping):
        if callable(evaluator):
            raise TypeError(
                f"{path} can be a function only in run(), which lasts as long as the experiment; elsewhere give "
                "worker_evaluator() for a function that a Worker hosts"
            )
        raise TypeError(
            f"{path} must be a function or what builtin(), judge(), expression(), http_evaluator(), grpc_evaluator(), "
            f"worker_evaluator() or registered() returns, not a {type(evaluator).__name__}"
        )
    return parsed(evaluator, evaluator_pb2.EvaluatorSpec(), path)


def with_options(
    spec: evaluator_pb2.EvaluatorSpec,
    name: str | None,
    timeout: Seconds | None,
    max_concurrency: int | None,
) -> evaluator_pb2.EvaluatorSpec:
    """Returns the evaluator with what every kind may be given."""
    if name is not None:
        spec.name = name
    if timeout is not None:
        spec.timeout.CopyFrom(duration(timeout))
    if max_concurrency is not None:
        spec.max_concurrency = max_concurrency
    return spec
