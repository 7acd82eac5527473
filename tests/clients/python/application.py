"""An application under test in a thread of its own: a task and an evaluator, and a task that waits to be let go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BOOM = "boom"
WAIT_SECONDS = 60.0


class Application:
    """Where it listens, what it received, and the gate of `/gated`."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.inputs: list[Any] = []
        self.gate = threading.Event()

    @property
    def task(self) -> str:
        """Answers with the input as the output; fails for the input "boom"."""
        return f"{self.origin}/task"

    @property
    def gated(self) -> str:
        """Does the same once the gate is open; an input that starts with "now" need not wait."""
        return f"{self.origin}/gated"

    @property
    def evaluate(self) -> str:
        """Scores whether the output is the expected one."""
        return f"{self.origin}/evaluate"


@contextmanager
def application() -> Iterator[Application]:
    """Serves an application until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/evaluate":
                self.reply(200, {"value": request["output"] == request["expected_output"]})
                return
            running.inputs.append(request["input"])
            if self.path == "/gated" and not str(request["input"]).startswith("now"):
                running.gate.wait(WAIT_SECONDS)
            if request["input"] == BOOM:
                self.reply(404, {"error": "no such thing"})
            else:
                self.reply(200, {"output": request["input"]})

        def reply(self, status: int, body: object) -> None:
            payload = json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
            except ConnectionError:
                self.close_connection = True  # the server was killed, or the item cancelled

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a connection that the other side dropped

    with Server(("127.0.0.1", 0), Handler) as server:
        running = Application(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield running
        finally:
            running.gate.set()
            server.shutdown()
            thread.join()
