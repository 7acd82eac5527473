"""evalrpc: the real server in a process of its own, and a caller."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmark.runners.base import Runner, Server
from tests.processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def evalrpc_server(directory: Path, langfuse_url: str = "") -> Iterator[Server]:
    """A fresh server with its data in `directory`, syncing to Langfuse if given."""
    settings = {
        "EVALRPC_LISTEN": "127.0.0.1:0",
        "EVALRPC_HTTP_LISTEN": "127.0.0.1:0",
        "EVALRPC_DATA_DIR": str(directory / "data"),
    }
    if langfuse_url:
        settings |= {
            "LANGFUSE_BASE_URL": langfuse_url,
            "LANGFUSE_PUBLIC_KEY": "pk-lf-benchmark",
            "LANGFUSE_SECRET_KEY": "sk-lf-benchmark",
        }
    command: list[str | Path] = [Path(sys.executable).with_name("evalrpc-server"), "serve"]
    with running(command, env=settings) as program:
        address = program.wait_for(r"ready: grpc=(\S+)")[1]
        yield Server(program.process.pid, address)


class Evalrpc(Runner):
    """The server and the Python client's `AsyncClient`."""

    name = "evalrpc"
    spans_per_item = 5
    module = "tests.benchmark.drivers.evalrpc_client"

    @contextmanager
    def server(self, directory: Path, langfuse_url: str) -> Iterator[Server]:
        """The server, fresh for each run."""
        with evalrpc_server(directory, langfuse_url) as server:
            yield server

    def records_to_langfuse(self, *, hosted: bool) -> bool:
        """Only a hosted workload measures the sync; otherwise the server has no Langfuse."""
        return hosted

    def driver(self) -> list[str]:
        """This project's interpreter."""
        return [sys.executable, "-m", self.module]


class EvalrpcLangfuse(Evalrpc):
    """The same with the sync, also where the items come from the caller: shows what the sync costs."""

    name = "evalrpc-langfuse"

    def records_to_langfuse(self, *, hosted: bool) -> bool:
        """Always."""
        return True


class EvalrpcWatchers(Evalrpc):
    """The server and a thousand watchers of its run."""

    name = "evalrpc-watchers"
    module = "tests.benchmark.drivers.evalrpc_watchers"


class EvalrpcStubs(Evalrpc):
    """The server and the generated stubs: shows what the client library costs."""

    name = "evalrpc-stubs"
    module = "tests.benchmark.drivers.evalrpc_stubs"
