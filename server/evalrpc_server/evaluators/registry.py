"""The kinds of evaluator and what serves them: the one place to add one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from evalrpc_server.domain.spec.evaluators import EvaluatorSpec
from evalrpc_server.evaluators.builtin.evaluator import (
    BuiltinItemEvaluator,
    BuiltinRunEvaluator,
    open_calling,
)
from evalrpc_server.evaluators.builtin.panel import BuiltinPanel
from evalrpc_server.evaluators.executor import ExecutorBatcher
from evalrpc_server.evaluators.expression.evaluator import ExpressionEvaluator
from evalrpc_server.evaluators.grpc import GrpcEvaluator
from evalrpc_server.evaluators.http import HttpEvaluator
from evalrpc_server.evaluators.judge.evaluator import JudgeEvaluator
from evalrpc_server.evaluators.port import Evaluator, RunEvaluator
from evalrpc_server.evaluators.worker import WorkerEvaluator
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.store.port import ExperimentStore
from evalrpc_server.workers.hub import Workers


class EvaluatorResources(Struct, frozen=True, kw_only=True):
    """What evaluators are made with.

    Attributes:
        outbound: the way to endpoints.
        batcher: where CPU-bound evaluators run.
        sandbox: where expressions run, which nothing but the end of a process can interrupt.
        store: the results of earlier experiments, to compare with.
        workers: the connected workers.
    """

    outbound: Outbound
    batcher: ExecutorBatcher
    sandbox: ExecutorBatcher
    store: ExperimentStore
    workers: Workers


EvaluatorFactory = Callable[[EvaluatorSpec, EvaluatorResources], Evaluator]
"""Makes the item-level evaluator of a spec whose kind it serves."""

RunEvaluatorFactory = Callable[[EvaluatorSpec, EvaluatorResources], RunEvaluator]
"""Makes the run-level evaluator of a spec whose kind it serves."""


def _builtin(spec: EvaluatorSpec, resources: EvaluatorResources) -> Evaluator:
    assert spec.builtin is not None
    calling = open_calling(spec.builtin, spec.evaluation_name, resources.outbound)
    return calling or BuiltinItemEvaluator(spec.builtin, spec.evaluation_name, resources.batcher)


def _run_builtin(spec: EvaluatorSpec, _: EvaluatorResources) -> RunEvaluator:
    assert spec.builtin is not None
    return BuiltinRunEvaluator(spec.builtin, spec.evaluation_name)


def _http(spec: EvaluatorSpec, resources: EvaluatorResources) -> HttpEvaluator:
    assert spec.http is not None
    return HttpEvaluator(spec.http, spec.evaluation_name, resources.outbound)


def _grpc(spec: EvaluatorSpec, resources: EvaluatorResources) -> GrpcEvaluator:
    assert spec.grpc is not None
    return GrpcEvaluator(spec.grpc, spec.evaluation_name, resources.outbound)


def _judge(spec: EvaluatorSpec, resources: EvaluatorResources) -> Evaluator:
    assert spec.judge is not None
    return JudgeEvaluator(spec.judge, spec.evaluation_name, resources.outbound, resources.store)


def _expression(spec: EvaluatorSpec, resources: EvaluatorResources) -> Evaluator:
    assert spec.expression is not None
    return ExpressionEvaluator(spec.expression, spec.evaluation_name, resources.sandbox)


def _worker(spec: EvaluatorSpec, resources: EvaluatorResources) -> WorkerEvaluator:
    assert spec.worker is not None
    return WorkerEvaluator(spec.worker, spec.evaluation_name, resources.workers)


EVALUATORS: Mapping[str, EvaluatorFactory] = {
    "builtin": _builtin,
    "http": _http,
    "grpc": _grpc,
    "judge": _judge,
    "expression": _expression,
    "worker": _worker,
}
"""Item-level kinds by their name in the spec."""

RUN_EVALUATORS: Mapping[str, RunEvaluatorFactory] = {
    "builtin": _run_builtin,
    "http": _http,
    "grpc": _grpc,
    "worker": _worker,
}
"""Run-level kinds by their name in the spec."""


def open_evaluator(spec: EvaluatorSpec, resources: EvaluatorResources) -> Evaluator:
    """Makes an item-level evaluator; the caller closes it. A registered one is looked up before."""
    return EVALUATORS[spec.kind](spec, resources)


def ask_together(evaluators: Sequence[Evaluator], resources: EvaluatorResources) -> Evaluator | None:
    """Makes one item-level evaluator of some that need nothing but this server; None where one of them needs more.

    It answers with one evaluation of each.
    """
    builtins = [each for each in evaluators if isinstance(each, BuiltinItemEvaluator) and each.usable]
    if len(builtins) < len(evaluators):
        return None
    return BuiltinPanel(builtins, resources.batcher)


def open_run_evaluator(spec: EvaluatorSpec, resources: EvaluatorResources) -> RunEvaluator:
    """Makes a run-level evaluator; the caller closes it. A registered one is looked up before."""
    return RUN_EVALUATORS[spec.kind](spec, resources)
