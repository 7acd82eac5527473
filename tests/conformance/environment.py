"""What features talk to: one real server with a stand-in for Langfuse, another one with TLS and tokens, and wires to cut."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
import yaml

from evalrpc_server.tokens import make_token
from tests.clients.python.scripted import Scripted, checkpoint, of_unknown_kind, result, scripted, state
from tests.clients.python.wire import Wire, wire
from tests.servers import serving
from tests.standins.langfuse.remote import launched

LEASE = 5.0
"""Seconds that a call stays with a silent worker."""

CAPITALS = [
    {"id": "at", "input": "Austria", "expectedOutput": "Vienna", "metadata": {"continent": "Europe"}},
    {"id": "de", "input": "Germany", "expectedOutput": "Berlin", "metadata": {"continent": "Europe"}},
    {"id": "jp", "input": "Japan", "expectedOutput": "Tokyo", "metadata": {"continent": "Asia"}},
]
NUMBERS = [{"id": f"n-{number:03}", "input": {"n": 2**60 + number}} for number in range(120)]


@dataclass(frozen=True)
class Environment:
    """What runs.

    Attributes:
        shared: what every language is told.
        wires: a wire to the server for each language, and where it listens to its commands.
    """

    shared: dict[str, Any]
    wires: dict[str, dict[str, str]]

    def of(self, language: str) -> str:
        """Returns what a language's process is told, as JSON."""
        return json.dumps(self.shared | {"language": language, "wire": self.wires[language]})


@contextmanager
def environment(directory: Path, languages: Sequence[str]) -> Iterator[Environment]:
    """Runs everything until the block ends."""
    with ExitStack() as stack:
        langfuse = stack.enter_context(launched())
        langfuse.load("capitals", CAPITALS)
        langfuse.load("numbers", NUMBERS)
        server = stack.enter_context(
            serving(directory / "data", "--worker-lease", str(LEASE), env=langfuse.environment)
        )
        script = stack.enter_context(scripted())
        _prepare(script, len(languages))
        shared = {
            "address": server.grpc,
            "scripted": script.address,
            "secured": _secured(directory, stack),
        }
        wires = {}
        for language in languages:
            made = stack.enter_context(wire(server.grpc))
            wires[language] = {"address": made.address, "control": stack.enter_context(_control(made))}
        yield Environment(shared, wires)


def _prepare(script: Scripted, watches: int) -> None:
    """Has the scripted server tell of events that the contract does not know, once for each language."""
    events = [state(1, "RUNNING"), of_unknown_kind(2), result(3, 0), checkpoint(3), of_unknown_kind(4)]
    script.scripts = [[*events, state(5, "SUCCEEDED")] for _ in range(watches)]


def _secured(directory: Path, stack: ExitStack) -> dict[str, str]:
    """Starts a server that wants TLS and a token, and returns what a caller needs."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    key, chain = directory / "key.pem", directory / "certificate.pem"
    certificate.private_key_pem.write_to_path(key)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    token, digest = make_token()
    tokens = directory / "tokens.yaml"
    tokens.write_text(yaml.safe_dump({"tokens": [{"name": "conformance", "sha256": digest}]}), "utf-8")
    flags = ["--tls-certificate", chain, "--tls-key", key, "--tokens", tokens]
    server = stack.enter_context(serving(directory / "secured", *map(str, flags)))
    roots, others = directory / "roots.pem", directory / "others.pem"
    authority.cert_pem.write_to_path(roots)
    trustme.CA().cert_pem.write_to_path(others)
    return {"address": server.grpc, "token": token, "roots": str(roots), "other_roots": str(others)}


@contextmanager
def _control(controlled: Wire) -> Iterator[str]:
    """Listens to commands for a wire, POST /cut, /sever and /mend, until the block ends."""

    class Commands(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            {"/cut": controlled.cut, "/sever": controlled.sever, "/mend": controlled.mend}[self.path]()
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Commands)
    thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
