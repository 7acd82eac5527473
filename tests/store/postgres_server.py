"""A real PostgreSQL of the tests' own: a cluster in a temporary directory that listens on a Unix socket there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_USER = "evalrpc"
_DEADLINE_SECONDS = 60.0


def find_binaries() -> Path:
    """Returns the directory of `initdb` and `postgres`: of the PATH, or of Debian's newest package."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    for directory in candidates:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise RuntimeError("PostgreSQL's initdb and postgres are not installed; `.ci/install-postgres` does it")


class PostgresServer:
    """Owns the cluster and its process. As root it runs as `nobody`, for PostgreSQL refuses to be root."""

    def __init__(self) -> None:
        self._binaries = find_binaries()
        self.directory = Path(tempfile.mkdtemp(prefix="evalrpc-postgres-"))
        self._user: dict[str, int] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid}
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb", "--pgdata=data", f"--username={_USER}", "--auth=trust", "--encoding=UTF8", "--locale=C"
        )

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "fsync": "off",  # the tests kill processes, not the machine
            "max_connections": "60",
            "shared_buffers": "16MB",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", "data", *options],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                extra_groups=[] if self._user else None,
                **self._user,  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, mode: str = "fast") -> None:
        """Stops the server; `immediate` is the nearest to a crash."""
        if self._process is not None:
            self._run("pg_ctl", "stop", "--pgdata=data", f"--mode={mode}")
            self._process.wait(_DEADLINE_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stops the server and deletes the cluster."""
        self.stop("immediate")
        shutil.rmtree(self.directory)

    def url(self, schema: str = "public") -> str:
        """Returns the URL of a schema."""
        return f"postgresql://{_USER}@/postgres?host={self.directory}&options=-csearch_path%3D{schema}"

    def new_schema(self, name: str) -> str:
        """Makes a schema and returns its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE SCHEMA "{name}"'.encode())
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            cwd=self.directory,
            check=True,
            capture_output=True,
            timeout=_DEADLINE_SECONDS,
            extra_groups=[] if self._user else None,
            **self._user,  # type: ignore[call-overload]
        )
