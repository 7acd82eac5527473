"""The `evalrpc-server` command."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence

import uvloop
from pydantic import ValidationError

from evalrpc_server.addresses import ListenError
from evalrpc_server.app import App
from evalrpc_server.check import check, report
from evalrpc_server.config import Settings, parse, settings_from
from evalrpc_server.definitions.directory import DefinitionsError
from evalrpc_server.findings import Verdict
from evalrpc_server.health import check_health
from evalrpc_server.langfuse.projects import ProjectsError
from evalrpc_server.logs import LogFormat, Logs
from evalrpc_server.outbound.sealing import SealingError
from evalrpc_server.outbound.secrets import SecretError, Secrets
from evalrpc_server.store.port import StoreError
from evalrpc_server.telemetry.providers import TelemetryError
from evalrpc_server.tokens import TokensError, make_token

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0 for success, 1 for failure, 2 for bad usage."""
    arguments = parse(argv)
    if arguments.command == "token":
        print(_token(arguments.name))
        return 0
    try:
        settings = settings_from(arguments)
    except ValidationError as error:
        for problem in error.errors():
            place = f"{_flag(problem['loc'])}: " if problem["loc"] else ""
            _complain(f"{place}{problem['msg'].removeprefix('Value error, ')}")
        return EXIT_USAGE
    if arguments.command == "health":
        serving, answer = check_health(arguments.address or settings.listen)
        print(answer)
        return 0 if serving else EXIT_FAILED
    secrets = Secrets(directory=settings.secrets_dir)
    if arguments.command == "check":
        findings = uvloop.run(check(settings, secrets))
        print(report(findings, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
        return EXIT_FAILED if any(finding.verdict is Verdict.WRONG for finding in findings) else 0
    level, form = settings.log_level.upper(), LogFormat(settings.log_format)
    with Logs(level=level, form=form, redactor=secrets.redact):
        return uvloop.run(_serve(settings, secrets))


async def _serve(settings: Settings, secrets: Secrets) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    app = App(settings, secrets)
    try:
        await app.start()
    except (
        StoreError,
        ProjectsError,
        ListenError,
        TelemetryError,
        TokensError,
        SealingError,
        SecretError,
        DefinitionsError,
        OSError,
    ) as error:
        _complain(str(error))
        return EXIT_FAILED
    http = f" http={app.http_address}" if app.http_address else ""
    # In one piece: where both outputs end in one file, a line of the log may come at any time.
    sys.stdout.write(f"evalrpc-server ready: grpc={app.grpc_address}{http}\n")
    sys.stdout.flush()
    _spare_the_collector()
    await stop.wait()
    await app.drain()
    return 0


def _spare_the_collector() -> None:
    """Takes what start-up made, which stays for good, out of the collector's rounds, and makes these rarer.

    Results are freed by reference counts. With the defaults, the collector took a sixth of the CPU of a busy server.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _token(name: str) -> str:
    token, digest = make_token()
    return f"token for the caller: {token}\nentry for the file of tokens:\n  - name: {name}\n    sha256: {digest}"


def _flag(location: Sequence[str | int]) -> str:
    name = str(location[0])
    return f"--{name.replace('_', '-')} (EVALRPC_{name.upper()})"


def _complain(sentence: str) -> None:
    print(f"evalrpc-server: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
