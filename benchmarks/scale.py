"""Objects per second on one machine and on Dask, and the memory of client, scheduler and worker.

Usage: ``python benchmarks/run.py scale`` with the counts of the documentation, or
``python -m benchmarks.scale --objects 200 --names 5000`` with others; it prints the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import recordings
from benchmarks.clone import settings_of
from benchmarks.processes import family, resident_mb
from benchmarks.speed import FFMPEG_FILTERS
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, milliseconds, onetake, process
from onetake.sandbox.session import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onetake.sandbox.session import Access

_OBJECTS: Final = 5_000
_NAMES: Final = 100_000
_SECONDS: Final = 11.5
_RATE: Final = 16_000
_NAIVE_SHARE: Final = 10
_FILES: Final = 1_000
_POLL_S: Final = 0.25
_BESIDE_LOCAL: Final = Promise("at least 0.75 of local files", 0.75, at_least=True)
_FLAT: Final = Promise("within 1.2 times a quarter of the run", 1.2)


def tables(folder: Path, objects: int = _OBJECTS, names: int = _NAMES) -> list[Table]:
    """Measure with recordings made in `folder`.

    Args:
        folder: An empty folder.
        objects: How many recordings.
        names: How many names for the memory.
    """
    return [_rates(folder, objects), _memory(folder / "memory", names)]


def _rates(folder: Path, objects: int) -> Table:
    takes = folder / "takes"
    takes.mkdir()
    content = recordings.stored(recordings.stereo(_SECONDS, _RATE)[:, :1], "wav", _RATE)
    first = takes / "00000.wav"
    first.write_bytes(content)
    for number in range(1, objects):
        os.link(first, takes / f"{number:05}.wav")
    with sandbox() as access, settings_of(access):
        _store(access, content, objects)
        prefix = f"s3://{access.bucket}/takes/"
        rate = {
            what: _rate(objects, onetake("check", *arguments, "--out", f"{folder / what.replace(' ', '-')}/"))
            for what, arguments in (
                ("local", [takes]),
                ("objects", [prefix]),
                ("one worker", [prefix, "--on", "dask", "--jobs", "1"]),
                ("two workers", [prefix, "--on", "dask", "--jobs", "2"]),
                ("local, two workers", [takes, "--on", "dask", "--jobs", "2"]),
            )
        }
        naive = _naive(max(1, objects // _NAIVE_SHARE))
    local = "local files"
    rows = [
        Row("local files", rate["local"], "naive script", naive),
        Row("objects", rate["objects"], local, rate["local"]),
        Row("objects, Dask with one worker", rate["one worker"], local, rate["local"]),
        Row("objects, Dask with two workers", rate["two workers"], local, rate["local"], [_BESIDE_LOCAL]),
        Row("local files, Dask with two workers", rate["local, two workers"], local, rate["local"]),
        Row("objects, Dask with two workers", rate["two workers"], "naive script", naive),
    ]
    note = (
        f"`onetake check --out` of {objects:,} recordings of {_SECONDS} s ({len(content) // 1000} kB WAV), as files "
        "and as objects of the sandbox's storage, which runs on the same cores; whole commands, each once. "
        f"The naive script downloads with boto3 and runs ffmpeg with `{FFMPEG_FILTERS}`, one after the other; measured "
        f"with {max(1, objects // _NAIVE_SHARE):,} of them."
    )
    return Table("Checks per second", "files/s", rows, note)


def _store(access: Access, content: bytes, objects: int) -> None:
    from onetake.io.s3_objects import Buckets

    bucket = Buckets().bucket(access.bucket)
    with ThreadPoolExecutor(4) as pool:
        stored = [
            pool.submit(bucket.write, f"takes/{number:05}.wav", content, "audio/wav") for number in range(objects)
        ]
        for each in stored:
            each.result()


def _rate(count: int, command: Sequence[str], statuses: Sequence[int] = CHECKED) -> float:
    return count / milliseconds(process(command, statuses)) * 1e3


def _naive(count: int) -> float | None:
    if not shutil.which("ffmpeg"):
        return None
    script = Path(__file__).with_name("sequential_check.py")
    return _rate(count, [sys.executable, str(script), "takes/", str(count), FFMPEG_FILTERS], (0,))


def _memory(folder: Path, names: int) -> Table:
    """Check many names of few tiny files, and watch the memory of each process."""
    if sys.platform != "linux":
        return Table("Memory on a cluster", "MB", [], "Measured on Linux only.")
    folder.mkdir()
    listed = folder / "names.txt"
    listed.write_text("\n".join(_tiny_files(folder, names)), encoding="utf-8")
    dask = str(Path(sys.executable).with_name("dask"))
    address = f"127.0.0.1:{_free_port()}"
    scheduler = [dask, "scheduler", "--host", "127.0.0.1", "--port", address.partition(":")[2], "--no-dashboard"]
    worker = [dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    client = onetake("check", "--files-from", listed, "--quick", "--on", f"dask://{address}", "--out", f"{folder}/out/")
    samples: list[list[float]] = []
    with _running(scheduler, folder) as first, _running(worker, folder) as second, _running(client, folder) as third:
        while third.poll() is None:
            samples.append([_resident_mb(each.pid) for each in (third, first, second)])
            time.sleep(_POLL_S)
        if third.returncode not in CHECKED:
            raise RuntimeError(f"the check ended with status {third.returncode}")
    quarter = samples[len(samples) // 4 :]
    rows = [
        Row(what, max(each[place] for each in samples[-10:]), "at a quarter of the run", quarter[0][place], [_FLAT])
        for place, what in enumerate(("client", "scheduler", "worker with its decoder"))
    ]
    note = (
        f"Resident memory at the end of `onetake check --quick --on dask://… --out` over {names:,} names of tiny "
        "files, with one worker; 10^6 bytes."
    )
    return Table("Memory on a cluster", "MB", rows, note)


def _tiny_files(folder: Path, names: int) -> Iterator[str]:
    """Yield names of the same files, through links to their folder."""
    files = folder / "tiny"
    files.mkdir()
    content = recordings.stored(recordings.stereo(0.1, _RATE)[:, :1], "wav", _RATE)
    for number in range(min(_FILES, names)):
        (files / f"{number}.wav").write_bytes(content)
    for start in range(0, names, _FILES):
        link = folder / f"names-{start}"
        link.symlink_to(files, target_is_directory=True)
        yield from (str(link / f"{number}.wav") for number in range(min(_FILES, names - start)))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log.txt").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


def _resident_mb(number: int) -> float:
    return sum(resident_mb(each) or 0.0 for each in family(number))


def main() -> None:
    """Print the tables for the counts of the command line."""
    from benchmarks.page import section

    parser = argparse.ArgumentParser(description="Measure checks on a cluster.")
    parser.add_argument("--objects", type=int, default=_OBJECTS)
    parser.add_argument("--names", type=int, default=_NAMES)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for table in tables(Path(folder), chosen.objects, chosen.names):
            print(section(table), flush=True)


if __name__ == "__main__":
    main()
