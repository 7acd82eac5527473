"""The real server as a process, and what a caller needs to talk to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from evalrpc.v1 import (
    dataset_service_pb2_grpc,
    evaluator_service_pb2_grpc,
    experiment_service_pb2_grpc,
    worker_service_pb2_grpc,
)
from tests.processes import Program, running

READY = r"^evalrpc-server ready: grpc=(\S+)(?: http=(\S+))?$"


@dataclass(frozen=True)
class Server:
    """A running server: its process and the addresses that it printed."""

    program: Program
    grpc: str
    http: str


@contextmanager
def serving(data_dir: Path, *flags: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Runs `evalrpc-server serve` on free ports until the block ends."""
    command: list[str | Path] = [sys.executable, "-m", "evalrpc_server", "serve", "--data-dir", data_dir]
    command += ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", *flags]
    with running(command, env=env) as program:
        ready = program.wait_for(READY, timeout=60)
        yield Server(program, ready[1], ready[2] or "")


class Stubs:
    """The services over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.experiments = experiment_service_pb2_grpc.ExperimentServiceStub(channel)
        self.evaluators = evaluator_service_pb2_grpc.EvaluatorServiceStub(channel)
        self.datasets = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self.workers = worker_service_pb2_grpc.WorkerServiceStub(channel)
