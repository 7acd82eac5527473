"""The kinds of task and what serves them: the one place to add a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from evalrpc_server.domain.spec.tasks import TaskSpec
from evalrpc_server.outbound.outbound import Outbound
from evalrpc_server.targets.dify import DifyTarget
from evalrpc_server.targets.grpc import GrpcTarget
from evalrpc_server.targets.http import HttpTarget
from evalrpc_server.targets.openai import OpenAiTarget
from evalrpc_server.targets.port import Target
from evalrpc_server.targets.ragflow import RagflowTarget
from evalrpc_server.targets.worker import WorkerTarget
from evalrpc_server.workers.hub import Workers


class TargetResources(Struct, frozen=True, kw_only=True):
    """What targets are made with.

    Attributes:
        outbound: the way to endpoints.
        workers: the connected workers.
    """

    outbound: Outbound
    workers: Workers


TargetFactory = Callable[[TaskSpec, TargetResources], Target]
"""Makes the target of a task whose kind it serves."""


def _http(spec: TaskSpec, resources: TargetResources) -> Target:
    assert spec.http is not None
    return HttpTarget(spec.http, resources.outbound)


def _grpc(spec: TaskSpec, resources: TargetResources) -> Target:
    assert spec.grpc is not None
    return GrpcTarget(spec.grpc, resources.outbound)


def _openai(spec: TaskSpec, resources: TargetResources) -> Target:
    assert spec.openai is not None
    return OpenAiTarget(spec.openai, resources.outbound)


def _dify(spec: TaskSpec, resources: TargetResources) -> Target:
    assert spec.dify is not None
    return DifyTarget(spec.dify, resources.outbound)


def _ragflow(spec: TaskSpec, resources: TargetResources) -> Target:
    assert spec.ragflow is not None
    return RagflowTarget(spec.ragflow, resources.outbound)


def _worker(spec: TaskSpec, resources: TargetResources) -> Target:
    assert spec.worker is not None
    return WorkerTarget(spec.worker, resources.workers)


TARGETS: Mapping[str, TargetFactory] = {
    "http": _http,
    "grpc": _grpc,
    "openai": _openai,
    "dify": _dify,
    "ragflow": _ragflow,
    "worker": _worker,
}
"""Kinds by their name in the spec."""


def open_target(spec: TaskSpec, resources: TargetResources) -> Target:
    """Makes the target that serves a task; the caller closes it."""
    return TARGETS[spec.kind](spec, resources)
