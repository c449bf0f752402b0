"""What is said over the pipes between the two processes.

Each message begins with its kind and its length. Sound lies in memory that both share, or follows, as it lies in
memory; so does the 16 kHz that the speech detector hears, which goes the other way. The rest is MessagePack.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

from preflight.analysis.analysis import Decoded, Ending
from preflight.media.probe import Probe

if TYPE_CHECKING:
    from preflight.analysis.vad.speech import SpeechHeard
    from preflight.media.decoder import Stored
    from preflight.worker.ring import Ring

REQUEST: Final = struct.Struct("<cI")
"""Kind and bytes that follow."""
JOB: Final = b"j"
USED: Final = b"u"
"""The oldest block of sound is no longer needed: at most `ring.SLOTS` are passed on before."""
MIX: Final = b"m"
END: Final = b"e"
"""There is no more of the mix."""

ANSWER: Final = struct.Struct("<cIcBH")
"""Kind and bytes; of sound also the kind of number, whether channel follows channel, and their count."""
SOUND: Final = b"s"
TEXT: Final = b"t"
MOST_BYTES: Final = 1 << 26
"""No message is larger: what claims to be comes from a process that is out of its mind."""
_NAMES: Final = {b"h": "int16", b"i": "int32", b"f": "float32"}
_LETTERS: Final = {name: letter for letter, name in _NAMES.items()}


class Job(msgspec.Struct, frozen=True):
    """What the process is to do with the open file that it was passed before.

    Attributes:
        name: Of the recording, fit to be shown.
        suffix: The ending of its file's name.
        wanted: ``headers`` alone; ``sound``, which is passed on; or ``whole``: it is measured there, too.
        listen_s: How much of it the meters hear there; None for all.
        pictures: Whether they keep what can be drawn.
    """

    name: str
    suffix: str
    wanted: Literal["headers", "sound", "whole"]
    listen_s: float | None = None
    pictures: bool = False


class Headers(msgspec.Struct, frozen=True, tag=True):
    """What the headers say, where nothing else was wanted."""

    probe: Probe


class Facts(msgspec.Struct, frozen=True, tag=True):
    """What the headers say: the first of a pass."""

    probe: Probe


class Ended(msgspec.Struct, frozen=True, tag=True):
    """How decoding went: what follows the last block of a pass whose sound was passed on."""

    ending: Ending


class Speech(msgspec.Struct, frozen=True, tag=True):
    """A `SpeechHeard`, the probabilities as little-endian float32: the last of a pass whose sound was passed on."""

    probabilities: bytes
    window_s: float
    voice_like_s: float

    @classmethod
    def of(cls, heard: SpeechHeard) -> Self:
        """As it is sent."""
        track = heard.track
        return cls(track.probabilities.astype("<f4").tobytes(), track.window_s, heard.voice_like_s)

    def heard(self) -> SpeechHeard:
        """As it was."""
        import numpy as np

        from preflight.analysis.vad.speech import SpeechHeard, SpeechTrack

        probabilities = np.frombuffer(self.probabilities, "<f4").astype(np.float32, copy=False)
        return SpeechHeard(SpeechTrack(probabilities, self.window_s), self.voice_like_s)


class Measured(msgspec.Struct, frozen=True, tag=True):
    """What was found: the last of a pass that was measured there; `decoded` is None where there was no sound."""

    decoded: Decoded | None


class StillAtWork(msgspec.Struct, frozen=True, tag=True):
    """Measuring goes on: who waits for its end need not take the process for dead."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The recording cannot be read: a `PreflightError`, by its kind."""

    kind: str
    message: str
    hint: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A bug: the exception's name, then where it happened."""

    lines: tuple[str, ...]


Message = Headers | Facts | Ended | Speech | Measured | StillAtWork | Refused | Failed
_DECODER: Final = msgspec.msgpack.Decoder(Message)


def write_message(descriptor: int, message: Message) -> None:
    """Send `message`."""
    content = msgspec.msgpack.encode(message)
    _write(descriptor, ANSWER.pack(TEXT, len(content), b" ", 0, 0) + content)


def write_sound(descriptor: int, ring: Ring | None, block: Stored) -> None:
    """Pass a block of shape (frames, channels) on, through the next slot of `ring`, or without one through the pipe."""
    import numpy as np

    is_planar = not block.flags.c_contiguous
    samples = block.T if is_planar else block
    head = ANSWER.pack(SOUND, samples.nbytes, _LETTERS[block.dtype.name], is_planar, block.shape[1])
    if ring is None:
        _write(descriptor, head)
        _write(descriptor, np.ascontiguousarray(samples).data.cast("B"))
        return
    np.frombuffer(ring.next_slot(samples.nbytes), samples.dtype).reshape(samples.shape)[:] = samples
    _write(descriptor, head)


def read_sound(content: memoryview, number: bytes, channels: int, *, is_planar: bool) -> Stored:
    """The block in `content`, of shape (frames, channels); raises ValueError or KeyError for what is none."""
    import numpy as np

    samples = np.frombuffer(content, _NAMES[number])
    return samples.reshape(channels, -1).T if is_planar else samples.reshape(-1, channels)


def _write(descriptor: int, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_message(content: memoryview) -> Message:
    """The message in `content`; raises `msgspec.MsgspecError` for what is none."""
    message: Message = _DECODER.decode(content)
    return message
