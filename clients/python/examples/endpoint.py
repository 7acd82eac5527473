"""A task and an evaluator behind HTTP, which the server calls; secrets, retries, trials."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from evalrpc import Client, HttpTask, RetryPolicy, http_evaluator


class Application(BaseHTTPRequestHandler):
    """Answers POST /task and POST /evaluate, as any web framework would."""

    def do_POST(self) -> None:
        """Answers one call."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/task":
            answer = {"output": asked["input"].upper(), "usage": {"input_tokens": 3}}
        else:
            answer = {"value": asked["output"] == asked["expected_output"], "comment": "letter by letter"}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the library gives it
        """Says nothing."""


application = ThreadingHTTPServer(("127.0.0.1", 0), Application)
threading.Thread(target=application.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{application.server_port}"

with Client() as client:
    result = client.run_experiment(
        name="Endpoint",
        data=[{"input": "paris", "expected_output": "PARIS"}],
        task=HttpTask(url=f"{url}/task", headers={"X-Model": "small"}),
        evaluators=[http_evaluator(f"{url}/evaluate", name="right", timeout=5)],
        task_timeout=10,
        retry=RetryPolicy(max_attempts=5, max_backoff=2),
        repetitions=2,
    )
application.shutdown()
application.server_close()
for each in result.item_results:
    usage = each.usage.input_tokens if each.usage else None
    print(f"trial {each.trial}: {each.output}, {each.evaluations[0].value}, {usage} tokens")
