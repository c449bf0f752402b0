"""Clone through proxies that fail a share of all requests; then compare ledger, charges and storage.

    python -m tests.soak.faults --takes 300 --share 0.3

One proxy is in front of the storage (the stand-in downloads through it too), one in front of the endpoint. Each
recording must end as cloned once or as unknown. None may end as refused, because all are fit; if the stand-in could not
download one, the next run tries again. The run fails if too few requests met a fault, or if a kind of fault is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.soak.proxy import FAULTS, FaultyProxy
from tests.soak.rig import Rig, rig

_MOST_RUNS = 12


def run_through(rig: Rig, share: float, seed: int) -> tuple[Counter[str], Counter[str]]:
    """Run the command until every recording is cloned or unknown, and return endings and faults, counted."""
    endings: dict[str, str] = {}
    met: Counter[str] = Counter()
    with (
        FaultyProxy(rig.services.storage.endpoint, share, seed) as storage,
        FaultyProxy(rig.services.endpoint.base_url, share, seed + 1) as endpoint,
    ):
        where = rig.environment(ONETAKE_S3_ENDPOINT=storage.base_url, ONETAKE_BASE_URL=endpoint.base_url)
        for _ in range(_MOST_RUNS):
            done = subprocess.run(
                [sys.executable, "-m", "onetake", "clone", str(rig.takes), "--format", "jsonl", "--calls-at-once", "8"],
                env=where,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=1200,
            )
            assert "Traceback" not in done.stderr, done.stderr
            outcomes = [json.loads(line) for line in done.stdout.splitlines()]
            for outcome in outcomes:
                endings[outcome["path"]] = outcome["ending"]
                assert outcome["ending"] in {"cloned", "known"} or outcome["error"]["message"], outcome
                # a service that cannot download the recording, or gets a web page instead, refuses it; the next run
                # tries again
                is_expected = outcome["ending"] != "refused" or any(
                    reason in outcome["error"]["message"] for reason in ("(download", "cannot be read")
                )
                assert is_expected, outcome
            if not any(outcome["ending"] in {"failed", "not-started", "refused"} for outcome in outcomes):
                break
        # objects that could not be deleted through the proxy: the same proxy, repeated
        for _ in range(_MOST_RUNS):
            cleaned = subprocess.run(
                [sys.executable, "-m", "onetake", "storage", "clean", "--json"],
                env=where,
                capture_output=True,
                check=False,
                timeout=300,
            )
            if cleaned.returncode == 0:
                break
        met += storage.met + endpoint.met
    return Counter("cloned" if ending == "known" else ending for ending in endings.values()), met


def count(rig: Rig, endings: Counter[str], takes: int) -> dict[str, int]:
    """Compare what the stand-in charged with the ledger and the bucket."""
    charged = rig.services.endpoint.account()["clones_charged"]
    with contextlib.closing(sqlite3.connect(rig.home / "ledger.sqlite3")) as connection:
        voices = {row[0] for row in connection.execute("SELECT voice_id FROM voices")}
        states = Counter(dict(connection.execute("SELECT state, count(*) FROM attempts GROUP BY state")))
        once = connection.execute(
            "SELECT take FROM attempts WHERE state IN ('voice', 'unknown') GROUP BY take HAVING count(*) > 1"
        ).fetchall()
    assert set(endings) <= {"cloned", "unknown"}, endings
    given = {voice["voice_id"] for voice in rig.services.endpoint.account()["voices"]}
    assert once == []
    assert voices <= given
    assert len(voices) == endings["cloned"]
    assert endings["unknown"] == states["unknown"]
    assert len(voices) <= charged <= len(voices) + states["unknown"]
    assert sum(endings.values()) == takes
    objects = rig.services.objects()
    assert objects == {}, objects
    return {**endings, "charged": charged, "objects left": len(objects)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=300)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder), arguments.takes) as made:
        endings, met = run_through(made, arguments.share, arguments.seed)
        counts = count(made, endings, arguments.takes)
    assert met.total() - met["none"] >= arguments.share * met.total() / 2, "too few requests met a fault"
    if met.total() >= 100 * len(FAULTS):
        assert not [fault for fault in FAULTS if not met[fault]], f"a kind of fault did not occur: {dict(met)}"
    print(counts, f"{time.monotonic() - started:.0f} s")  # noqa: T201 - a report
    print("requests by fault:", dict(met))  # noqa: T201


if __name__ == "__main__":
    main()
