"""Tasks per second through one worker, beside a bare bidirectional echo in the same run; and what idle workers cost.

Run with `python -m tests.benchmark.workers`. The task does nothing, in a worker of each language; 64 are in flight. The bare
echo is a grpc.aio client and a grpc.aio server in processes of their own, both on uvloop, which send messages of an
assignment's size back and forth. The rows are interleaved; a figure is the median of `--rounds` rounds. The server's figure is
from the experiment's start to its end by the server's own clock, with no watcher: items read, task, result committed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import uvloop

from evalrpc import AsyncClient, Worker, WorkerTask
from evalrpc.v1 import worker_messages_pb2, worker_pb2, worker_service_pb2, worker_service_pb2_grpc
from tests.benchmark.runners.evalrpc import evalrpc_server
from tests.benchmark.table import print_table
from tests.conformance.languages import LANGUAGES, launch
from tests.processes import ROOT, Program, running

IN_FLIGHT = 64
ECHO_BYTES = 350  # what an assignment with a small item takes
MODULE = "tests.benchmark.workers"
ECHO = "bare grpc.aio echo"
PLAIN = "plain"
IDLE_SECONDS = 10.0


# --------------------------------------------------------------------------------------- processes of their own


async def serve_echo() -> None:
    """Serves the bare echo, and prints its port."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])

    async def echo(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    handler = grpc.method_handlers_generic_handler(
        "Echo", {"Echo": grpc.stream_stream_rpc_method_handler(echo)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on {port}", flush=True)
    await server.wait_for_termination()


def host_plain(address: str) -> None:
    """Hosts a plain function that does nothing, which a thread calls."""
    worker = Worker(address, max_in_flight=IN_FLIGHT)

    @worker.task(name=PLAIN)
    def plain(*, item: Any) -> None:
        return None

    worker.run()


async def idle(address: str, count: int) -> None:
    """Holds so many workers that have nothing to do, over channels of their own, and prints when all are welcome."""

    async def hold(number: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(address, options) as channel:
            call = worker_service_pb2_grpc.WorkerServiceStub(channel).Serve()
            function = worker_pb2.HostedFunction(name="idle", kind=worker_pb2.FUNCTION_KIND_TASK)
            hello = worker_messages_pb2.Hello(
                worker_id=f"idle-{number}", functions=[function], max_in_flight=8
            )
            await call.write(worker_service_pb2.ServeRequest(hello=hello))
            answer = await call.read()
            assert isinstance(answer, worker_service_pb2.ServeResponse)
            interval = answer.welcome.heartbeat_interval
            await call.write(worker_service_pb2.ServeRequest(credit=worker_messages_pb2.Credit(count=8)))
            welcome.release()
            while True:
                await asyncio.sleep(interval.seconds + interval.nanos / 1e9)
                await call.write(worker_service_pb2.ServeRequest(heartbeat=worker_messages_pb2.Heartbeat()))
                await call.read()

    welcome = asyncio.Semaphore(0)
    holders = [asyncio.create_task(hold(number)) for number in range(count)]
    for _ in range(count):
        await welcome.acquire()
    print("all are welcome", flush=True)
    await asyncio.gather(*holders)


@contextmanager
def process(*arguments: str) -> Iterator[Program]:
    """Runs a part of this module as a process."""
    with running([sys.executable, "-m", MODULE, *arguments], cwd=ROOT) as program:
        yield program


# -------------------------------------------------------------------------------------------------- figures


async def echoes_per_second(port: str, count: int) -> float:
    """Sends messages through the bare echo, 64 in flight, and returns how many came back per second."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.stream_stream("/Echo/Echo")()
        room = asyncio.Semaphore(IN_FLIGHT)

        async def send() -> None:
            for _ in range(count):
                await room.acquire()
                await call.write(b"x" * ECHO_BYTES)
            await call.done_writing()

        begin = time.perf_counter()
        sending = asyncio.create_task(send())
        async for _ in call:
            room.release()
        await sending
        return count / (time.perf_counter() - begin)


async def tasks_per_second(address: str, pid: int, function: str, count: int) -> tuple[float, float]:
    """Runs an experiment and returns its tasks per second, and the server's CPU milliseconds per task."""
    server = psutil.Process(pid)
    async with AsyncClient(address) as client:
        upload = await client.upload({"input": {"index": number}} for number in range(count))
        before = sum(server.cpu_times()[:2])
        experiment = await client.start(
            name="workers", data=upload, task=WorkerTask(function=function), max_concurrency=IN_FLIGHT
        )
        while (experiment := await client.get(experiment.id)).end_time is None:  # noqa: ASYNC110  watched from afar
            await asyncio.sleep(0.1)
        cpu = sum(server.cpu_times()[:2]) - before
    assert experiment.progress.completed == count, experiment
    assert experiment.progress.failed == 0, experiment
    assert experiment.start_time is not None
    assert experiment.end_time is not None
    return count / (experiment.end_time - experiment.start_time).total_seconds(), cpu * 1000 / count


async def speed(rounds: int, count: int, languages: Collection[str]) -> None:
    """Prints the table of tasks per second."""
    figures: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(evalrpc_server(directory))
        echo = stack.enter_context(process("echo")).wait_for(r"listening on (\d+)")[1]
        rows: dict[str, str] = {}
        told = json.dumps({"address": server.address})
        for language in LANGUAGES:
            if language.name in languages:
                arguments = ["--host", language.name, str(directory)]
                stack.enter_context(launch(language, language.command(directory), told, arguments))
                rows[f"evalrpc, {language.title} worker"] = f"nothing-{language.name}"
        if "python" in languages:
            stack.enter_context(process("host", server.address))
            rows["evalrpc, Python worker, plain function"] = PLAIN
        for _ in range(rounds):
            figures.setdefault(ECHO, []).append(await echoes_per_second(echo, count))
            for name, function in rows.items():
                rate, per_task = await tasks_per_second(server.address, server.pid, function, count)
                figures.setdefault(name, []).append(rate)
                cpu.setdefault(name, []).append(per_task)
    bare = statistics.median(figures[ECHO])
    lines = []
    for name, rates in figures.items():
        middle = statistics.median(rates)
        used = f"{statistics.median(cpu[name]):.2f}" if name in cpu else ""
        lines.append(
            [name, f"{middle:,.0f}", f"{min(rates):,.0f}-{max(rates):,.0f}", f"{middle / bare:.2f}", used]
        )
    print_table(["64 in flight", "per second", "range", "of the echo", "server CPU ms"], lines)


async def idleness(count: int) -> None:
    """Prints what idle workers cost the server."""
    with tempfile.TemporaryDirectory() as directory, evalrpc_server(Path(directory)) as server:
        watched = psutil.Process(server.pid)
        before = watched.memory_info().rss
        with process("idle", server.address, str(count)) as program:
            program.wait_for("all are welcome", timeout=120)
            begin, cpu = time.monotonic(), sum(watched.cpu_times()[:2])
            await asyncio.sleep(IDLE_SECONDS)
            share = (sum(watched.cpu_times()[:2]) - cpu) / (time.monotonic() - begin)
            memory = watched.memory_info().rss - before
    head = [f"{count:,} idle workers", "MiB", "KiB per worker", "CPU of one core"]
    print_table(head, [["server", f"{memory / 2**20:.1f}", f"{memory / count / 2**10:.1f}", f"{share:.1%}"]])


def main() -> None:
    """Prints the tables, or is one of the processes."""
    match sys.argv[1:]:
        case ["echo"]:
            uvloop.run(serve_echo())
        case ["host", address]:
            host_plain(address)
        case ["idle", address, count]:
            uvloop.run(idle(address, int(count)))
        case _:
            parser = argparse.ArgumentParser(description=__doc__)
            parser.add_argument("--rounds", type=int, default=3)
            parser.add_argument("--tasks", type=int, default=5000)
            parser.add_argument("--idle", type=int, default=1000)
            names = [language.name for language in LANGUAGES]
            parser.add_argument("--language", action="append", choices=names, help="default: all")
            arguments = parser.parse_args()
            uvloop.run(speed(arguments.rounds, arguments.tasks, arguments.language or names))
            if arguments.idle:
                uvloop.run(idleness(arguments.idle))


if __name__ == "__main__":
    main()
