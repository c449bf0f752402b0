"""What a recording may be: a file by its path, or sound without a file."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

from preflight.errors import CannotOpen

if TYPE_CHECKING:
    from numpy.typing import NDArray

PathLike = str | os.PathLike[str] | os.PathLike[bytes]


class BinaryStream(Protocol):
    """A file object that is open for reading bytes."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


class Segment(Protocol):
    """What is asked of a `pydub.AudioSegment`."""

    @property
    def raw_data(self) -> bytes:
        """Its samples, whole numbers of the machine's byte order, frame by frame."""

    @property
    def sample_width(self) -> int:
        """Bytes of a sample."""

    @property
    def frame_rate(self) -> int:
        """Frames a second."""

    @property
    def channels(self) -> int:
        """Number of channels."""


Recording: TypeAlias = PathLike | bytes | bytearray | memoryview | BinaryStream | tuple["NDArray[Any]", float] | Segment
"""A recording, in any of these forms:

- a path: `str` or `os.PathLike` (bytes are no path; ``os.fsdecode`` makes one of them, whatever they are);
- the content of a file: `bytes`, `bytearray` or `memoryview`;
- a binary file object. One that can seek, as ``open(path, "rb")`` gives it, is taken whole, and left where it was; any
  other, such as a pipe, is read from where it is to its end, at most 2 GiB;
- samples and their rate in Hz, ``(samples, sample_rate_hz)``: a numpy array of shape (frames,) or (frames, channels),
  of int16, int32, float32 or float64, as soundfile reads it; floating point has its full scale at ±1;
- a `pydub.AudioSegment`.

Samples are taken for the WAV file that holds all of them in the fewest bits: 16 or 24 where every sample is a whole
number of that many bits, else 32, whole numbers for whole numbers and floating point for floating point. So what was
read from a WAV file of 16 bits is taken for that file.

What cannot be read is no error of the program: `check` reports it as the finding ``unreadable``, others raise
`CannotFix` or `CannotOpen`. What can be no recording at all raises `TypeError` (an int, text, samples without a rate or
of another type) or `ValueError` (samples that are empty, no numbers or channels first, a rate that cannot be, a file
object that is closed)."""

_EXPECTED = "a path, bytes, a binary file object, (samples, sample_rate_hz) or a pydub.AudioSegment"


@dataclass(frozen=True)
class Stored(os.PathLike[str]):
    """A recording without a file of its own, at hand under a path.

    Attributes:
        name: What it is called.
        path: Where this process, and others of this user, can open it.
        has_file: Whether it is the file of that name; what was unpacked or fetched has another ending, if any.
        problem: Why it could not be stored; there is nothing behind the path then.
    """

    name: str
    path: str = ""
    has_file: bool = False
    problem: CannotOpen | None = None

    def __fspath__(self) -> str:
        return self.path


def name_of(recording: Recording) -> str:
    """What a recording is called, by its path or by its kind, such as ``<bytes>``.

    Raises:
        TypeError: It can be no recording.
    """
    if isinstance(recording, Stored):
        return recording.name
    if isinstance(recording, str | os.PathLike):
        return os.fsdecode(recording)
    if isinstance(recording, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(recording, tuple):
        return "<samples>"
    if is_segment(recording):
        return "<AudioSegment>"
    if callable(getattr(recording, "read", None)):
        name = getattr(recording, "name", None)
        return name if isinstance(name, str) and name else "<file>"
    raise TypeError(f"a recording is {_EXPECTED}, not {_kind(recording)}")


def stem_of(recording: Recording) -> str:
    """What a file that is made of a recording is called, without its ending: ``take`` for take.m4a, ``bytes``."""
    name = name_of(recording)
    has_path = isinstance(recording, str | os.PathLike) and not isinstance(recording, Stored)
    if not has_path and name.startswith("<") and name.endswith(">"):
        return name[1:-1]
    return Path(name).stem


def is_segment(recording: object) -> TypeGuard[Segment]:
    """Asked of the module if it is there: nobody has a segment without it, and to import it takes long."""
    kind = getattr(sys.modules.get("pydub"), "AudioSegment", None)
    return isinstance(kind, type) and isinstance(recording, kind)


def _kind(recording: object) -> str:
    if type(recording).__name__ == "ndarray":
        return "samples without their rate"
    return type(recording).__name__
