"""The types of recordings: a path, or audio without a file."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

from preflight.errors import CannotOpen
from preflight.input.on_demand import OnDemand

if TYPE_CHECKING:
    from numpy.typing import NDArray

PathLike = str | os.PathLike[str] | os.PathLike[bytes]


class BinaryStream(Protocol):
    """A file object opened in binary mode for reading."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes; empty at the end."""
        ...


class Segment(Protocol):
    """The part of the interface of `pydub.AudioSegment` that is used."""

    @property
    def raw_data(self) -> bytes:
        """The interleaved samples, integers in native byte order."""
        ...

    @property
    def sample_width(self) -> int:
        """The size of a sample in bytes."""
        ...

    @property
    def frame_rate(self) -> int:
        """The sample rate in hertz."""
        ...

    @property
    def channels(self) -> int:
        """The number of channels."""
        ...


Recording: TypeAlias = (
    PathLike | bytes | bytearray | memoryview | BinaryStream | tuple["NDArray[Any]", float] | Segment | OnDemand
)
"""A recording, in one of these forms:

- a path: `str` or `os.PathLike` (`bytes` are content, not a path; ``os.fsdecode`` converts a bytes path);
- the content of a file: `bytes`, `bytearray` or `memoryview`;
- a binary file object. A seekable one, such as ``open(path, "rb")``, is read from its start, and its position is
  restored; any other, such as a pipe, is read from its position to its end, up to 2 GiB;
- samples and their sample rate in hertz, ``(samples, sample_rate_hz)``: a numpy array of shape (frames,) or (frames,
  channels) of int16, int32, float32 or float64, as soundfile returns it; the full scale of floats is 1;
- a `pydub.AudioSegment`;
- an `OnDemand`, which fetches it, such as those of `onetake.recordings`.

Samples are treated as the WAV file that stores them without loss in the fewest bits: 16 or 24 if every sample fits,
else 32, as integers or floats like the samples. So samples read from a 16-bit WAV file are treated as that file.

A recording that cannot be read is not an error of the caller: `check` reports the finding ``unreadable``, other
functions raise `CannotFix` or `CannotOpen`. An argument that cannot be a recording raises `TypeError` (an int, text,
samples without a sample rate or of another type) or `ValueError` (samples that are empty, not finite or channels first,
an impossible sample rate, a closed file object)."""

_EXPECTED = "a path, bytes, a binary file object, (samples, sample_rate_hz) or a pydub.AudioSegment"


@dataclass(frozen=True)
class SpooledFile(os.PathLike[str]):
    """A recording that was not given as a path, at a temporary path.

    Attributes:
        name: The name for display.
        path: The path where this process, and others of this user, can open it.
        has_file: Whether `name` is the name of the file, so that its extension counts. That of a compressed or remote
            file may differ.
        problem: Why it could not be spooled; then there is no file at the path.
    """

    name: str
    path: str = ""
    has_file: bool = False
    problem: CannotOpen | None = None

    def __fspath__(self) -> str:
        return self.path


def name_of(recording: Recording) -> str:
    """Return the path of a recording, or its kind, such as ``<bytes>``.

    Raises:
        TypeError: The argument cannot be a recording.
    """
    if isinstance(recording, SpooledFile | OnDemand):
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
    raise TypeError(f"a recording must be {_EXPECTED}, not {_kind(recording)}")


def stem_of(recording: Recording) -> str:
    """Return the name for files made from a recording, without extension: ``take`` for take.m4a, ``bytes``."""
    name = name_of(recording)
    has_path = isinstance(recording, str | os.PathLike) and not isinstance(recording, SpooledFile)
    if not has_path and name.startswith("<") and name.endswith(">"):
        return name[1:-1]
    return Path(name).stem


def is_segment(recording: object) -> TypeGuard[Segment]:
    """Whether `recording` is a `pydub.AudioSegment`."""
    # without importing pydub, which is slow: if it is not imported yet, the recording cannot be a segment
    kind = getattr(sys.modules.get("pydub"), "AudioSegment", None)
    return isinstance(kind, type) and isinstance(recording, kind)


def _kind(recording: object) -> str:
    if type(recording).__name__ == "ndarray":
        return "samples without their sample rate"
    return type(recording).__name__
