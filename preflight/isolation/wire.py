"""What is said over the pipes between the two processes.

Each message begins with its kind and its length. Sound follows as it lies in memory; everything else is MessagePack.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

from preflight.decoded import Decoded, Ending
from preflight.probe import Probe

if TYPE_CHECKING:
    from preflight.decode import Stored
    from preflight.meters.bridge import VoiceHeard

HEADER: Final = struct.Struct("<cIcBH")
"""Kind and bytes that follow; of sound also the kind of number, whether channel follows channel, and their count."""
SOUND: Final = b"s"
TEXT: Final = b"t"
MOST_BYTES: Final = 1 << 26
"""No message is larger: what claims to be comes from a process that is out of its mind."""
_NUMBERS: Final = {"int16": b"h", "int32": b"i", "float32": b"f"}
_NAMES: Final = {letter: name for name, letter in _NUMBERS.items()}


JOB_LENGTH: Final = struct.Struct("<I")


class Job(msgspec.Struct, frozen=True):
    """What the process is to do.

    Attributes:
        paths: Where the recording can be opened, to be tried in turn.
        device: Of the file that is meant.
        inode: Of the file that is meant.
        wanted: ``headers`` alone; ``sound``, which is sent; or ``whole``: it is measured there, too.
        listen_s: How much of it the meters hear; None for all.
    """

    paths: tuple[bytes, ...]
    device: int
    inode: int
    wanted: Literal["headers", "sound", "whole"]
    listen_s: float | None = None


class Headers(msgspec.Struct, frozen=True, tag=True):
    """What the headers say, where nothing else was wanted."""

    probe: Probe


class Facts(msgspec.Struct, frozen=True, tag=True):
    """What the headers say: the first of a pass."""

    probe: Probe


class Voice(msgspec.Struct, frozen=True):
    """A `VoiceHeard`; the probabilities as little-endian float32."""

    probabilities: bytes
    window_s: float
    measurements: dict[str, float]

    @classmethod
    def of(cls, heard: VoiceHeard) -> Self:
        """As it is sent."""
        return cls(heard.track.probabilities.astype("<f4").tobytes(), heard.track.window_s, heard.measurements)

    def heard(self) -> VoiceHeard:
        """As it was."""
        import numpy as np

        from preflight.meters.bridge import VoiceHeard
        from preflight.meters.speech import SpeechTrack

        probabilities = np.frombuffer(self.probabilities, "<f4").astype(np.float32, copy=False)
        return VoiceHeard(SpeechTrack(probabilities, self.window_s), self.measurements)


class Ended(msgspec.Struct, frozen=True, tag=True):
    """How decoding went, and what the voice was heard to be: the last of a pass whose sound was sent."""

    ending: Ending
    voice: Voice | None


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


Message = Headers | Facts | Ended | Measured | StillAtWork | Refused | Failed
_DECODER: Final = msgspec.msgpack.Decoder(Message)


def write_message(descriptor: int, message: Message) -> None:
    """Send `message`."""
    content = msgspec.msgpack.encode(message)
    _write(descriptor, HEADER.pack(TEXT, len(content), b" ", 0, 0))
    _write(descriptor, content)


def write_sound(descriptor: int, block: Stored) -> None:
    """Send a block of shape (frames, channels)."""
    is_planar = not block.flags.c_contiguous
    samples = block.T if is_planar else block
    if not samples.flags.c_contiguous:
        samples = samples.copy()
    _write(descriptor, HEADER.pack(SOUND, samples.nbytes, _NUMBERS[block.dtype.name], is_planar, block.shape[1]))
    _write(descriptor, samples.data.cast("B"))


def _write(descriptor: int, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_message(content: memoryview) -> Message:
    """The message in `content`; raises `msgspec.MsgspecError` for what is none."""
    message: Message = _DECODER.decode(content)
    return message


def read_sound(content: memoryview, number: bytes, channels: int, *, is_planar: bool) -> Stored:
    """The block in `content`, of shape (frames, channels); raises ValueError or KeyError for what is none."""
    import numpy as np

    samples = np.frombuffer(content, _NAMES[number])
    return samples.reshape(channels, -1).T if is_planar else samples.reshape(-1, channels)
