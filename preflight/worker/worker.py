"""The decoding process: reads jobs from standard input, and answers on what was its standard output."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import traceback
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.errors import DecoderFailed, PreflightError
from preflight.worker.hardening import harden
from preflight.worker.memory_limit import limit_memory
from preflight.worker.protocol import (
    END,
    JOB,
    MIX,
    REQUEST,
    USED,
    Ended,
    Facts,
    Failed,
    Headers,
    Job,
    Measured,
    Refused,
    Speech,
    StillAtWork,
    write_message,
    write_sound,
)
from preflight.worker.ring import SLOTS, Ring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Ending
    from preflight.analysis.decode_session import DecodeSession
    from preflight.analysis.vad.speech import SpeechDetector
    from preflight.input.source import Source
    from preflight.media.decoder import Stored
    from preflight.media.probe import Probe
    from preflight.worker.descriptors import Channel

CPU_S_WITHOUT_SOUND: Final = 8
"""A decoder that computes so long without giving any sound does not end: the system ends it (SIGPROF)."""
_SIGN_OF_LIFE_S: Final = 2.0
MEMORY_BYTES: Final = 384 << 20
"""Of its own; a decoder that asks for more is refused."""


def main(memory: str, files: str) -> None:
    """Answer jobs until there are no more.

    Args:
        memory: The descriptor of what is shared with the process that asks; empty where nothing is.
        files: The descriptor of the socket through which recordings come.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the caller; this process ends when its input does
    from preflight.worker.descriptors import inherited

    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not get between the messages
    ring = None
    if memory:
        ring = Ring(int(memory))
        os.close(int(memory))
    limit_memory(MEMORY_BYTES)
    _import_libraries()
    harden()
    recordings = inherited(int(files))
    if not _has_request():  # the sender of the first job still imports its own
        import_module("preflight.analysis.vad.speech")
    with contextlib.suppress(BrokenPipeError, EOFError, _NobodyAsks):
        while True:
            kind, content = _next_request()
            if kind == JOB:  # anything else was meant for a recording that could not be read to its end
                job = msgspec.msgpack.decode(content, type=Job)
                _answer(job, recordings, answers, ring)


def _import_libraries() -> None:
    """Load what is native before files can no longer be opened everywhere: libraries may need others anywhere."""
    for name in ("preflight.analysis.decode_session", "preflight.media.containers"):
        import_module(name)
    if find_spec("_soundfile_data") is None:
        with contextlib.suppress(ImportError, OSError):
            import_module("soundfile")  # it looks for its library by programs that it starts


class _NobodyAsks(Exception):
    """The process that asks is gone."""


def _has_request() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def _next_request() -> tuple[bytes, memoryview]:
    kind, length = REQUEST.unpack(_read(REQUEST.size))
    return kind, _read(length)


def _read(count: int) -> memoryview:
    room = memoryview(bytearray(count))
    done = 0
    while done < count:
        if not (got := os.readv(0, [room[done:]])):
            raise _NobodyAsks
        done += got
    return room


def _answer(job: Job, recordings: Channel, answers: int, ring: Ring | None) -> None:
    from preflight.input.source import Source
    from preflight.worker.descriptors import receive

    _allow_more_time()
    descriptor = receive(recordings)
    try:
        with Source.of_descriptor(descriptor, job.name, job.suffix) as source:
            _ANSWERED[job.wanted](source, job, answers, ring)
    except PreflightError as error:
        write_message(answers, Refused(error.kind, error.message, error.hint))
    except MemoryError:
        problem = DecoderFailed("decoding it takes more memory than any recording needs", "export it again")
        write_message(answers, Refused(problem.kind, problem.message, problem.hint))
    except (BrokenPipeError, _NobodyAsks):
        raise
    except Exception as error:  # noqa: BLE001 - told to the other process, where it is raised
        frames = traceback.extract_tb(error.__traceback__)
        places = (f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        write_message(answers, Failed((type(error).__name__, *places)))
    finally:
        _allow_more_time(0)


def _headers(source: Source, _job: Job, answers: int, _ring: Ring | None) -> None:
    from preflight.media.probe import probe

    write_message(answers, Headers(probe(source, quick=True)))


def _whole(source: Source, job: Job, answers: int, _ring: Ring | None) -> None:
    from preflight.analysis.analyze import listen
    from preflight.analysis.decode_session import DecodeSession

    sound = _Timed(DecodeSession(source), answers)
    write_message(answers, Facts(sound.probe))
    write_message(answers, Measured(listen(sound, job.listen_s, pictures=job.pictures)[0]))


def _sound(source: Source, _job: Job, answers: int, ring: Ring | None) -> None:
    from preflight.analysis.decode_session import DecodeSession
    from preflight.analysis.numpy_runtime import keep_memory

    keep_memory()
    sound = _Timed(DecodeSession(source))
    write_message(answers, Facts(sound.probe))
    listener = _Listener(sound)
    if ring is not None:
        ring.begin()
    for block in sound.blocks():
        while listener.held == SLOTS or _has_request():
            listener.take()
        write_sound(answers, ring, block)
        listener.held += 1
    write_message(answers, Ended(sound.ending))
    while not listener.is_done:
        listener.take()
    write_message(answers, listener.speech())


_ANSWERED: Final = {"headers": _headers, "whole": _whole, "sound": _sound}


class _Listener:
    """Takes what the other process says while sound is passed on to it: which blocks it used, and what to listen to.

    Attributes:
        held: Blocks that are not used yet.
        is_done: Whether there is no more to listen to.
    """

    def __init__(self, sound: _Timed) -> None:
        self._sound = sound
        self._has_heard = False
        self.held = 0
        self.is_done = False

    def take(self) -> None:
        """Wait for the next message."""
        kind, content = _next_request()
        _allow_more_time()
        if kind == USED:
            self.held -= 1
        elif kind == MIX:
            import numpy as np

            self._has_heard = True
            self._sound.ear.add(np.frombuffer(content, "<f4").astype(np.float32, copy=False))
        elif kind == END:
            self.is_done = True
        else:
            raise RuntimeError(f"nobody expected {kind!r}")

    def speech(self) -> Speech:
        """What was heard."""
        return Speech.of(self._sound.ear.heard()) if self._has_heard else Speech(b"", 0.0, 0.0)


class _Timed:
    """A pass that may take its time, as long as sound comes; to one who waits for the end it gives signs of life."""

    def __init__(self, sound: DecodeSession, answers: int | None = None) -> None:
        self._sound = sound
        self._answers = answers

    @property
    def probe(self) -> Probe:
        return self._sound.probe

    def blocks(self) -> Iterator[Stored]:
        signed = time.monotonic()
        for block in self._sound.blocks():
            _allow_more_time()
            if self._answers is not None and time.monotonic() - signed > _SIGN_OF_LIFE_S:
                write_message(self._answers, StillAtWork())
                signed = time.monotonic()
            yield block

    @property
    def ending(self) -> Ending:
        return self._sound.ending

    @property
    def ear(self) -> SpeechDetector:
        return self._sound.ear


def _allow_more_time(seconds: float = CPU_S_WITHOUT_SOUND) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
