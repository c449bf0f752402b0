"""How results are encoded: the choice of container and bit rate, exact integers, dither, and write errors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from preflight import limits
from preflight.analysis.analysis import ChannelFacts
from preflight.errors import CannotFix
from preflight.fixes.encode import Target, choose_target, downmix_weights, encode, open_muxer, to_integers
from preflight.media.probe import Probe

RATE = 16_000


def facts(rate: int = 48_000, channels: int = 1, bits: int | None = 16) -> Probe:
    return Probe("wav", "pcm_s16le" if bits else "aac", rate, channels, bits=bits)


@pytest.mark.parametrize(
    ("source", "seconds", "to", "is_processed", "container", "bits", "dither"),
    [
        (facts(), 60, None, False, "wav", 16, False),
        (facts(), 60, "wav", True, "wav", 16, True),  # computed samples are rounded with dither
        (facts(bits=24), 60, None, False, "wav", 24, False),
        (facts(bits=24), 60, None, True, "wav", 24, True),
        (facts(bits=32), 60, None, False, "wav", 24, True),  # a part of 32-bit integers is computed
        (facts(bits=8), 60, None, False, "wav", 16, False),
        (facts(bits=None), 60, None, False, "wav", 16, True),  # decoders of lossy codecs return floating point
        (facts(bits=24), 180, None, False, "wav", 16, True),  # 24 bits would be 26 MB
        (facts(channels=2), 104, None, False, "wav", 16, False),
        (facts(channels=2), 105, None, False, "m4a", 16, False),
        (facts(), 60, "m4a", False, "m4a", 16, False),
        (facts(), 60, "mp3", False, "mp3", 16, False),
    ],
)
def test_the_choice_of_the_container(
    source: Probe, seconds: float, to: Any, is_processed: bool, container: str, bits: int, dither: bool
) -> None:
    chosen, target = choose_target(source, seconds, to, None, is_processed=is_processed)
    assert (chosen, target.bits, target.dither) == (container, bits, dither)


@pytest.mark.parametrize("rate", [8000, 12_000, 16_000, 24_000, 32_000, 48_000])
def test_an_mp3_has_the_bit_rate_of_its_target(rate: int) -> None:
    _, target = choose_target(facts(rate, channels=2), 60, "mp3", None)
    file = io.BytesIO()
    encode(iter([np.zeros((rate, 2), np.float32)]), rate, file, "mp3", target)
    with av.open(io.BytesIO(file.getvalue())) as written:
        assert written.streams.audio[0].codec_context.bit_rate == target.bit_rate_bps


def test_a_wav_that_does_not_fit() -> None:
    with pytest.raises(CannotFix, match=r"a WAV would be 28\.8 MB, above the 20\.0 MB limit") as caught:
        choose_target(facts(channels=2), 150, "wav", None)
    assert ".m4a" in caught.value.hint


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(8000, 8000), (9000, 11_025), (16_000, 16_000), (44_100, 44_100), (48_000, 48_000), (96_000, 48_000)],
)
def test_the_sample_rate_of_a_lossy_result(rate: int, expected: int) -> None:
    assert choose_target(facts(rate), 60, "mp3", None)[1].sample_rate_hz == expected


@given(
    rate=st.integers(limits.MIN_SAMPLE_RATE_HZ, limits.MAX_SAMPLE_RATE_HZ),
    channels=st.integers(1, 2),
    bits=st.sampled_from([None, 8, 16, 24, 32]),
    seconds=st.floats(10, 300),
    to=st.sampled_from([None, "m4a", "mp3"]),
)
def test_every_result_fits(rate: int, channels: int, bits: int | None, seconds: float, to: Any) -> None:
    container, target = choose_target(facts(rate, channels, bits), seconds, to, None)
    assert target.bytes_per_s(container) * seconds <= limits.SAFE_BYTES
    if container != "wav":
        is_slow_mp3 = container == "mp3" and target.sample_rate_hz < 16_000  # LAME ends at 64 kbit/s there
        assert target.bit_rate_bps >= (64_000 if is_slow_mp3 else 128_000)
        assert target.bit_rate_bps % 1000 == 0


@pytest.mark.parametrize(
    ("channels", "weights"),
    [
        (ChannelFacts((-20.0, -20.0)), (0.5, 0.5)),
        (ChannelFacts((-20.0, -20.5), correlation=-0.9), (0.5, -0.5)),
        (ChannelFacts((-20.0, -20.5), correlation=0.3), (1.0, 0.0)),  # not the same voice
        (ChannelFacts((-45.0, -20.0), best=1), (0.0, 1.0)),  # the other is much softer
        (ChannelFacts((-20.0, -20.0), best=1, flipped=((3.0, 4.0),)), (0.0, 1.0)),
        (ChannelFacts((-20.0, -20.0), alone_s=(20.0, 20.0)), (1.0, 0.0)),  # two speakers
        (ChannelFacts((-20.0, -20.0, -60.0, -20.0), best=3), (0.0, 0.0, 0.0, 1.0)),
    ],
)
def test_downmix_weights(channels: ChannelFacts, weights: tuple[float, ...]) -> None:
    assert downmix_weights(channels) == weights


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
