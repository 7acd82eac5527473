"""Checks of what the server may call, how it keeps credentials, and which webhooks it takes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from evalrpc_server.app import outbound_policy
from evalrpc_server.config import Settings
from evalrpc_server.definitions import directory
from evalrpc_server.definitions.directory import DefinitionsError
from evalrpc_server.domain.clock import SystemClock
from evalrpc_server.findings import Finding, Verdict
from evalrpc_server.listening import open_definitions, webhook_secret_names
from evalrpc_server.outbound.sealing import FILE_NAME, SealingError, read_keys
from evalrpc_server.outbound.secrets import SecretError, Secrets


async def check_security(settings: Settings, secrets: Secrets) -> list[Finding]:
    """Looks at the outbound policy, the sealing key, webhooks and definitions."""
    return [
        Finding("outbound", Verdict.OK, f"callers may have called: {outbound_policy(settings)}"),
        _sealing(settings),
        _webhooks(settings, secrets),
        *await _definitions(settings),
    ]


def _sealing(settings: Settings) -> Finding:
    path = settings.sealing_key or settings.data_dir / FILE_NAME
    if settings.sealing_key is None and not path.exists():
        hint = ""
        if settings.store:
            hint = (
                "name a file with --sealing-key that every server of this store has, "
                "or it cannot take over their experiments"
            )
        return Finding("sealing key", Verdict.NONE, f"{path}, to be made at the first start", hint)
    try:
        keys = read_keys(path)
        others = path.stat().st_mode & 0o077
    except (SealingError, OSError) as error:
        return Finding("sealing key", Verdict.WRONG, str(error))
    count = f"{len(keys)} keys" if len(keys) > 1 else "1 key"
    if others:
        return Finding("sealing key", Verdict.WRONG, f"others may read {path}", f"chmod 600 {path}")
    return Finding("sealing key", Verdict.OK, f"{count} in {path}")


def _webhooks(settings: Settings, secrets: Secrets) -> Finding:
    names = webhook_secret_names(settings)
    for name in names:
        try:
            secrets.resolve(name)
        except SecretError as error:
            return Finding("webhooks", Verdict.WRONG, str(error))
    if not settings.http_listen:
        return Finding("webhooks", Verdict.NONE, "none are taken: there is no HTTP listener")
    ways = [
        f"signed by {' or '.join(names)}" if names else "",
        "with a token" if settings.tokens else "",
        "unsigned" if settings.webhook_unsigned else "",
    ]
    if not any(ways):
        text = "none are taken; --webhook-secrets names the secrets that sign them"
        return Finding("webhooks", Verdict.NONE, text)
    start = f", starting from {settings.webhook_definition}" if settings.webhook_definition else ""
    return Finding("webhooks", Verdict.OK, f"taken {', or '.join(filter(None, ways))}{start}")


async def _definitions(settings: Settings) -> Sequence[Finding]:
    if settings.definitions is None or not settings.definitions.is_dir():
        return []  # the configuration's line tells of a directory that is none
    logging.getLogger(directory.__name__).addHandler(logging.NullHandler())  # the findings tell
    definitions = open_definitions(settings, SystemClock())
    try:
        async with definitions.watched():
            found = await definitions.list()
    except DefinitionsError as error:
        return [Finding("definitions", Verdict.WRONG, str(error))]
    names = [each.name for each in found if not each.problem]
    wrong = [
        Finding(
            f"definition {each.name}", Verdict.WRONG, each.problem, f"correct it in {settings.definitions}"
        )
        for each in found
        if each.problem
    ]
    missing = settings.webhook_definition and settings.webhook_definition not in {each.name for each in found}
    if missing:
        problem = f"there is no definition {settings.webhook_definition} in {settings.definitions}"
        wrong.append(Finding("webhooks", Verdict.WRONG, problem, "correct --webhook-definition"))
    return [Finding("definitions", Verdict.OK, ", ".join(names) or "none"), *wrong]
