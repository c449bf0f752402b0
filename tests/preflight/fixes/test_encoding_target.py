"""The choice of container, sample rate, bits and bit rate."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight import limits
from preflight.analysis.analysis import ChannelFacts
from preflight.errors import CannotFix
from preflight.fixes.encode import encode
from preflight.fixes.encoding_target import choose_target, downmix_weights
from preflight.media.probe import Probe


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
