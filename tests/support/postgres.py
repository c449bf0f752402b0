"""A PostgreSQL server for tests: one for each process, of an unprivileged user, in a temporary folder, on a socket."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

_OPTIONS = (
    *("listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60"),
    *("autovacuum=off", "max_wal_size=64MB", "log_min_messages=fatal"),
)


def binary(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs; Debian does not put servers on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def unprivileged() -> dict[str, Any]:
    """Return arguments of Popen: the servers refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def owned_folder() -> Path:
    """Return a new folder that the server's user owns; names of sockets are short, so it is not pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="onetake-pg-"))
    if user := unprivileged():
        os.chown(folder, user["user"], user["group"])
    return folder


class PostgresServer:
    """A running server, with a database for each test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"postgresql://onetake@/{{}}?host={folder}"

    def new_database(self, options: str = "") -> str:
        """Return the URL of an empty database."""
        name = f"test_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name} {options}")
        return self.url.format(name)

    def run(self, statement: str, url: str = "") -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        with psycopg.connect(url or self.url.format("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def cut(self) -> None:
        """End all sessions of tests."""
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test\\_%'")


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server, or skip the test."""
    initdb, program = binary("initdb"), binary("postgres")
    if initdb is None or program is None:
        pytest.skip("needs PostgreSQL (Debian: apt install postgresql)")
    folder = owned_folder()
    try:
        command = [initdb, "-D", str(folder / "data"), "-U", "onetake", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=120, **unprivileged())
        options = [part for option in _OPTIONS for part in ("-c", option)]
        server = subprocess.Popen(
            [program, "-D", str(folder / "data"), "-k", str(folder), *options],
            cwd="/",
            stderr=subprocess.DEVNULL,
            **unprivileged(),
        )
        try:
            yield _ready(PostgresServer(folder), server)
        finally:
            server.send_signal(signal.SIGQUIT)  # immediate: nothing of it is needed again
            server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ready(started: PostgresServer, server: subprocess.Popen[bytes]) -> PostgresServer:
    deadline = time.monotonic() + 60
    while True:
        try:
            started.run("SELECT 1")
            return started
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server of this process."""
    with running_server() as server:
        yield server
