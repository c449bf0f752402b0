"""Messages between a caller and a worker process: one protocol for one recording and for many.

::

    caller                                              worker
      |  start the interpreter                            |
      | ------------------------------------------------> |  limit memory, import libraries, harden
      |                                                   |
      |  the open file (a descriptor, or a path in Job)   |
      |  Job                                              |
      | ------------------------------------------------> |  read headers, decode, measure
      |                                        Heartbeat  |  after the first block, then at most 5 a second
      | <------------------------------------------------ |
      |                               Analysis | Failure  |  exactly one; the worker then waits for the next Job
      | <------------------------------------------------ |
      |                                                   |
      |  close standard input                             |
      | ------------------------------------------------> |  exit

Messages go through the worker's standard input and output: a length of 4 bytes, big-endian, then MessagePack. The file
is passed as a descriptor through a UNIX socket (SCM_RIGHTS) where the system can do that: the worker then needs no
right to open it. Else the worker opens the path and compares the file's identity. No audio passes between processes.
A speaker model of the user's own is passed in the same way, with each recording; the worker keeps it loaded.

A worker that sends nothing for 60 s is killed by its caller; one that uses 8 s of CPU time without decoding a block is
killed by the system (SIGPROF). Then there is neither `Analysis` nor `Failure`, only the end of the stream.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.analysis.analysis import Analysis

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH: Final = struct.Struct(">I")
MAX_BYTES: Final = 1 << 26
"""The levels of six hours take 9 MB. A larger message comes from a process that is out of control."""


class Job(msgspec.Struct, frozen=True):
    """What to do with a recording.

    Attributes:
        name: Its path, fit to be shown.
        suffix: The ending of its file name.
        headers_only: Read the headers; decode nothing.
        measure_s: As in `analyze_source`.
        judge_part: If a recording is too long, measure only the part that `fix` keeps: see `analyze_kept_part`.
        pictures: As in `analyze_source`.
        speakers: As in `analyze_source`.
        path: The file to open where its descriptor cannot be passed; else None.
        identity: Device and inode that the opened file must have.
        model: The path of a speaker model that replaces the shipped one; else None. Its descriptor is passed after that
            of the recording where that is possible.
    """

    name: str
    suffix: str
    headers_only: bool = False
    measure_s: float | None = None
    judge_part: bool = False
    pictures: bool = False
    speakers: bool = False
    path: bytes | None = None
    identity: tuple[int, int] | None = None
    model: bytes | None = None


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """The job is still running.

    Attributes:
        seconds: Seconds measured.
        total_s: Seconds of the whole recording by its headers; None when unknown.
        in_model: Whether the speaker model of the user's own is at work: if the process ends now, that is why.
    """

    seconds: float
    total_s: float | None
    in_model: bool = False


class Failure(msgspec.Struct, frozen=True, tag=True):
    """There is no analysis.

    Attributes:
        kind: The `kind` of a `PreflightError`; ``bug`` for any other exception.
        message: Of the error; for a bug the exception's name and where it was raised, without its text, which may
            hold secrets.
        hint: Of the error.
    """

    kind: str
    message: str
    hint: str = ""


Answer = Analysis | Heartbeat | Failure
_ANSWERS: Final = msgspec.msgpack.Decoder(Answer)
_JOBS: Final = msgspec.msgpack.Decoder(Job)


def send(descriptor: int, message: Job | Answer) -> None:
    """Write `message`.

    Raises:
        BrokenPipeError: The other process has ended.
    """
    content = msgspec.msgpack.encode(message)
    rest = memoryview(_LENGTH.pack(len(content)) + content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive_answer(descriptor: int, wait: Callable[[], None] | None = None) -> Answer:
    """Read the next message of a worker.

    Args:
        descriptor: The pipe.
        wait: Called before each read; it returns when the pipe can be read, or raises.

    Raises:
        EOFError: The worker has ended.
        ValueError, msgspec.MsgspecError: What it sent is not a message.
    """
    answer: Answer = _ANSWERS.decode(_receive(descriptor, wait))
    return answer


def receive_job(descriptor: int) -> Job:
    """Wait for the next job.

    Raises:
        EOFError: The caller has ended, or closed the pipe.
    """
    return _JOBS.decode(_receive(descriptor))


def _receive(descriptor: int, wait: Callable[[], None] | None = None) -> bytearray:
    (length,) = _LENGTH.unpack(_read(descriptor, _LENGTH.size, wait))
    if length > MAX_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return _read(descriptor, length, wait)


def _read(descriptor: int, count: int, wait: Callable[[], None] | None) -> bytearray:
    content = bytearray()
    while len(content) < count:
        if wait is not None:
            wait()
        if not (part := os.read(descriptor, count - len(content))):
            raise EOFError
        content += part
    return content  # not as bytes: a copy of the levels of six hours takes 9 MB


if sys.platform == "win32":
    import _winapi
    import msvcrt
    import time

    _PAUSES_S: Final = (0.001, 0.01)
    _SHORT_PAUSES: Final = 100

    def wait_readable(descriptor: int, timeout_s: float) -> bool:
        """Return True when a pipe can be read or has ended; False if neither happens within `timeout_s`.

        Windows cannot wait for an anonymous pipe, so it is polled every millisecond, and after 0.1 s every 10 ms.
        """
        handle, deadline, polls = msvcrt.get_osfhandle(descriptor), time.monotonic() + timeout_s, 0
        while True:
            try:
                if _winapi.PeekNamedPipe(handle)[0]:
                    return True
            except OSError:  # the other end is closed: reading reports it
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSES_S[polls > _SHORT_PAUSES])
            polls += 1

else:
    import selectors

    def wait_readable(descriptor: int, timeout_s: float) -> bool:
        """Return True when a pipe can be read or has ended; False if neither happens within `timeout_s`."""
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            return bool(selector.select(timeout_s))
