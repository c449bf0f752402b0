"""Kill the studio again and again while takes are recorded and cloned; then compare takes, ledger and charges.

    python -m tests.soak.studio_kills --kills 100

Storage and stand-in endpoint stay up; the studio's process group is killed (SIGKILL) at random moments, many of them
while the stand-in delays the answer to a call that it has charged. A driver does what the page does. The run fails if a
take that the page showed as stored or saved is missing or differs in one sample, if a take was paid for twice, or if
the kills hit too few recordings and paid calls.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests
import soundfile
from numpy.typing import NDArray

from tests.soak.rig import Rig, rig
from tests.support.processes import default_signals
from tests.support.studio import Page, as_chromium, speech

_ANSWER_DELAY_S = 0.4
_MOST_TAKES = 150
"""Beyond it, a take is only recorded when all others have been cloned."""
_LONGEST_LIFE_S = 6.0
_SHARES = {"call": 0.45, "record": 0.35, "any": 0.2}
"""What the kills aim at."""
_RECORD_S = 0.3
_LEAST_HIT_SHARE = 0.1
"""Kills within a recording, and within a paid call, at least: with fewer the run proves nothing."""


@dataclass
class Seen:
    """What the page showed, and what it was doing when the studio was killed.

    Attributes:
        stored: Samples of each take that was shown as stored, by its id.
        saved: The number of the take of each file that was shown as saved.
        recorded: Takes recorded so far.
        paid: Ids of takes whose clone was shown as paid.
        doing: What the driver is doing now.
        hits: What it was doing at the kills.
    """

    stored: dict[str, int] = field(default_factory=dict)
    saved: dict[str, int] = field(default_factory=dict)
    recorded: int = 0
    paid: set[str] = field(default_factory=set)
    doing: str = "start"
    hits: Counter[str] = field(default_factory=Counter)


def samples(number: int) -> NDArray[np.int16]:
    """Return the samples of a take; each take differs from the others."""
    return np.asarray(speech() * (1 - number / 1000), np.int16)


class Studio:
    """A studio in a process group of its own."""

    def __init__(self, made: Rig) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "onetake", "studio", "--no-open"],
            env=made.environment(TMPDIR=str(made.home), PYTHONUNBUFFERED="1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(made.home / "err.log").open("ab"),
            start_new_session=True,
            # where make runs in the background, SIGINT is ignored
            preexec_fn=default_signals,  # noqa: PLW1509 - it only makes system calls
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert "http://" in line, (made.home / "err.log").read_text()
        self.page = Page(line.split()[-1])

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def verify(page: Page, seen: Seen) -> None:
    """Check that everything that was shown is still there, to the last sample."""
    files = {take["id"]: take["file"] for take in page.get("/api/state")["takes"]}
    for take, number in seen.stored.items():
        assert take in files, f"a stored take is lost: {number}"
        np.testing.assert_array_equal(soundfile.read(files[take], dtype="int16")[0], samples(number))
    for path, number in seen.saved.items():
        np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], samples(number))


def drive(page: Page, seen: Seen, rng: random.Random) -> None:
    """Record, save and clone until the studio is killed."""
    while True:
        waiting = [take for take in seen.stored if take not in seen.paid]
        # never idle: a kill that aims at a call needs a take without a voice
        if not waiting or (seen.recorded < _MOST_TAKES and rng.random() < 0.6):
            seen.doing = "record"
            number = seen.recorded = seen.recorded + 1
            recording = page.post("/api/recordings", {"sample_rate_hz": 16_000, "channels": 1})["id"]
            first = 0
            for piece in np.array_split(as_chromium(samples(number)), 8):
                page.put(f"/api/recordings/{recording}?first={first}", piece.tobytes())
                first += piece.nbytes
                time.sleep(rng.uniform(0, 0.05))
            page.post(f"/api/recordings/{recording}/finish", {"name": f"Take {number}"})
            seen.stored[recording] = number
            if rng.random() < 0.5:
                seen.doing = "save"
                seen.saved[page.post(f"/api/takes/{recording}/save")["saved"]] = number
        else:
            seen.doing = "clone"
            take = rng.choice(waiting)
            if page.clone(clone_form(take))["state"] in {"paid", "known", "unknown"}:
                seen.paid.add(take)


def clone_form(take: str) -> dict[str, Any]:
    return {"service": "real", "take": take, "confirmed_price": "unknown"}


def disturb(made: Rig, seen: Seen, kills: int, seed: int) -> None:
    """Start the studio, check what it shows, use it, and kill it."""
    rng = random.Random(seed)
    for _ in range(kills):
        seen.doing = "start"
        studio = Studio(made)
        verify(studio.page, seen)
        (aim,) = rng.choices(list(_SHARES), list(_SHARES.values()))
        killer = threading.Thread(target=_kill, args=(made, studio, seen, aim, rng.random()))
        killer.start()
        try:
            drive(studio.page, seen, rng)
        except (requests.RequestException, AssertionError):
            killer.join()
            assert studio.process.returncode == -signal.SIGKILL, (made.home / "err.log").read_text()
        is_called = bool(made.unanswered())
        seen.hits[f"{seen.doing}, paid call in progress" if is_called else seen.doing] += 1


def _kill(made: Rig, studio: Studio, seen: Seen, aim: str, moment: float) -> None:
    """Kill the studio: while the stand-in delays the answer to a paid call, within a recording, or at any moment."""
    if aim == "call" and made.calls.wait_for(made.calls.count + 1, [studio.process]):
        time.sleep(moment * 0.7 * _ANSWER_DELAY_S)
    elif aim == "record":
        deadline = time.monotonic() + 10 * _LONGEST_LIFE_S  # it may not record any more
        while seen.doing != "record" and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(moment * _RECORD_S)
    else:
        time.sleep(0.1 + moment * _LONGEST_LIFE_S)
    studio.kill()


def settle_and_count(made: Rig, seen: Seen) -> dict[str, int]:
    """Clone what has no voice yet, then compare takes, ledger and charges."""
    studio = Studio(made)
    verify(studio.page, seen)
    states: Counter[str] = Counter()
    for take in seen.stored:
        states[studio.page.clone(clone_form(take))["state"]] += 1
    unknown = len(studio.page.get("/api/voices")["unknown"])
    studio.process.send_signal(signal.SIGINT)
    assert studio.process.wait(300) == 0
    charged = made.services.endpoint.account()["clones_charged"]
    with contextlib.closing(sqlite3.connect(made.home / "ledger.sqlite3")) as connection:
        twice = connection.execute(
            "SELECT take FROM attempts WHERE called_at IS NOT NULL GROUP BY take HAVING count(*) > 1"
        ).fetchall()
        voices = connection.execute("SELECT count(*) FROM voices").fetchone()[0]
    assert twice == [], "a take was sent twice"
    assert set(states) <= {"paid", "known", "unknown"}, states
    assert states["unknown"] == unknown
    assert voices == states["paid"] + states["known"]
    assert voices <= charged <= voices + unknown
    return {
        "takes": len(seen.stored),
        "saved": len(seen.saved),
        "charged": charged,
        "voices": voices,
        "unknown": unknown,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder), 0, _ANSWER_DELAY_S) as made:
        disturb(made, seen, arguments.kills, arguments.seed)
        print(dict(seen.hits), flush=True)  # noqa: T201 - a report
        print(settle_and_count(made, seen))  # noqa: T201
    in_calls = sum(count for what, count in seen.hits.items() if "paid call" in what)
    least = _LEAST_HIT_SHARE * arguments.kills
    assert in_calls >= least, "too few kills hit a paid call: this run proves nothing"
    assert seen.hits["record"] >= least, "too few kills hit a recording: this run proves nothing"


if __name__ == "__main__":
    main()
