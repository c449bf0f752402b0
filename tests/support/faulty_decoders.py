"""Worker processes that fail, and whether processes have ended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from preflight.worker import child as worker_child
from preflight.worker.pool import acquire
from tests.support.processes import HANGS_AFTER_S

FAULTS = {
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "abort": "os.abort()",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hang": "child.CPU_LIMIT_S = 0.5; child.limit_cpu()\n    while True: pass",
    "hang in C": "child.CPU_LIMIT_S = 0.5; child.limit_cpu(); sum(itertools.repeat(0))",
    "memory": "bytearray(1 << 30)",
    "garbage": "os.write(answers, b'?' * 5000); time.sleep(9)",
    "too long": "os.write(answers, b'\\xff' * 4); time.sleep(9)",
    "cut off": "os.write(answers, b'\\0\\0\\0\\x09???'); os._exit(0)",
    "not a message": "os.write(answers, b'\\0\\0\\0\\x03???'); time.sleep(9)",
    "another message": "wire.send(answers, wire.Job('a', 'b')); time.sleep(9)",
}
START = """
import itertools, os, signal, sys, time
sys.path[:] = sys.argv[2:]
from preflight.media.decoder import Decoder
from preflight.worker import worker as child
from preflight.worker import protocol as wire
decode = Decoder.stored_blocks
answers = os.dup(1)
def stored_blocks(decoder):
    if not decoder.source.name.endswith("faulty.wav"):
        yield from decode(decoder)
        return
    first = next(decode(decoder))
    yield first
    {fault}
Decoder.stored_blocks = stored_blocks
child.main(sys.argv[1])
"""


def install(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_child, "_START", START.format(fault=fault))


def idle_process() -> int:
    with acquire() as process:
        return process.pid


def children_of(pid: int) -> list[int]:
    """The processes that any of its threads started; on Linux."""
    listed = [path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for child in " ".join(listed).split()]


def gone(pids: list[int], within_s: float = HANGS_AFTER_S) -> bool:
    """Whether none of them lives; a zombie that is not reaped in a container does not."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        states = [Path(f"/proc/{pid}/stat") for pid in pids]
        if all(not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z" for state in states):
            return True
        time.sleep(0.05)
    return False
