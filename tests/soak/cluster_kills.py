"""Kill the workers of a check on Dask, then its client; then compare the results with what is in the bucket.

    python -m tests.soak.cluster_kills --objects 2000 --kills 30 --restarts 3

Each kill (SIGKILL) comes at a random moment. The first run loses workers only: it fails if an object is missing from
its results or in them twice, or if fewer workers were killed than asked for. The second set of results is written by
clients that are killed and started again: it fails if a client checks an object again whose report the client before
had received, if none was killed after its first report, or if an object is missing at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from onetake.io.s3_objects import Buckets
from onetake.sandbox.s3_server import SandboxStorage
from tests.support.processes import HANGS_AFTER_S, ONETAKE
from tests.support.services import FIXTURES

_CHECK_S = 0.015
"""Roughly, for one object: from it come the moments of the kills."""
_START_S = 4.0
_DASK_WORKER = "spawn_main"


def store(bucket_name: str, count: int) -> set[str]:
    """Store recordings, and return their names."""
    bucket, content = Buckets().bucket(bucket_name), (FIXTURES / "good.wav").read_bytes()
    with ThreadPoolExecutor(4) as pool:
        stored = [pool.submit(bucket.write, f"takes/{number:05}.wav", content, "audio/wav") for number in range(count)]
    return {f"s3://{bucket_name}/{each.result().key}" for each in stored}


def start(prefix: str, out: Path) -> subprocess.Popen[bytes]:
    """Start a client with a cluster of its own."""
    command = [*ONETAKE, "check", prefix, "--on", "dask", "--jobs", "2", "--out", f"{out}/", "--json"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def written(out: Path) -> Counter[str]:
    """Return how often each name is in the parts."""
    lines = (line for part in out.glob("part-*.jsonl") for line in part.read_text().splitlines())
    return Counter(json.loads(line)["name"] for line in lines)


def journaled() -> int:
    """Return the number of reports in journals."""
    found = Path(os.environ["ONETAKE_HOME"]).glob("results-*.journal")
    return sum(path.read_bytes().count(b"\n") for path in found)


def kill_a_worker(client: int) -> bool:
    """Kill one of the workers, and return whether there was one."""
    with suppress(psutil.Error):
        workers = [child for child in psutil.Process(client).children() if _DASK_WORKER in " ".join(child.cmdline())]
        if workers:
            random.choice(workers).kill()
            return True
    return False


def finished(client: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a client, and return what it printed."""
    out, err = client.communicate(timeout=10 * HANGS_AFTER_S)
    assert client.returncode in (0, 1), err.decode()
    found: dict[str, Any] = json.loads(out)
    return found


def kill_workers(prefix: str, out: Path, names: set[str], kills: int) -> None:
    """Check all objects while workers are killed."""
    client = start(prefix, out)
    pause_s, killed = len(names) * _CHECK_S / (kills + 1), 0
    time.sleep(_START_S)
    while killed < kills and client.poll() is None:
        time.sleep(random.uniform(0, 2 * pause_s))
        killed += kill_a_worker(client.pid)
    found = finished(client)
    counts = written(out)
    shown = f"{len(counts)} of {len(names)} objects in the results, {found['failed']} unreadable"
    sys.stdout.write(f"workers: {killed} killed, {shown}\n")
    assert killed == kills, "the run ended too soon: take more objects"
    assert set(counts) == names
    assert set(counts.values()) == {1}, [name for name, count in counts.items() if count > 1]


def kill_clients(prefix: str, out: Path, names: set[str], restarts: int) -> None:
    """Check all objects with clients that are killed."""
    for _ in range(restarts):
        client = start(prefix, out)
        time.sleep(_START_S + random.uniform(0, len(names) * _CHECK_S / restarts))
        client.kill()
        client.communicate()
        shown = f"{len(written(out))} of {len(names)} objects in the results, {journaled()} in the journal"
        sys.stdout.write(f"client: killed, {shown}\n")
    received = len(written(out)) + journaled()
    found = finished(start(prefix, out))
    after = written(out)
    sys.stdout.write(f"client: the last run skipped {found['skipped']} and checked {found['takes']}\n")
    assert received, "the clients were killed before their first report: take more objects"
    assert found["skipped"] == received
    assert set(after) == names
    assert set(after.values()) == {1}, "an object was checked whose report was received"


def main() -> None:
    """Run both parts; an assertion ends the run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    random.seed(chosen.seed)
    with tempfile.TemporaryDirectory() as folder, SandboxStorage(Path(folder, "storage")) as storage:
        os.environ |= {
            "ONETAKE_HOME": folder,
            "ONETAKE_PROVIDER": "seaweedfs",
            "ONETAKE_S3_ENDPOINT": storage.endpoint,
            "ONETAKE_ACCESS_KEY_ID": storage.access_key_id,
            "ONETAKE_SECRET_ACCESS_KEY": storage.secret_access_key,
        }
        names = store(storage.bucket, chosen.objects)
        prefix = f"s3://{storage.bucket}/takes/"
        kill_workers(prefix, Path(folder, "workers"), names, chosen.kills)
        kill_clients(prefix, Path(folder, "clients"), names, chosen.restarts)


if __name__ == "__main__":
    main()
