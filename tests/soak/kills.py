"""Kill the command at random moments and start it again, until every recording has its voice; then count.

    python -m tests.soak.kills --takes 200 --kills 100

Storage and stand-in endpoint are real and stay up; the command's process group is killed (SIGKILL). Printed are what
the stand-in charged, what the ledger holds, and what is left in the bucket.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.storage import SandboxStorage
from tests.onetake.services import FIXTURES, KEY, Services

Disturbance = Literal["kill", "stop", "storage", "two"]


def make_takes(folder: Path, count: int) -> None:
    """Write recordings that sound alike and differ in every sample."""
    sound, rate = soundfile.read(FIXTURES / "good.wav", dtype="float32")
    folder.mkdir()
    for number in range(count):
        soundfile.write(folder / f"take{number:03}.wav", sound * np.float32(1 - number / 1000), rate)


@dataclass
class Rig:
    """Services that stay up, and a home that survives the command.

    Attributes:
        services: Storage and stand-in endpoint.
        home: For the ledger.
        takes: The folder of recordings.
        read: Voices that some run of the command printed.
        statuses: How runs ended that were left alone.
    """

    services: Services
    home: Path
    takes: Path
    read: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start the command in a process group of its own; what it prints goes to a file that survives it."""
        out = (self.home / f"out-{time.monotonic_ns()}.jsonl").open("wb")
        with out:
            return subprocess.Popen(
                [sys.executable, "-m", "onetake", "clone", str(self.takes), "--format", "jsonl", *more],
                env=self.environment(TMPDIR=str(self.home)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=(self.home / "err.log").open("ab"),
                start_new_session=True,
            )

    def environment(self, **more: str) -> dict[str, str]:
        """Variables that lead the command to the services and the home."""
        return {**os.environ, **self.services.settings(), "ONETAKE_HOME": str(self.home), **more}

    def finish(self) -> int:
        """Run the command to its end."""
        status = self.start().wait(600)
        self.statuses.append(status)
        return status

    def ask(self, *arguments: str) -> tuple[int, str]:
        """Run another command on the same home."""
        done = subprocess.run(
            [sys.executable, "-m", "onetake", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    def voices_read(self) -> set[str]:
        """The voices that any run printed, whole lines only."""
        found = set()
        for path in self.home.glob("out-*.jsonl"):
            for line in path.read_bytes().split(b"\n")[:-1]:
                found.add(json.loads(line).get("voice_id"))
        return found - {None}

    def unknown(self) -> list[str]:
        """The attempts that the ledger lists as unknown."""
        return [attempt["id"] for attempt in json.loads(self.ask("voices", "--unknown", "--json")[1])["unknown"]]


@contextlib.contextmanager
def rig(folder: Path, takes: int, answer_delay_s: float = 0.05) -> Iterator[Rig]:
    """Everything that stays up while the command is killed."""
    home = folder / "home"
    home.mkdir(parents=True)
    make_takes(folder / "takes", takes)
    with (
        SandboxStorage(folder / "weed") as storage,
        StandInEndpoint(KEY, answer_delay_s=answer_delay_s) as endpoint,
    ):
        yield Rig(Services(storage, endpoint), home, folder / "takes")


def disturb(rig: Rig, how: Disturbance, times: int, longest_s: float, seed: int) -> None:
    """Start the command and disturb it, again and again."""
    chance = random.Random(seed)
    for _ in range(times):
        running = [rig.start() for _ in range(2 if how == "two" else 1)]
        time.sleep(chance.uniform(0.2, longest_s))
        if how == "stop":
            os.killpg(running[0].pid, signal.SIGSTOP)
            beside = rig.start()
            time.sleep(chance.uniform(0.2, longest_s))
            os.killpg(running[0].pid, signal.SIGCONT)
            running.append(beside)
            time.sleep(chance.uniform(0.1, 0.5))
        if how == "storage":
            _restart(rig.services.storage)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _restart(storage: SandboxStorage) -> None:
    """Kill the storage and start it again where it was, as a supervisor would."""
    process = storage._process
    assert process is not None
    process.kill()
    process.wait()
    time.sleep(0.3)
    storage._process = subprocess.Popen(
        process.args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while not storage._is_ready() and time.monotonic() < deadline:
        time.sleep(0.1)


def settle_and_count(rig: Rig, takes: int) -> dict[str, int]:
    """Run to the end, settle what is unknown as failed, run again, and hold the books against each other."""
    status = rig.finish()
    unknown = rig.unknown()
    assert status == (5 if unknown else 0), status
    charged_before = rig.services.endpoint.account()["clones_charged"]
    assert takes - len(unknown) <= charged_before <= takes, (takes, charged_before, len(unknown))
    for attempt in unknown:
        assert rig.ask("voices", "settle", attempt, "--failed")[0] == 0
    assert rig.finish() == 0
    account = rig.services.endpoint.account()
    with contextlib.closing(sqlite3.connect(rig.home / "ledger.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        listed = {row[0] for row in connection.execute("SELECT voice_id FROM voices")}
        left = connection.execute("SELECT count(*) FROM uploads").fetchone()[0]
    given = {voice["voice_id"] for voice in account["voices"]}
    assert rig.voices_read() <= listed <= given
    assert len(listed) == takes
    assert takes <= account["clones_charged"] <= takes + len(unknown)
    objects = rig.services.objects()
    assert objects == {}, objects
    assert left == 0
    return {
        "takes": takes,
        "charged": account["clones_charged"],
        "voices in the ledger": len(listed),
        "unknown, then settled as failed": len(unknown),
        "objects left": len(objects),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--longest-s", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--how", choices=["kill", "stop", "storage", "two"], default="kill")
    asked = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder), asked.takes) as made:
        disturb(made, asked.how, asked.kills, asked.longest_s, asked.seed)
        counts = settle_and_count(made, asked.takes)
    print(asked.how, counts, f"{time.monotonic() - begun:.0f} s")  # noqa: T201 - a report


if __name__ == "__main__":
    main()
