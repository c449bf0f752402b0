"""The samples of a microphone as a browser delivers them, and the WAV file that holds exactly the same samples.

A browser gives 32-bit floats. Chromium divides the positive samples of a 16-bit device by 32767 and the negative ones
by 32768 (media/base/audio_sample_types.h); others divide all by 32768. Where every sample of a take is a whole number
after that is undone, the take is written with 16 bits and is the microphone's own signal, bit for bit. Otherwise it is
written with 24 bits. Channels that are equal throughout are one channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

BYTES_PER_SAMPLE: Final = 4
_BLOCK_FRAMES: Final = 65_536
_TOLERANCE: Final = 1 / 64
"""Of a 16-bit step: the division and the multiplication by 32767 in 32-bit floats differ by less than 1/256."""
_POSITIVE_SCALES: Final = (32767.0, 32768.0)
_NEGATIVE_SCALE: Final = 32768.0


@dataclass(frozen=True)
class Captured:
    """What was written.

    Attributes:
        frames: Frames of the take.
        channels: Channels after equal ones were merged.
        bits: 16 where the device's own samples were recovered, else 24.
    """

    frames: int
    channels: int
    bits: int


def write_wav(samples: Path, out: BinaryIO, sample_rate_hz: int, channels: int) -> Captured:
    """Write captured samples as a WAV file.

    Args:
        samples: A file of little-endian 32-bit floats, interleaved; an incomplete frame at its end is ignored.
        out: The file to write, open for reading and writing.
        sample_rate_hz: Sample rate of the audio context.
        channels: Channels of each frame.
    """
    scales, is_one = list(_POSITIVE_SCALES), channels > 1
    for block in _blocks(samples, channels):
        scales = [scale for scale in scales if _is_whole(block, scale)]
        is_one = is_one and bool(np.all(block == block[:, :1]))
    kept = 1 if is_one else channels
    scale, bits = (scales[0], 16) if scales else (None, 24)
    frames = 0
    with soundfile.SoundFile(
        out, "w", samplerate=sample_rate_hz, channels=kept, subtype=f"PCM_{bits}", format="WAV"
    ) as file:
        for block in _blocks(samples, channels):
            sound = block[:, :kept]
            file.write(sound if scale is None else to_int16(sound, scale))
            frames += len(block)
    return Captured(frames, kept, bits)


def to_int16(samples: NDArray[np.float32], positive_scale: float) -> NDArray[np.int16]:
    """Undo the scaling of 16-bit samples; the shape stays.

    Args:
        samples: Samples from -1 to 1.
        positive_scale: What the positive samples were divided by.
    """
    return np.rint(_unscaled(samples, positive_scale)).astype(np.int16)


def _unscaled(samples: NDArray[np.float32], positive_scale: float) -> NDArray[np.float64]:
    scales = np.where(samples < 0, _NEGATIVE_SCALE, positive_scale)
    return np.asarray(samples, np.float64) * scales


def _is_whole(samples: NDArray[np.float32], positive_scale: float) -> bool:
    """Whether all samples are whole numbers in the range of 16 bits once the scaling is undone."""
    numbers = _unscaled(samples, positive_scale)
    whole = np.rint(numbers)
    is_near = np.abs(numbers - whole) <= _TOLERANCE
    return bool(np.all(is_near & (whole <= 32767) & (whole >= -32768)))


def _blocks(samples: Path, channels: int) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of shape (frames, channels); samples that are not finite become 0."""
    size = _BLOCK_FRAMES * channels * BYTES_PER_SAMPLE
    with samples.open("rb") as file:
        while content := file.read(size):
            whole = len(content) // (channels * BYTES_PER_SAMPLE) * channels * BYTES_PER_SAMPLE
            block = np.frombuffer(content[:whole], "<f4").reshape(-1, channels)
            yield np.where(np.isfinite(block), block, np.float32(0))
