"""A pass over a recording that another process makes."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from preflight import errors
from preflight.worker import protocol as wire
from preflight.worker.pool import acquire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Decoded, Ending
    from preflight.analysis.framing import Samples
    from preflight.analysis.vad.speech import SpeechHeard
    from preflight.input.source import Source
    from preflight.media.decoder import Stored
    from preflight.media.probe import Probe
    from preflight.worker.process import Process

T = TypeVar("T")


def is_possible() -> bool:
    """Whether there is an interpreter to start: a program that holds one inside itself has none."""
    return os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)


class PassApart:
    """A pass whose sound comes from another process, which has been given the job, and listens for speech.

    Raises:
        NotARecording: At any point: nothing in it is recognised as audio, or it makes the decoder crash.
        CannotOpen: At any point: reading failed.
        NotExamined: At any point: a bug of ours came up.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ended: wire.Ended | None = None
        self.ear = EarApart(process)

    @cached_property
    def probe(self) -> Probe:
        """What the headers say."""
        return _as(wire.Facts, _received(self._process)).probe

    def blocks(self) -> Iterator[Stored]:
        """Yield the sound; a block is overwritten by the next one."""
        while not isinstance(block := _received(self._process), msgspec.Struct):
            yield block
        self._ended = _as(wire.Ended, block)

    @property
    def ending(self) -> Ending:
        """How decoding went, when there are no more blocks."""
        if self._ended is None:
            raise RuntimeError("the pass was left before its end")
        return self._ended.ending


class EarApart:
    """A speech detector in the process that decodes."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def add(self, samples: Samples) -> None:
        """Take the next samples of the downmix; see `SpeechMeter`."""
        self._process.send(wire.MIX, samples.astype("<f4", copy=False).data.cast("B"))

    def heard(self) -> SpeechHeard:
        """What was found, when all samples were given, and all blocks taken."""
        return self._found.heard()

    def end(self) -> None:
        """Have the process come to the end of its job, if nobody asked what it heard."""
        _ = self._found

    @cached_property
    def _found(self) -> wire.Speech:
        self._process.send(wire.END)
        return _as(wire.Speech, _received(self._process))


@contextlib.contextmanager
def pass_apart(source: Source, *, fresh: bool) -> Iterator[PassApart]:
    """Have a recording decoded, which begins at once.

    Args:
        source: The recording.
        fresh: Whether a new process has to do it.
    """
    with acquire(fresh=fresh) as process:
        _give(process, source, "sound")
        sound = PassApart(process)
        yield sound
        sound.ear.end()


def measured_apart(
    source: Source, listen_s: float | None, *, fresh: bool, pictures: bool = False
) -> tuple[Probe, Decoded | None]:
    """Have a recording decoded and measured.

    Args:
        source: The recording.
        listen_s: How much is listened to; None for all.
        fresh: Whether a new process has to do it.
        pictures: Whether what can be drawn is kept, too.

    Raises:
        NotARecording: Nothing in it is recognised as audio, or it makes the decoder crash.
        CannotOpen: Reading failed.
        NotExamined: A bug of ours came up.
    """
    with acquire(fresh=fresh) as process:
        _give(process, source, "whole", listen_s, pictures=pictures)
        probe = PassApart(process).probe
        while isinstance(message := _received(process), wire.StillAtWork):
            pass
        return probe, _as(wire.Measured, message).decoded


def headers_apart(source: Source, *, fresh: bool) -> Probe:
    """Have the headers of a recording read, no more than its first kilobytes; the arguments are those of `pass_apart`.

    Raises:
        NotARecording: Nothing in it is recognised as audio, or it makes the decoder crash.
        CannotOpen: Reading failed.
        NotExamined: A bug of ours came up.
    """
    with acquire(fresh=fresh) as process:
        _give(process, source, "headers")
        return _as(wire.Headers, _received(process)).probe


def _give(
    process: Process,
    source: Source,
    wanted: Literal["headers", "sound", "whole"],
    listen_s: float | None = None,
    *,
    pictures: bool = False,
) -> None:
    with source.reopened() as descriptor:
        process.give(wire.Job(source.name, source.suffix, wanted, listen_s, pictures), descriptor)


_ERRORS = {error.kind: error for error in (errors.CannotOpen, errors.NotARecording, errors.DecoderFailed)}


def _received(process: Process) -> wire.Message | Stored:
    message = process.receive()
    if isinstance(message, wire.Refused):
        raise _ERRORS.get(message.kind, errors.NotARecording)(message.message, message.hint)
    if isinstance(message, wire.Failed):
        raise errors.NotExamined.because(" / ".join(message.lines))
    return message


def _as(kind: type[T], message: wire.Message | Stored) -> T:
    if not isinstance(message, kind):
        raise errors.NotExamined.because(f"the decoding process answered {type(message).__name__}")
    return message
