"""`evalrpc-server check`: what it finds, in about ten lines, and its exit codes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.servers import serving
from tests.standins.langfuse import Fault, LangfuseStandIn, Settings


@pytest.fixture
async def langfuse(request: pytest.FixtureRequest) -> AsyncIterator[LangfuseStandIn]:
    async with LangfuseStandIn(Settings(mode=getattr(request, "param", "events_only"))) as standin:
        yield standin


async def check(*flags: str | Path, **env: str) -> tuple[int, list[str]]:
    """Runs the command; returns its exit code and its lines."""
    command = [sys.executable, "-m", "evalrpc_server", "check", *map(str, flags)]
    run = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return run.returncode, (run.stdout + run.stderr).splitlines()


def line_of(lines: list[str], subject: str) -> str:
    (found,) = [line for line in lines if line.startswith(f"{subject} ")]
    return " ".join(found.split())


def hint_of(lines: list[str], subject: str) -> str:
    (number,) = [number for number, line in enumerate(lines) if line.startswith(f"{subject} ")]
    return lines[number + 1].strip()


async def test_nothing_is_made_where_nothing_is_yet(tmp_path: Path):
    code, lines = await check("--data-dir", tmp_path / "data")
    assert code == 0
    assert line_of(lines, "configuration") == (
        "configuration ok gRPC on 127.0.0.1:50051 (no TLS), HTTP on 127.0.0.1:8080"
    )
    assert "SQLite at" in line_of(lines, "store")
    assert "to be made at the first start" in line_of(lines, "store")
    assert "GiB free" in line_of(lines, "store")
    assert line_of(lines, "langfuse") == "langfuse - no project is configured"
    assert "LANGFUSE_PUBLIC_KEY" in hint_of(lines, "langfuse")
    assert lines[-1] == "all is well"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("langfuse", "version", "mode", "link"),
    [
        ("events_only", "4.59.0", "events_only mode", "attributes"),
        ("dual", "4.59.0", "dual mode", "run items"),
        ("legacy", "3.225.11", "before version 4", "run items"),
    ],
    indirect=["langfuse"],
)
async def test_each_project_is_told_with_its_server(
    langfuse: LangfuseStandIn, tmp_path: Path, version: str, mode: str, link: str
):
    second = langfuse.project("project-two").keys
    projects = tmp_path / "projects.yaml"
    projects.write_text(
        f"projects:\n  team-b:\n    base_url: {langfuse.url}\n    public_key: {second.public_key}\n"
        "    secret_key: ${secret:TEAM_B}\n"
    )
    code, lines = await check(
        "--data-dir",
        tmp_path / "data",
        "--langfuse-projects",
        projects,
        **langfuse.environment(),
        EVALRPC_SECRET_TEAM_B=second.secret_key,
    )
    assert code == 0
    for name, project in (("default", "Project One"), ("team-b", "Project Two")):
        line = line_of(lines, f"langfuse {name}")
        assert line == (
            f"langfuse {name} ok {project!r} at {langfuse.url}, Langfuse {version} ({mode}), "
            f"links by {link} (auto), clock in step"
        )
    assert len(lines) <= 10


async def test_a_store_in_use_is_no_problem_and_is_not_disturbed(tmp_path: Path):
    with serving(tmp_path):
        code, lines = await check("--data-dir", tmp_path)
    assert code == 0
    assert "in use by a running server" in line_of(lines, "store")
    code, lines = await check("--data-dir", tmp_path)
    assert "in use" not in line_of(lines, "store")
    assert ", schema " in line_of(lines, "store")


async def test_a_store_of_a_newer_release_is_wrong(tmp_path: Path):
    with serving(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "evalrpc.db") as database:
        database.execute("UPDATE schema_version SET version = 9999")
    database.close()
    code, lines = await check("--data-dir", tmp_path)
    assert code == 1
    assert "WRONG" in line_of(lines, "store")
    assert "schema 9999" in line_of(lines, "store")
    assert hint_of(lines, "store") == "use the release that wrote it, or a newer one"
    assert lines[-1] == "1 of these must be mended"


async def test_everything_that_is_wrong_is_told_at_once_and_no_secret(
    langfuse: LangfuseStandIn, tmp_path: Path
):
    (tmp_path / "file").write_text("")
    code, lines = await check(
        "--listen",
        "0.0.0.0:50051",
        "--ca-file",
        tmp_path / "missing.pem",
        "--secrets-dir",
        tmp_path / "nowhere",
        "--data-dir",
        tmp_path / "file" / "data",
        **langfuse.environment() | {"LANGFUSE_SECRET_KEY": "sk-lf-wrong-and-secret"},
    )
    assert code == 1
    told = "\n".join(lines)
    for words in (
        f"--ca-file: {tmp_path / 'missing.pem'} cannot be read: No such file or directory",
        "nowhere is no directory",
        "is no directory that this user may write to",
    ):
        assert words in told
    assert "sk-lf-wrong-and-secret" not in told


async def test_what_would_keep_a_server_from_starting_is_told(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    code, lines = await check(
        "--data-dir", tmp_path, "--listen", "0.0.0.0:50051", "--ca-file", tmp_path / "ca.pem"
    )
    assert code == 1
    told = "\n".join(lines)
    assert "reachable from other machines" in told
    assert "--ca-file, --client-certificate: " in told


async def test_wrong_keys_a_wrong_address_and_silence_are_told_apart(
    langfuse: LangfuseStandIn, tmp_path: Path
):
    environment = langfuse.environment()
    code, lines = await check(
        "--data-dir", tmp_path, **environment | {"LANGFUSE_SECRET_KEY": "sk-lf-wrong-and-secret"}
    )
    assert code == 1
    assert "answered with HTTP status 401; check the project's keys" in line_of(lines, "langfuse default")
    assert "sk-lf-wrong-and-secret" not in "\n".join(lines)
    code, lines = await check(
        "--data-dir", tmp_path, **environment | {"LANGFUSE_BASE_URL": f"{langfuse.url}/elsewhere"}
    )
    assert code == 1
    assert "HTTP status 404" in line_of(lines, "langfuse default")
    await langfuse.go_down()
    code, lines = await check("--data-dir", tmp_path, **environment)
    assert code == 1
    assert "cannot be reached" in line_of(lines, "langfuse default")


async def test_a_clock_that_is_wrong_is_told(langfuse: LangfuseStandIn, tmp_path: Path):
    langfuse.date_skew = -3600.0
    code, lines = await check("--data-dir", tmp_path, **langfuse.environment())
    assert code == 1
    assert "WRONG" in line_of(lines, "langfuse default")
    assert " s behind" in line_of(lines, "langfuse default")
    assert "NTP" in hint_of(lines, "langfuse default")


@pytest.mark.parametrize(
    ("langfuse", "setting"), [("events_only", "legacy"), ("legacy", "v4")], indirect=["langfuse"]
)
async def test_a_link_mode_that_the_server_cannot_serve_is_wrong(
    langfuse: LangfuseStandIn, tmp_path: Path, setting: str
):
    keys = langfuse.project().keys
    projects = tmp_path / "projects.json"
    projects.write_text(
        f'{{"projects": {{"p": {{"base_url": "{langfuse.url}", "public_key": "{keys.public_key}", '
        f'"secret_key": "{keys.secret_key}", "link_mode": "{setting}"}}}}}}'
    )
    code, lines = await check("--data-dir", tmp_path, "--langfuse-projects", projects)
    assert code == 1
    assert hint_of(lines, "langfuse p").endswith("set link_mode to auto")


async def test_a_passing_failure_of_langfuse_is_tried_again(langfuse: LangfuseStandIn, tmp_path: Path):
    langfuse.faults.add(Fault(("503",), times=1))
    code, lines = await check("--data-dir", tmp_path, **langfuse.environment())
    assert code == 0, lines


async def test_a_broken_file_of_projects_is_told_and_a_wrong_flag_is_bad_usage(tmp_path: Path):
    projects = tmp_path / "projects.yaml"
    projects.write_text("projects: []")
    code, lines = await check("--data-dir", tmp_path, "--langfuse-projects", projects)
    assert code == 1
    assert "must hold one key, projects" in line_of(lines, "langfuse")
    code, lines = await check("--listen", "nowhere")
    assert code == 2
    assert lines == ["evalrpc-server: --listen (EVALRPC_LISTEN): must be host:port, such as 127.0.0.1:50051"]
