"""How results are encoded: exact integers, dither, and write errors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from preflight.fixes.encode import encode, open_muxer, to_integers
from preflight.fixes.encoding_target import Target

RATE = 16_000


@pytest.mark.parametrize("bits", [16, 24])
def test_integers_come_back_as_themselves(bits: int) -> None:
    top = 2 ** (bits - 1)
    values = np.array([-top, -top + 1, -1, 0, 1, top - 2, top - 1], np.float64)
    integers = to_integers((values / top).astype(np.float32)[:, np.newaxis], bits, None)
    assert np.array_equal(integers[:, 0].astype(np.int64) // 2 ** (0 if bits == 16 else 8), values.astype(np.int64))


def test_samples_above_full_scale_are_clipped_not_wrapped() -> None:
    assert to_integers(np.array([[2.0], [-2.0]], np.float32), 16, None).tolist() == [[32767], [-32768]]


def test_dither_makes_the_error_independent_of_the_signal() -> None:
    """A tone of a quarter of the last bit is lost without dither, and kept with it, in white noise."""
    tone = (0.25 * 2.0**-15 * np.sin(2 * np.pi * np.arange(200_000) / 50)).astype(np.float32)[:, np.newaxis]
    assert not to_integers(tone, 16, None).any()
    dithered = to_integers(tone, 16, np.random.default_rng(1)).astype(np.float64)
    error = dithered[:, 0] - tone[:, 0] * 2**15
    assert dithered[:, 0] @ tone[:, 0] / (tone[:, 0] @ tone[:, 0]) == pytest.approx(2**15, rel=0.05)
    assert abs(error.mean()) < 0.01
    assert error.var() == pytest.approx(1 / 4, rel=0.05)  # 1/12 of rounding and 2/12 of dither
    assert abs(np.corrcoef(error[:-1], error[1:])[0, 1]) < 0.02


def tone(seconds: float, channels: int = 1, rate: int = RATE) -> NDArray[np.float32]:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, np.newaxis], channels, axis=1).astype(np.float32)


def blocks_of(sound: NDArray[np.float32], size: int = 3000) -> Iterator[NDArray[np.float32]]:
    return (sound[start : start + size] for start in range(0, len(sound), size))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("bits", [16, 24])
def test_a_wav_holds_the_rounded_samples(channels: int, bits: int, tmp_path: Path) -> None:
    path, sound = tmp_path / "out.wav", tone(0.5, channels)
    with path.open("w+b") as file:
        encode(blocks_of(sound), RATE, file, "wav", Target(RATE, channels, bits))
    read, rate = soundfile.read(path, always_2d=True)
    assert rate == RATE
    assert soundfile.info(path).subtype == f"PCM_{bits}"
    assert np.abs(read - sound).max() <= 2.0**-bits


@pytest.mark.parametrize("container", ["m4a", "mp3"])
@pytest.mark.parametrize(("rate", "target_rate"), [(16_000, 16_000), (96_000, 48_000), (9000, 11_025)])
def test_lossy_encoders(container: Any, rate: int, target_rate: int, tmp_path: Path) -> None:
    path, sound = tmp_path / f"out.{container}", tone(1.0, 2, rate)
    target = Target(target_rate, 2, bit_rate_bps=128_000)
    with path.open("w+b") as file:
        encode(blocks_of(sound), rate, file, container, target)
    with av.open(str(path)) as result:
        stream = result.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == (
            {"m4a": "aac", "mp3": "mp3float"}[container],
            target_rate,
        )
        read = np.concatenate([frame.to_ndarray() for frame in result.decode(stream)], axis=1)
    assert read.shape[1] / target_rate == pytest.approx(1.0, abs=0.15)
    middle = read[0, target_rate // 4 : target_rate * 3 // 4]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.01)  # LAME's own gain is undone
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * target_rate / len(middle) == pytest.approx(440, abs=3)


class FullDisk(io.BytesIO):
    """A file that accepts a number of bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.refused = 0

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            self.refused += 1
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("container", ["m4a", "mp3"])
def test_a_write_error_is_raised_once_and_nothing_is_written_after_it(container: str) -> None:
    file = FullDisk(2000)
    with pytest.raises(OSError, match="No space left"):
        encode(blocks_of(tone(3.0)), RATE, file, container, Target(RATE, 1, bit_rate_bps=64_000))  # type: ignore[arg-type]
    assert file.refused == 1


def test_a_muxer_without_packets_is_an_error_of_ffmpeg_not_of_ours() -> None:
    with pytest.raises(av.error.FFmpegError), open_muxer(io.BytesIO(), "m4a") as output:
        output.start_encoding()
