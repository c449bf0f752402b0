"""The decoding process: reads jobs from standard input, and answers on what was its standard output."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.decoded import Ending
from preflight.errors import CannotOpen, DecoderFailed, PreflightError
from preflight.isolation.wire import (
    JOB_LENGTH,
    Ended,
    Facts,
    Failed,
    Headers,
    Job,
    Measured,
    Refused,
    StillAtWork,
    Voice,
    write_message,
    write_sound,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.decode import Stored
    from preflight.passing import PassHere
    from preflight.probe import Probe
    from preflight.source import Source

CPU_S_WITHOUT_SOUND: Final = 8
"""A decoder that computes so long without giving any sound does not end: the system ends it (SIGPROF)."""
_SIGN_OF_LIFE_S: Final = 2.0
MEMORY_BYTES: Final = 384 << 20
"""Of its own; a decoder that asks for more is refused."""


def main() -> None:
    """Answer jobs until there are no more."""
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not get between the messages
    _limit_memory()
    if not _is_waited_for():
        import_module("preflight.measuring")  # while the sender of the first job still imports its own
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        for job in _jobs():
            _answer(job, answers)


def _is_waited_for() -> bool:
    """Whether there is a job already."""
    return os.name == "posix" and bool(select.select([0], [], [], 0)[0])


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    _, highest = resource.getrlimit(kind)
    limit = MEMORY_BYTES if highest == resource.RLIM_INFINITY else min(MEMORY_BYTES, highest)
    with contextlib.suppress(ValueError, OSError):  # macOS accepts no limit on some machines
        resource.setrlimit(kind, (limit, highest))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _jobs() -> Iterator[Job]:
    with os.fdopen(0, "rb", closefd=False) as jobs:
        while len(length := jobs.read(JOB_LENGTH.size)) == JOB_LENGTH.size:
            yield msgspec.msgpack.decode(jobs.read(*JOB_LENGTH.unpack(length)), type=Job)


def _answer(job: Job, answers: int) -> None:
    _allow_more_time()
    try:
        with _opened(job) as source:
            _pass(source, job, answers)
    except PreflightError as error:
        write_message(answers, Refused(error.kind, error.message, error.hint))
    except MemoryError:
        problem = DecoderFailed("decoding it takes more memory than any recording needs", "export it again")
        write_message(answers, Refused(problem.kind, problem.message, problem.hint))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - told to the other process, where it is raised
        frames = traceback.extract_tb(error.__traceback__)
        places = (f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        write_message(answers, Failed((type(error).__name__, *places)))
    finally:
        _allow_more_time(0)


def _opened(job: Job) -> Source:
    from preflight.source import Source

    for path in job.paths:
        try:
            source = Source.open(path)
        except CannotOpen:
            continue
        if source.identity == (job.device, job.inode):
            return source
        source.close()
    raise CannotOpen("it was replaced while it was opened", "wait until it is no longer written to")


def _pass(source: Source, job: Job, answers: int) -> None:
    if job.wanted == "headers":
        from preflight.probe import probe

        write_message(answers, Headers(probe(source, quick=True)))
        return
    from preflight.passing import PassHere

    sound = _Timed(PassHere(source), answers if job.wanted == "whole" else None)
    write_message(answers, Facts(sound.probe))
    if job.wanted == "whole":
        from preflight.measuring import listen

        write_message(answers, Measured(listen(sound, job.listen_s)[0]))
        return
    if not sound.probe.has_sound:
        write_message(answers, Ended(Ending(0.0), None))
        return
    from preflight.measuring import VoiceListener

    listener = VoiceListener(sound.probe, job.listen_s)
    for block in sound.blocks():
        write_sound(answers, block)
        listener.add(block)
    voice = listener.result()
    write_message(answers, Ended(sound.ending, Voice.of(voice) if voice else None))


class _Timed:
    """A pass that may take its time, as long as sound comes; to one who waits for the end it gives signs of life."""

    hears_voice = False
    voice = None

    def __init__(self, sound: PassHere, answers: int | None) -> None:
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


def _allow_more_time(seconds: float = CPU_S_WITHOUT_SOUND) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
