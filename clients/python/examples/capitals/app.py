"""The application under test: an HTTP service that answers "What is the capital of X?" from the package countryinfo.

`POST /task` is the task, `POST /evaluate` an evaluator that a project would write for itself: do both sides
name the same place, whatever the accents, the case and the punctuation?
"""

from __future__ import annotations

import argparse
import json
import re
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from countryinfo import CountryInfo, CountryNotFoundError

QUESTION = re.compile(r"What is the capital of (?P<country>.+)\?")
PUNCTUATION = re.compile(r"[\W_]+")


class UnanswerableError(Exception):
    """The question is understood, and there is no answer to it."""


def answer(question: str) -> str:
    """Returns the capital asked for; raises `UnanswerableError` if the question or the country is unknown."""
    match = QUESTION.fullmatch(question)
    if match is None:
        raise UnanswerableError(f"The question must read 'What is the capital of X?', not {question!r}.")
    country = match["country"]
    try:
        # Typed as a string, yet a list for the Vatican and nothing for Macao.
        capital = cast(str | list[str] | None, CountryInfo(country).capital())
    except CountryNotFoundError:
        raise UnanswerableError(f"countryinfo knows no country named {country}.") from None
    if not capital:
        raise UnanswerableError(f"countryinfo gives no capital for {country}.")
    return capital if isinstance(capital, str) else ", ".join(capital)


def plain(name: str) -> str:
    """Returns a place's name without accents, case and punctuation: `El-Aaiun` and `El Aaiún` are one."""
    letters = unicodedata.normalize("NFKD", name)
    return PUNCTUATION.sub("", "".join(c for c in letters if not unicodedata.combining(c))).casefold()


def same_place(output: object, expected: object) -> dict[str, object]:
    """Compares two names; returns an evaluation in the form that evalrpc's HTTP evaluators answer with."""
    same = plain(str(output)) == plain(str(expected))
    return {"name": "same_place", "value": same, "comment": "" if same else f"{output} is not {expected}"}


class Handler(BaseHTTPRequestHandler):
    """Answers the two routes with JSON, and everything else with 404."""

    protocol_version = "HTTP/1.1"  # keeps connections open between items
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answers one request."""
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        try:
            match self.path:
                case "/task":
                    self._reply(200, {"output": answer(request["input"])})
                case "/evaluate":
                    self._reply(200, same_place(request["output"], request["expected_output"]))
                case _:
                    self._reply(404, {"error": f"no route {self.path}"})
        except UnanswerableError as error:
            self._reply(404, {"error": str(error)})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Keeps quiet: the demo's terminal belongs to the progress bar."""

    def _reply(self, status: int, body: dict[str, object]) -> None:
        payload = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


class Server(ThreadingHTTPServer):
    """A thread per connection, none of which outlives the process."""

    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serves until the process is told to stop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one (default: 9000)")
    with Server(("127.0.0.1", parser.parse_args().port), Handler) as server:
        print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
