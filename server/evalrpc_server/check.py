"""The check: what a server with this configuration would find, and what is wrong with it. It changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from evalrpc_server import __version__
from evalrpc_server.addresses import ListenError
from evalrpc_server.app import outbound_settings, rpc_settings
from evalrpc_server.check_security import check_security
from evalrpc_server.config import Settings
from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.domain.langfuse import LinkMode
from evalrpc_server.findings import Finding, Verdict
from evalrpc_server.langfuse.api import ApiError
from evalrpc_server.langfuse.connections import Connection, Connections
from evalrpc_server.langfuse.projects import LinkSetting, Projects, ProjectsError, load_projects
from evalrpc_server.langfuse.server import Generation, ServerInfo
from evalrpc_server.outbound.client import HttpClient
from evalrpc_server.outbound.secrets import Secrets
from evalrpc_server.rpc.auth import check_exposure
from evalrpc_server.rpc.tls import server_credentials
from evalrpc_server.store.inspection import inspect_store
from evalrpc_server.store.port import StoreError
from evalrpc_server.telemetry.providers import Telemetry, TelemetryError
from evalrpc_server.tokens import Tokens, TokensError

LANGFUSE_SECONDS = 15.0
"""How long a project has to answer."""

_LITTLE_ROOM = 1024**3
_SKEW_SECONDS = 60.0
_IN_STEP_SECONDS = 5.0  # less than what anything here depends on; the Date header counts in seconds
_GENERATIONS = {
    Generation.LEGACY: "before version 4",
    Generation.DUAL: "dual mode",
    Generation.EVENTS_ONLY: "events_only mode",
}


async def check(settings: Settings, secrets: Secrets) -> list[Finding]:
    """Looks at the configuration, the store, what protects it, and each Langfuse project."""
    async with AsyncExitStack() as closing:
        findings = [finding async for finding in _configuration(settings, secrets)]
        findings.append(await _store(settings))
        findings += await check_security(settings, secrets)
        try:
            projects = load_projects(os.environ, settings.langfuse_projects, secrets)
        except ProjectsError as error:
            return [*findings, Finding("langfuse", Verdict.WRONG, str(error))]
        if not projects:
            hint = "set LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL to record experiments"
            return [*findings, Finding("langfuse", Verdict.NONE, "no project is configured", hint)]
        try:
            client = HttpClient(outbound_settings(settings), secrets)
        except OSError:
            return findings  # the configuration's line tells
        closing.push_async_callback(client.aclose)
        return findings + await _projects(projects, client, secrets)


def report(findings: Sequence[Finding], *, colour: bool = False) -> str:
    """Returns the findings as lines for a person."""
    width = max(len(finding.subject) for finding in findings)
    lines = [f"evalrpc-server {__version__}"]
    for finding in findings:
        verdict = _painted(finding.verdict, colour=colour)
        lines.append(f"{finding.subject:<{width}}  {verdict}  {finding.text}")
        if finding.hint:
            lines.append(f"{'':<{width}}         {finding.hint}")
    wrong = sum(finding.verdict is Verdict.WRONG for finding in findings)
    lines.append(f"{wrong} of these must be mended" if wrong else "all is well")
    return "\n".join(lines)


_COLOURS = {Verdict.OK: 32, Verdict.NONE: 33, Verdict.WRONG: 31}


def _painted(verdict: Verdict, *, colour: bool) -> str:
    text = f"{verdict.value:<5}"
    return f"\x1b[{_COLOURS[verdict]}m{text}\x1b[0m" if colour else text


async def _configuration(settings: Settings, secrets: Secrets) -> AsyncIterator[Finding]:
    """Yields one line for a configuration that can be followed, or one for each thing wrong with it."""
    problems = list(_unreadable(settings))
    if not problems:
        problems = [secrets.redact(problem) async for problem in _unusable(settings)]
    for problem in problems:
        yield Finding("configuration", Verdict.WRONG, problem)
    if not problems:
        yield Finding("configuration", Verdict.OK, _serving(settings))


def _unreadable(settings: Settings) -> Iterator[str]:
    """Yields what is wrong with the files that the configuration names."""
    for name, path in settings:
        if not isinstance(path, Path) or name == "data_dir":
            continue
        flag = f"--{name.replace('_', '-')}"
        if name in {"secrets_dir", "definitions"}:
            if not path.is_dir():
                yield f"{flag}: {path} is no directory"
            continue
        try:
            path.read_bytes()
        except OSError as error:
            yield f"{flag}: {path} cannot be read: {error.strerror}"


async def _unusable(settings: Settings) -> AsyncIterator[str]:
    """Yields what else would keep a server from starting."""
    served = rpc_settings(settings)
    telemetry: list[Telemetry] = []
    steps: Sequence[tuple[str, Callable[[], object]]] = (
        ("", lambda: Tokens(settings.tokens) if settings.tokens else None),
        ("", lambda: check_exposure(served, tokens=bool(settings.tokens), insecure=settings.insecure)),
        ("--tls-certificate, --tls-key: ", lambda: server_credentials(served.tls) if served.tls else None),
        ("--ca-file, --client-certificate: ", lambda: outbound_settings(settings).ssl_context()),
        ("", lambda: telemetry.append(Telemetry())),
    )
    for place, step in steps:
        try:
            step()
        except (TokensError, ListenError, TelemetryError, OSError) as error:
            yield f"{place}{error}"
    for each in telemetry:
        await each.aclose()


def _serving(settings: Settings) -> str:
    guards = [
        "TLS" if settings.tls_certificate else "no TLS",
        "client certificates" if settings.tls_client_authorities else "",
        "tokens" if settings.tokens else "",
    ]
    http = f"HTTP on {settings.http_listen}" if settings.http_listen else "no HTTP"
    return f"gRPC on {settings.listen} ({', '.join(filter(None, guards))}), {http}"


async def _store(settings: Settings) -> Finding:
    try:
        found = await asyncio.to_thread(inspect_store, settings.store or settings.data_dir)
    except StoreError as error:
        hint = (
            "check --store and the database" if settings.store else "check --data-dir and who may write there"
        )
        return Finding("store", Verdict.WRONG, str(error), hint)
    survey = found.survey
    text = f"{survey.kind} at {survey.place}"
    if not survey.exists:
        text += ", to be made at the first start"
    elif found.schema > found.newest_schema:
        text += f", schema {found.schema}, and this release knows {found.newest_schema}"
        return Finding("store", Verdict.WRONG, text, "use the release that wrote it, or a newer one")
    elif found.schema < found.newest_schema:
        text += f", schema {found.schema}, to be brought to {found.newest_schema} at the next start"
    else:
        text += f", schema {found.schema}"
    if survey.in_use:
        text += ", in use by a running server"
    if survey.free_bytes is not None:
        text += f", {survey.free_bytes / 1024**3:.1f} GiB free"
        if survey.free_bytes < _LITTLE_ROOM:
            return Finding("store", Verdict.WRONG, text, "make room, or move --data-dir to a larger disk")
    return Finding("store", Verdict.OK, text)


async def _projects(projects: Projects, client: HttpClient, secrets: Secrets) -> list[Finding]:
    connections = Connections(projects, client, secrets, SystemClock())
    return list(await asyncio.gather(*map(_project, connections)))


async def _project(connection: Connection) -> Finding:
    project = connection.project
    subject = f"langfuse {project.name}"
    try:
        async with asyncio.timeout(LANGFUSE_SECONDS):
            info = await connection.server.info()
            version = await connection.server.version()
    except TimeoutError:
        problem = f"Langfuse ({project.base_url}) did not answer within {LANGFUSE_SECONDS:g} s"
        return Finding(subject, Verdict.WRONG, problem, "check the base URL and the network")
    except ApiError as error:
        place = f"({project.base_url}) " if error.status else ""
        hint = "" if error.status else "check the base URL and the network"
        return Finding(subject, Verdict.WRONG, f"Langfuse {place}{error.message}", hint)
    mode = info.link_mode(project.link_mode)
    linked = "attributes" if mode is LinkMode.ATTRIBUTES else "run items"
    told = f" {version}" if version else ""
    text = (
        f"{info.project_name!r} at {project.base_url}, Langfuse{told} ({_GENERATIONS[info.generation]}), "
        f"links by {linked} ({project.link_mode.value}), {_clock(info)}"
    )
    hint = _mismatch(project.link_mode, info)
    return Finding(subject, Verdict.WRONG if hint else Verdict.OK, text, hint)


def _clock(info: ServerInfo) -> str:
    skew = info.clock_skew
    if skew is None:
        return "clock not told"
    if abs(skew) <= _IN_STEP_SECONDS:
        return "clock in step"
    return f"clock {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"


def _mismatch(setting: LinkSetting, info: ServerInfo) -> str:
    """Returns what would be lost with this server as it is; empty for nothing."""
    if info.clock_skew is not None and abs(info.clock_skew) > _SKEW_SECONDS:
        return (
            "set the clocks of both machines by NTP; Langfuse looks for scores near the time of their traces"
        )
    if setting is LinkSetting.V4 and info.generation is Generation.LEGACY:
        return "this server shows runs only by run items; set link_mode to auto"
    if setting is LinkSetting.LEGACY and info.generation is Generation.EVENTS_ONLY:
        return "this server keeps no run items; set link_mode to auto"
    return ""
