"""Samples in memory as the WAV file that holds all of them in the fewest bits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from preflight.input.types import Segment

    Samples = NDArray[Any]

_TYPES: Final = ("int16", "int32", "float32", "float64")
_MOST_CHANNELS: Final = 64
_HIGHEST: Final = 128.0
"""Of floating point, 42 dB over full scale: whole numbers that were not divided lie above, overdriven sound below."""
_PCM, _FLOAT = 1, 3


@dataclass(frozen=True)
class Sound:
    """Samples, and how a WAV holds them.

    Attributes:
        samples: Shape (frames, channels); int16, int32, float32 or float64.
        sample_rate_hz: Frames a second.
        bits: Of a sample in the WAV.
        is_float: Whether they are floating point there.
    """

    samples: Samples
    sample_rate_hz: int
    bits: int
    is_float: bool

    @property
    def size(self) -> int:
        """Bytes of the WAV."""
        return len(self._header()) + self._data_bytes + self._data_bytes % 2

    @property
    def _data_bytes(self) -> int:
        return self.samples.size * self.bits // 8

    def wav(self) -> Iterator[bytes]:
        """Yield the file, which is the same for the same samples: libsndfile writes the time into those of floats."""
        yield self._header()
        for block in _blocks(self.samples):
            yield self._coded(block)
        yield bytes(self._data_bytes % 2)

    def _header(self) -> bytes:
        """RIFF, ``fmt`` and, for floating point, ``fact``, as in Microsoft's "Multiple Channel Audio Data" (2001)."""
        frames, channels = self.samples.shape
        align = channels * self.bits // 8
        tag = _FLOAT if self.is_float else _PCM
        form = struct.pack("<HHIIHH", tag, channels, self.sample_rate_hz, self.sample_rate_hz * align, align, self.bits)
        fact = struct.pack("<4sII", b"fact", 4, frames) if self.is_float else b""
        body = b"WAVE" + struct.pack("<4sI", b"fmt ", len(form)) + form + fact
        size = len(body) + 8 + self._data_bytes + self._data_bytes % 2
        return struct.pack("<4sI", b"RIFF", size) + body + struct.pack("<4sI", b"data", self._data_bytes)

    def _coded(self, block: Samples) -> bytes:
        if self.is_float:
            return block.astype("<f4").tobytes()
        if block.dtype.kind == "f":
            block = (block.astype(np.float64) * 2.0 ** (self.bits - 1)).astype(np.int32)
        elif block.dtype.itemsize == 4:
            block = block >> (32 - self.bits)
        if self.bits != 24:
            return block.astype(f"<i{self.bits // 8}").tobytes()
        return np.ascontiguousarray(block).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def sound_of(given: tuple[Any, ...]) -> Sound:
    """Samples with their rate, as a user has them.

    Args:
        given: ``(samples, sample_rate_hz)``, see `preflight.Recording`.

    Raises:
        TypeError: It is not that pair, or the samples are of another type.
        ValueError: The samples are empty, no numbers, too large or in another order, or the rate cannot be.
    """
    if len(given) == 2 and isinstance(given[1], np.ndarray) and not isinstance(given[0], np.ndarray):
        raise TypeError("the rate comes second: (samples, sample_rate_hz)")
    if len(given) != 2 or not isinstance(given[0], np.ndarray):
        kinds = ", ".join(type(part).__name__ for part in given)
        raise TypeError(f"sound without a file is (samples, sample_rate_hz) with a numpy array, not ({kinds})")
    samples, rate = np.asarray(given[0]), given[1]  # also what is masked, or a matrix
    if samples.dtype.name not in _TYPES:
        raise TypeError(f"samples are of {', '.join(_TYPES[:-1])} or {_TYPES[-1]}, not {samples.dtype.name}")
    return _sound(_by_frames(samples), _whole_rate(rate))


def sound_of_segment(segment: Segment) -> Sound:
    """What a `pydub.AudioSegment` holds.

    Raises:
        ValueError: It is empty, or its rate cannot be.
    """
    width = segment.sample_width
    samples = np.frombuffer(segment.raw_data, f"=i{width}").reshape(-1, segment.channels)
    if width == 1:
        samples = samples.astype(np.int16) << 8
    return _sound(_by_frames(samples), _whole_rate(segment.frame_rate))


def _whole_rate(rate: object) -> int:
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
        raise TypeError(f"a sample rate is a number of Hz, not {type(rate).__name__}")
    if not limits.MIN_SAMPLE_RATE_HZ <= rate <= limits.MAX_SAMPLE_RATE_HZ or rate != int(rate):
        most = limits.MAX_SAMPLE_RATE_HZ
        raise ValueError(f"a sample rate of {rate} Hz cannot be: {limits.MIN_SAMPLE_RATE_HZ} to {most}, whole")
    return int(rate)


def _by_frames(samples: Samples) -> Samples:
    if samples.ndim not in (1, 2):
        raise ValueError(f"samples have the shape (frames,) or (frames, channels), not {samples.shape}")
    if not samples.size:
        raise ValueError("there are no samples")
    if samples.ndim == 1:
        return samples[:, np.newaxis]
    frames, channels = samples.shape
    if channels > frames:
        raise ValueError(f"samples of shape {samples.shape} are (channels, frames): transpose them (samples.T)")
    if channels > _MOST_CHANNELS:
        raise ValueError(f"samples of shape {samples.shape} have {channels} channels; at most {_MOST_CHANNELS} can be")
    return samples


def _sound(samples: Samples, rate: int) -> Sound:
    is_float = samples.dtype.kind == "f"
    if is_float:
        _require_sound(samples)
    for bits in (16, 24):
        if all(_fits(block, bits) for block in _blocks(samples)):
            return Sound(samples, rate, bits, is_float=False)
    # a float64 loses what lies 150 dB below it, which no converter hears and no service decodes
    return Sound(samples, rate, 32, is_float=is_float)


def _require_sound(samples: Samples) -> None:
    for block in _blocks(samples):
        if not np.isfinite(block).all():
            raise ValueError("the samples hold values that are no numbers (NaN) or infinite")
        peak = float(np.abs(block).max())
        if peak > _HIGHEST:
            raise ValueError(
                f"floating-point samples have their full scale at ±1; these reach {peak:g}: "
                "divide them, or give them as int16 or int32"
            )


def _fits(block: Samples, bits: int) -> bool:
    """Whether nothing of a block is lost in whole numbers of `bits`."""
    if block.dtype.kind == "f":
        top = 2.0 ** (bits - 1)
        scaled = block.astype(np.float64) * top
        return bool((scaled == np.rint(scaled)).all() and scaled.min() >= -top and scaled.max() < top)
    return block.dtype.itemsize == 2 or not (block & ((1 << (32 - bits)) - 1)).any()


def _blocks(samples: Samples) -> Iterator[Samples]:
    """Parts that are small however long a recording is."""
    frames = max(1, limits.BLOCK_SAMPLES // samples.shape[1])
    for start in range(0, len(samples), frames):
        yield samples[start : start + frames]
