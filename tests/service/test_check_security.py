"""What `evalrpc-server check` tells of what a server may call, how it keeps credentials, and which webhooks it takes."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

from evalrpc_server.check_security import check_security
from evalrpc_server.config import Settings
from evalrpc_server.findings import Finding, Verdict
from evalrpc_server.outbound.secrets import Secrets


async def found(secrets: dict[str, str] | None = None, **settings: Any) -> dict[str, Finding]:
    environment = {f"EVALRPC_SECRET_{name}": value for name, value in (secrets or {}).items()}
    return {
        each.subject: each
        for each in await check_security(Settings(**settings), Secrets(environment=environment))
    }


async def test_the_defaults_are_told(tmp_path: Path):
    told = await found(data_dir=tmp_path)
    assert {subject: each.verdict for subject, each in told.items()} == {
        "outbound": Verdict.OK,
        "sealing key": Verdict.NONE,
        "webhooks": Verdict.NONE,
    }
    assert told["outbound"].text == "callers may have called: public, private"
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_a_server_that_others_reach_has_public_addresses_called_only(tmp_path: Path):
    exposed: tuple[dict[str, Any], ...] = ({"listen": "0.0.0.0:1"}, {"http_listen": "[::]:1"})
    for addresses in exposed:
        told = await found(data_dir=tmp_path, insecure=True, **addresses)
        assert told["outbound"].text == "callers may have called: public"
    told = await found(data_dir=tmp_path, http_listen="", outbound_allow="10.0.0.0/8:9380 app.example")
    assert told["outbound"].text == "callers may have called: 10.0.0.0/8:9380, app.example"
    assert told["webhooks"].text == "none are taken: there is no HTTP listener"


async def test_a_sealing_key_is_looked_at(tmp_path: Path):
    key = tmp_path / "key"
    key.write_text("nonsense")
    assert (await found(data_dir=tmp_path, sealing_key=key))["sealing key"].verdict is Verdict.WRONG
    key.write_bytes(base64.b64encode(bytes(64)))
    key.chmod(0o644)
    readable = (await found(data_dir=tmp_path, sealing_key=key))["sealing key"]
    assert (readable.verdict, readable.hint) == (Verdict.WRONG, f"chmod 600 {key}")
    key.chmod(0o600)
    assert (await found(data_dir=tmp_path, sealing_key=key))["sealing key"].verdict is Verdict.OK
    shared = (await found(data_dir=tmp_path, store="postgresql://x/y"))["sealing key"]
    assert "--sealing-key" in shared.hint


async def test_webhooks_and_definitions_are_told(tmp_path: Path):
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "good.yaml").write_text("max_concurrency: 3")
    (definitions / "bad.yaml").write_text("taks: {}")
    settings = {"data_dir": tmp_path, "definitions": definitions, "webhook_secrets": "A, B"}
    told = await found({"A": "a-secret", "B": "b-secret"}, **settings, webhook_definition="good")
    assert told["webhooks"].text == "taken signed by A or B, starting from good"
    assert told["definitions"].text == "good"
    assert told["definition bad"].verdict is Verdict.WRONG
    assert told["definition bad"].text.startswith("taks: ")
    missing = await found({"A": "a-secret"}, **settings)
    assert missing["webhooks"].verdict is Verdict.WRONG
    assert "EVALRPC_SECRET_B" in missing["webhooks"].text
    unknown = await found(data_dir=tmp_path, definitions=definitions, webhook_definition="none")
    assert unknown["webhooks"].verdict is Verdict.WRONG
