"""The image: what a linter would ask of the Dockerfile, and its steps carried out in a plain directory."""

from __future__ import annotations

import re
import signal
import socket
import subprocess

import pytest

from tests.processes import ROOT, running
from tests.tooling.dockerfile import PlainBuild, parse

STAGES = parse((ROOT / "Dockerfile").read_text())
IMAGE = STAGES[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def test_every_stage_starts_from_a_pinned_slim_python():
    assert len(STAGES) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stage.base) for stage in STAGES)


def test_the_image_installs_nothing_and_runs_as_a_numbered_user():
    user, group = IMAGE.last("USER").text.split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert not [run for run in IMAGE.all("RUN") if re.search(r"pip|apt-get|curl", run.text)]
    assert {copy.options.get("from") for copy in IMAGE.all("COPY")} == {"build"}


def test_everything_is_installed_with_hashes_or_from_wheels_built_here():
    installs = re.findall(r"pip .*?install [^&]*", " ".join(run.text for run in STAGES[0].all("RUN")))
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)
    assert all("--no-cache-dir" in install for install in installs)


def test_the_image_declares_its_ports_its_volume_and_its_health_check():
    environment = IMAGE.environment
    ports = [environment[name].rsplit(":", 1)[1] for name in ("EVALRPC_LISTEN", "EVALRPC_HTTP_LISTEN")]
    assert IMAGE.last("EXPOSE").words == ports
    assert IMAGE.last("VOLUME").text == environment["EVALRPC_DATA_DIR"]
    assert IMAGE.last("HEALTHCHECK").command == ["evalrpc-server", "health"]
    assert IMAGE.last("ENTRYPOINT").command + IMAGE.last("CMD").command == ["evalrpc-server", "serve"]


def test_the_context_holds_what_is_copied_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    kept = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for copy in STAGES[0].all("COPY") for source in copy.words[:-1]}
    assert kept == copied
    assert [source for source in copied if not (ROOT / source).exists()] == []


@pytest.mark.timeout(300)
def test_the_build_steps_give_a_server_that_starts_is_healthy_and_stops(tmp_path):
    build = PlainBuild(tmp_path / "root", ROOT)
    build.run(STAGES)
    environment = build.environment(IMAGE) | {
        "EVALRPC_LISTEN": f"127.0.0.1:{free_port()}",
        "EVALRPC_HTTP_LISTEN": "127.0.0.1:0",
    }

    def command(parts: list[str]) -> list[str]:
        return [str(build.path("/opt/evalrpc/bin") / parts[0]), *parts[1:]]

    health = command(IMAGE.last("HEALTHCHECK").command)
    assert subprocess.run(health, env=environment, check=False, capture_output=True).returncode != 0
    start = command(IMAGE.last("ENTRYPOINT").command + IMAGE.last("CMD").command)
    with running(start, env=environment, cwd=tmp_path) as server:
        server.wait_for(re.escape(environment["EVALRPC_LISTEN"]))
        subprocess.run(health, env=environment, check=True, timeout=10)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert list(build.path(IMAGE.environment["EVALRPC_DATA_DIR"]).iterdir())
