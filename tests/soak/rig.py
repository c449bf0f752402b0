"""Runs of the command with a stand-in endpoint, a storage and recordings of their own, which can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from onetake.ledger import Ledger
from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.s3_server import SandboxStorage
from tests.support.postgres import PostgresServer, running_server
from tests.support.processes import ONETAKE
from tests.support.servers import CountedCalls
from tests.support.services import FIXTURES, KEY, Services

ANSWER_DELAY_S = 0.2


def make_takes(folder: Path, count: int) -> None:
    """Write recordings of the same speech that differ in every sample."""
    sound, rate = soundfile.read(FIXTURES / "good.wav", dtype="float32")
    folder.mkdir()
    for number in range(count):
        soundfile.write(folder / f"take{number:03}.wav", sound * np.float32(1 - number / 1000), rate)


@dataclass
class Rig:
    """Services that stay up, and a home that survives the command.

    Attributes:
        services: Storage and stand-in endpoint.
        home: Folder of the ledger.
        takes: Folder of the recordings.
        calls: Counts the paid calls.
        database: The server of a shared ledger; None for the file.
        url: The ledger in it.
        program: What starts the command.
    """

    services: Services
    home: Path
    takes: Path
    calls: CountedCalls
    database: PostgresServer | None = None
    url: str = ""
    program: Sequence[str] = ONETAKE

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start the command in its own process group; its output goes to a file that survives it."""
        out = (self.home / f"out-{time.monotonic_ns()}.jsonl").open("wb")
        with out:
            return subprocess.Popen(
                [*self.program, "clone", str(self.takes), "--format", "jsonl", *more],
                env=self.environment(TMPDIR=str(self.home), **self._own_home()),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=(self.home / "err.log").open("ab"),
                start_new_session=True,
            )

    def environment(self, **more: str) -> dict[str, str]:
        """Return environment variables with the services and the home."""
        shared = {"ONETAKE_LEDGER": self.url} if self.url else {}
        return {**os.environ, **self.services.settings(), "ONETAKE_HOME": str(self.home), **shared, **more}

    def _own_home(self) -> dict[str, str]:
        """With a shared ledger, each run is a machine of its own."""
        return {"ONETAKE_HOME": tempfile.mkdtemp(prefix="machine-", dir=self.home)} if self.url else {}

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return rows of the ledger; none if it does not exist yet."""
        if self.database is not None:
            schema = self.database.run("SELECT to_regclass('onetake.attempts') IS NOT NULL", self.url)
            return self.database.run(statement, f"{self.url}&options=-csearch_path%3Donetake") if schema[0][0] else []
        path = self.home / "ledger.sqlite3"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(path)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'attempts'").fetchall():
                return []
            return connection.execute(statement).fetchall()

    def finish(self) -> int:
        """Run the command to its end, and return its status."""
        return self.start().wait(1800)

    def ask(self, *arguments: str) -> tuple[int, str]:
        """Run another command with the same home."""
        done = subprocess.run(
            [*self.program, *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    def unanswered(self) -> set[str]:
        """Return the attempts whose paid call has no answer in the ledger yet."""
        return {row[0] for row in self.rows("SELECT id FROM attempts WHERE state = 'called'")}

    def voices_read(self) -> set[str]:
        """Return the voices that any run printed, from complete lines only."""
        found = set()
        for path in self.home.glob("out-*.jsonl"):
            for line in path.read_bytes().split(b"\n")[:-1]:
                found.add(json.loads(line).get("voice_id"))
        return found - {None}

    def unknown(self) -> list[str]:
        """Return the attempts that the command lists as unknown."""
        return [attempt["id"] for attempt in json.loads(self.ask("voices", "--unknown", "--json")[1])["unknown"]]

    def settle(self, attempts: Sequence[str]) -> None:
        """Settle unknown attempts as failed: the first one with the command, the others faster, through the ledger."""
        for attempt in attempts[:1]:
            assert self.ask("voices", "settle", attempt, "--failed")[0] == 0
        with Ledger(self.url or self.home) as ledger:
            for attempt in attempts[1:]:
                ledger.voices.settle(attempt, None)


@contextlib.contextmanager
def rig(folder: Path, takes: int, answer_delay_s: float = ANSWER_DELAY_S, *, is_shared: bool = False) -> Iterator[Rig]:
    """Start everything that stays up while the command is killed."""
    home = folder / "home"
    home.mkdir(parents=True)
    make_takes(folder / "takes", takes)
    calls = CountedCalls()
    with (
        SandboxStorage(folder / "seaweedfs") as storage,
        StandInEndpoint(KEY, answer_delay_s=answer_delay_s, log=calls) as endpoint,
        running_server() if is_shared else contextlib.nullcontext() as database,
    ):
        url = database.new_database() if database is not None else ""
        yield Rig(Services(storage, endpoint), home, folder / "takes", calls, database, url)
