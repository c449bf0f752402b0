"""Kill the command and start it again, until every recording has a voice; then compare ledger, charges and storage.

    python -m tests.soak.kills --takes 200 --kills 100
    python -m tests.soak.kills --takes 200 --kills 50 --ledger postgres --how two

Storage and stand-in endpoint stay up; the command's process group is killed (SIGKILL). Most kills come while the
stand-in delays the answer to a call that it has charged, the others before the first call. The run prints how many paid
calls the kills hit, what the stand-in charged, what the ledger contains, and what is left in the bucket. It fails if a
recording was paid for twice without being listed as unknown, if a voice or an object was lost, or if the kills hit too
few paid calls. With ``--ledger postgres`` each run has a home of its own, as on several machines, and their ledger is
in a PostgreSQL server that is started for this; ``--how cut`` cuts the connections to it instead of killing the runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onetake.sandbox.s3_server import SandboxStorage
from tests.soak.rig import ANSWER_DELAY_S, Rig, rig

Disturbance = Literal["kill", "stop", "storage", "two", "cut"]

_SHARE_IN_CALLS = 0.8
"""Share of the kills during a paid call; the others come before the first call."""
_LEAST_HIT_SHARE = 0.3
"""Unanswered paid calls for each kill, at least: with fewer the run proves nothing."""


@dataclass
class Hits:
    """What the kills hit.

    Attributes:
        kills: Number of kills.
        kills_in_calls: Number of kills during at least one unanswered paid call.
        calls: Number of unanswered paid calls at the kills.
    """

    kills: int = 0
    kills_in_calls: int = 0
    calls: int = 0


def disturb(rig: Rig, how: Disturbance, times: int, seed: int) -> Hits:
    """Start the command and kill it repeatedly, at times relative to the calls of the stand-in.

    Returns:
        What the kills hit. It ends early when every recording has a voice.
    """
    rng = random.Random(seed)
    hits = Hits()
    first_call_s = 2.0
    for _ in range(times):
        started, calls = time.monotonic(), rig.calls.count
        running = [rig.start("--calls-at-once", str(rng.randint(1, 2))) for _ in range(2 if how == "two" else 1)]
        if rng.random() < _SHARE_IN_CALLS:
            if not rig.calls.wait_for(calls + 1, running):
                break
            first_call_s = time.monotonic() - started
            rig.calls.wait_for(calls + rng.randint(1, 2), running)
            time.sleep(rng.uniform(0, 0.7 * ANSWER_DELAY_S))
        else:
            time.sleep(rng.uniform(0, first_call_s))
        if how == "stop":
            running.append(_stop_meanwhile(rig, running[0], rng))
        if how == "storage":
            _restart(rig.services.storage)
            rig.calls.wait_for(rig.calls.count + 1, running)
        unanswered = rig.unanswered()
        if how == "cut":
            assert rig.database is not None
            rig.database.cut()
            for process in running:  # it stores the outcome of its calls, and ends by itself
                assert process.wait(300) != 6
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        unanswered = unanswered if how == "cut" else rig.unanswered()
        hits.kills += 1
        hits.kills_in_calls += bool(unanswered)
        hits.calls += len(unanswered)
    return hits


def _stop_meanwhile(rig: Rig, first: subprocess.Popen[bytes], rng: random.Random) -> subprocess.Popen[bytes]:
    """Suspend a run, start another one, and resume the first one after the other one has made a call."""
    os.killpg(first.pid, signal.SIGSTOP)
    # a call that was received before SIGSTOP may still be counted
    calls = rig.calls.count
    beside = rig.start("--calls-at-once", "2")
    rig.calls.wait_for(calls + rng.randint(1, 2), [beside])
    os.killpg(first.pid, signal.SIGCONT)
    time.sleep(rng.uniform(0, ANSWER_DELAY_S))
    return beside


def _restart(storage: SandboxStorage) -> None:
    """Kill the storage and start it again on the same ports and data, as a service manager would."""
    process = storage._process
    assert process is not None
    process.kill()
    process.wait()
    time.sleep(0.3)
    storage._process = subprocess.Popen(
        process.args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not storage._is_ready() and time.monotonic() < deadline:
        time.sleep(0.1)


def settle_and_count(rig: Rig, takes: int) -> dict[str, int]:
    """Run to the end, settle unknown attempts as failed, run again, and compare ledger, charges and storage."""
    status = rig.finish()
    unknown = rig.unknown()
    assert status == (5 if unknown else 0), status
    charged_before = rig.services.endpoint.account()["clones_charged"]
    assert takes - len(unknown) <= charged_before <= takes, (takes, charged_before, len(unknown))
    rig.settle(unknown)
    assert rig.finish() == 0
    account = rig.services.endpoint.account()
    given = {voice["voice_id"] for voice in account["voices"]}
    if not rig.url:
        assert rig.rows("PRAGMA integrity_check") == [("ok",)]
    listed = {row[0] for row in rig.rows("SELECT voice_id FROM voices")}
    left = rig.rows("SELECT count(*) FROM uploads")[0][0]
    attempts = rig.rows("SELECT take, id, state, called_at IS NOT NULL FROM attempts")
    voices = Counter(take for take, _, state, _ in attempts if state == "voice")
    assert sorted(voices.values()) == [1] * takes, "a recording has no voice, or more than one"
    assert rig.voices_read() <= listed <= given
    assert len(listed) == takes
    # a refused call costs nothing: the stand-in could not download the recording while the storage was down
    paid = Counter(take for take, _, state, is_called in attempts if is_called and state != "refused")
    settled = Counter(take for take, attempt, _, _ in attempts if attempt in unknown)
    twice = [attempt for attempt in attempts if paid[attempt[0]] > 1 + settled[attempt[0]]]
    assert not twice, f"paid for twice, and not unknown: {twice}"
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
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--how", choices=["kill", "stop", "storage", "two", "cut"], default="kill")
    parser.add_argument("--ledger", choices=["sqlite", "postgres"], default="sqlite")
    arguments = parser.parse_args()
    started = time.monotonic()
    is_shared = arguments.ledger == "postgres"
    if arguments.how == "cut" and not is_shared:
        parser.error("--how cut needs --ledger postgres")
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder), arguments.takes, is_shared=is_shared) as made:
        hits = disturb(made, arguments.how, arguments.kills, arguments.seed)
        print(arguments.how, hits, flush=True)  # noqa: T201 - a report
        counts = settle_and_count(made, arguments.takes)
    print(arguments.how, counts, f"{time.monotonic() - started:.0f} s")  # noqa: T201
    assert hits.kills == arguments.kills, f"{hits.kills} kills: every recording had a voice before the last one"
    assert hits.calls >= _LEAST_HIT_SHARE * arguments.kills, "too few kills hit a paid call: this run proves nothing"


if __name__ == "__main__":
    main()
