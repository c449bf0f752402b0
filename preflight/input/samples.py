"""Convert samples in memory to the WAV file that stores them without loss in the fewest bits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from preflight import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from preflight.input.recording import Segment

    Samples = NDArray[Any]

_TYPES: Final = ("int16", "int32", "float32", "float64")
_MAX_CHANNELS: Final = 64
_MAX_FLOAT: Final = 128.0
"""42 dB above full scale: integers that were not scaled exceed it, clipped or hot audio does not."""
_PCM, _FLOAT = 1, 3
"""Format tags of RFC 2361."""


@dataclass(frozen=True)
class PcmAudio:
    """Samples, and their sample format in a WAV file.

    Attributes:
        samples: Shape (frames, channels); int16, int32, float32 or float64.
        sample_rate_hz: The sample rate in hertz.
        bits: The bits per sample in the WAV file.
        is_float: Whether the WAV file stores floats.
    """

    samples: Samples
    sample_rate_hz: int
    bits: int
    is_float: bool

    @property
    def size(self) -> int:
        """The size of the WAV file in bytes."""
        return len(self._header()) + self._data_bytes + self._data_bytes % 2

    @property
    def _data_bytes(self) -> int:
        return self.samples.size * self.bits // 8

    def wav(self) -> Iterator[bytes]:
        """Yield the content of the WAV file."""
        # not with libsndfile, which writes the time into float files: equal samples must give equal files
        yield self._header()
        for block in _blocks(self.samples):
            yield self._encoded(block)
        yield bytes(self._data_bytes % 2)  # RIFF pads chunks of odd size

    def _header(self) -> bytes:
        """Return the RIFF header, ``fmt``, ``fact`` (required for floats) and the header of ``data``."""
        frames, channels = self.samples.shape
        align = channels * self.bits // 8
        tag = _FLOAT if self.is_float else _PCM
        form = struct.pack("<HHIIHH", tag, channels, self.sample_rate_hz, self.sample_rate_hz * align, align, self.bits)
        fact = struct.pack("<4sII", b"fact", 4, frames) if self.is_float else b""
        body = b"WAVE" + struct.pack("<4sI", b"fmt ", len(form)) + form + fact
        size = len(body) + 8 + self._data_bytes + self._data_bytes % 2
        return struct.pack("<4sI", b"RIFF", size) + body + struct.pack("<4sI", b"data", self._data_bytes)

    def _encoded(self, block: Samples) -> bytes:
        if self.is_float:
            return block.astype("<f4").tobytes()
        if block.dtype.kind == "f":
            block = (block.astype(np.float64) * 2.0 ** (self.bits - 1)).astype(np.int32)
        elif block.dtype.itemsize == 4:
            block = block >> (32 - self.bits)
        if self.bits != 24:  # numpy has no 24-bit type
            return block.astype(f"<i{self.bits // 8}").tobytes()
        return np.ascontiguousarray(block).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def pcm_from_samples(given: tuple[Any, ...]) -> PcmAudio:
    """Return the audio for a pair of samples and sample rate.

    Args:
        given: ``(samples, sample_rate_hz)``, see `preflight.Recording`.

    Raises:
        TypeError: The argument is not such a pair, or the type of the samples is not supported.
        ValueError: The samples are empty, not finite, too large or channels first, or the sample rate is impossible.
    """
    if len(given) == 2 and isinstance(given[1], np.ndarray) and not isinstance(given[0], np.ndarray):
        raise TypeError("the sample rate comes second: (samples, sample_rate_hz)")
    if len(given) != 2 or not isinstance(given[0], np.ndarray):
        kinds = ", ".join(type(part).__name__ for part in given)
        raise TypeError(f"a recording as a tuple must be (samples, sample_rate_hz) with a numpy array, not ({kinds})")
    samples, rate = np.asarray(given[0]), given[1]  # converts masked arrays and matrices
    if samples.dtype.name not in _TYPES:
        raise TypeError(f"samples must be {', '.join(_TYPES[:-1])} or {_TYPES[-1]}, not {samples.dtype.name}")
    return _pcm(_by_frames(samples), _whole_rate(rate))


def pcm_from_segment(segment: Segment) -> PcmAudio:
    """Return the audio of a `pydub.AudioSegment`.

    Raises:
        ValueError: The segment is empty, or its sample rate is impossible.
    """
    width = segment.sample_width
    samples = np.frombuffer(segment.raw_data, f"=i{width}").reshape(-1, segment.channels)
    if width == 1:
        samples = samples.astype(np.int16) << 8
    return _pcm(_by_frames(samples), _whole_rate(segment.frame_rate))


def _whole_rate(rate: object) -> int:
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
        raise TypeError(f"the sample rate must be a number of Hz, not {type(rate).__name__}")
    if not limits.MIN_SAMPLE_RATE_HZ <= rate <= limits.MAX_SAMPLE_RATE_HZ or rate != int(rate):
        highest = limits.MAX_SAMPLE_RATE_HZ
        raise ValueError(
            f"sample rate of {rate} Hz: must be a whole number from {limits.MIN_SAMPLE_RATE_HZ} to {highest}"
        )
    return int(rate)


def _by_frames(samples: Samples) -> Samples:
    if samples.ndim not in (1, 2):
        raise ValueError(f"samples must have the shape (frames,) or (frames, channels), not {samples.shape}")
    if not samples.size:
        raise ValueError("there are no samples")
    if samples.ndim == 1:
        return samples[:, np.newaxis]
    frames, channels = samples.shape
    if channels > frames:
        raise ValueError(f"samples of shape {samples.shape} look like (channels, frames): transpose them (samples.T)")
    if channels > _MAX_CHANNELS:
        raise ValueError(
            f"samples of shape {samples.shape} have {channels} channels, above the maximum of {_MAX_CHANNELS}"
        )
    return samples


def _pcm(samples: Samples, rate: int) -> PcmAudio:
    is_float = samples.dtype.kind == "f"
    if is_float:
        _require_valid_floats(samples)
    for bits in (16, 24):
        if all(_fits(block, bits) for block in _blocks(samples)):
            return PcmAudio(samples, rate, bits, is_float=False)
    # float64 loses its bits below -150 dB, beyond the resolution of any converter
    return PcmAudio(samples, rate, 32, is_float=is_float)


def _require_valid_floats(samples: Samples) -> None:
    for block in _blocks(samples):
        if not np.isfinite(block).all():
            raise ValueError("the samples contain NaN or infinite values")
        peak = float(np.abs(block).max())
        if peak > _MAX_FLOAT:
            raise ValueError(
                f"floating-point samples must have a full scale of 1, but these reach {peak:g}: divide them, or use "
                "int16 or int32"
            )


def _fits(block: Samples, bits: int) -> bool:
    """Whether a block can be stored in integers of `bits` bits without loss."""
    if block.dtype.kind == "f":
        top = 2.0 ** (bits - 1)
        scaled = block.astype(np.float64) * top
        return bool((scaled == np.rint(scaled)).all() and scaled.min() >= -top and scaled.max() < top)
    return block.dtype.itemsize == 2 or not (block & ((1 << (32 - bits)) - 1)).any()


def _blocks(samples: Samples) -> Iterator[Samples]:
    """Yield blocks of limited size, so that the memory does not depend on the duration."""
    frames = max(1, limits.BLOCK_SAMPLES // samples.shape[1])
    for start in range(0, len(samples), frames):
        yield samples[start : start + frames]
