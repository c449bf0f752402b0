"""Objects per second on one machine and on Dask, and the memory of client, scheduler and worker.

Usage: ``python benchmarks/run.py scale``. The variables ``SCALE_OBJECTS`` and ``SCALE_NAMES`` set other counts, 0
leaves that table out. ``SCALE_OBJECTS=5000 SCALE_NAMES=0`` takes about 13 minutes on two cores.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
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

_OBJECTS: Final = 400
_NAMES: Final = 20_000
_SECONDS: Final = 11.5
_RATE: Final = 16_000
_NAIVE_SHARE: Final = 20
_FILES: Final = 1_000
_POLL_S: Final = 0.25
_BESIDE_LOCAL: Final = Promise("at least 0.75 of local files", 0.75, at_least=True)
_FLAT: Final = Promise("within 1.2 times a quarter of the run", 1.2)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    objects = int(os.environ.get("SCALE_OBJECTS", _OBJECTS))
    names = int(os.environ.get("SCALE_NAMES", _NAMES))
    return [*([_rates(folder, objects)] if objects else []), *([_memory(folder / "memory", names)] if names else [])]


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
        inputs: list[list[str | Path]] = [
            [takes, "--jobs", "2"],
            [prefix, "--jobs", "2"],
            [prefix, "--on", "dask", "--jobs", "1"],
            [prefix, "--on", "dask", "--jobs", "2"],
            [takes, "--on", "dask", "--jobs", "2"],
        ]
        local, stored, one, two, local_two = (
            _rate(objects, [onetake("check", *each, "--out", f"{folder / f'results-{number}'}/")])
            for number, each in enumerate(inputs)
        )
        share = max(2, objects // _NAIVE_SHARE)
        naive, naive_two = _naive(share, 1), _naive(share, 2)
    script, of_two = "script", "script, two processes"
    rows = [
        Row("local files", local, of_two, naive_two),
        Row("objects", stored, "local files", local),
        Row("objects, Dask with one worker", one, script, naive),
        Row("objects, Dask with two workers", two, of_two, naive_two),
        Row("objects, Dask with two workers", two, "local files", local, [_BESIDE_LOCAL]),
        Row("local files, Dask with two workers", local_two, "local files", local),
    ]
    note = (
        f"`onetake check --out` of {objects:,} recordings of {_SECONDS} s ({len(content) // 1000} kB WAV), as files "
        "and as objects of the sandbox's storage, which runs on the same cores; whole commands, each once, with two "
        f"jobs unless stated. The script downloads with boto3 and runs ffmpeg with `{FFMPEG_FILTERS}` on each file, "
        "one after the other; as two processes, each takes half of the objects. It was measured with "
        f"{share:,} of them."
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


def _rate(count: int, commands: Sequence[Sequence[str]], statuses: Sequence[int] = CHECKED) -> float:
    """Return how many of `count` recordings commands that run at the same time check in a second."""

    def run_all() -> None:
        with ThreadPoolExecutor(len(commands)) as pool:
            for done in [pool.submit(process(command, statuses)) for command in commands]:
                done.result()

    return count / milliseconds(run_all) * 1e3


def _naive(count: int, processes: int) -> float | None:
    if not shutil.which("ffmpeg"):
        return None
    script, each = str(Path(__file__).with_name("sequential_check.py")), count // processes
    commands = [
        [sys.executable, script, "takes/", str(number * each), str(each), FFMPEG_FILTERS] for number in range(processes)
    ]
    return _rate(each * processes, commands, (0,))


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
