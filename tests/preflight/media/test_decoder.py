"""Decoding to blocks: sample types, scaling, invalid samples, limits and damaged packets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from preflight import limits
from preflight.media.decoder import Decoder, scale_of
from preflight.media.probe import probe
from tests.support.make_audio import RATE, m4a, mp3, talk, wav
from tests.support.sources import opened

SOUND = talk(3.0)


def decoded(content: bytes) -> tuple[Decoder, NDArray[np.float32]]:
    with opened(content) as source:
        decoder = Decoder(source, probe(source))
        blocks = list(decoder.blocks())
    return decoder, np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


@pytest.mark.parametrize(("subtype", "dtype"), [("PCM_16", "int16"), ("PCM_24", "int32"), ("FLOAT", "float32")])
def test_samples_keep_their_stored_type(subtype: str, dtype: str) -> None:
    with opened(wav(SOUND, subtype=subtype)) as source:
        block = next(Decoder(source, probe(source)).stored_blocks())
    assert block.dtype.name == dtype
    assert np.allclose(block[:, 0] * scale_of(block), SOUND[: len(block)], atol=2**-15)


def test_blocks_are_float32_with_a_full_scale_of_one() -> None:
    decoder, samples = decoded(wav(np.stack([SOUND, -SOUND], axis=1)))
    assert (samples.dtype.name, samples.shape) == ("float32", (len(SOUND), 2))
    assert np.allclose(samples[:, 0], -samples[:, 1], atol=2**-14)
    assert (decoder.frames, decoder.duration_s) == (len(SOUND), len(SOUND) / RATE)


def test_the_size_of_a_block_does_not_depend_on_the_number_of_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK_SAMPLES", 6000)
    for channels, frames in ((1, 6000), (3, 2000)):
        with opened(wav(np.stack([SOUND] * channels, axis=1))) as source:
            assert len(next(Decoder(source, probe(source)).blocks())) == frames


def test_invalid_samples_are_silenced_and_reported_as_damage() -> None:
    sound = SOUND.copy()
    sound[RATE : RATE + 100] = np.nan
    sound[RATE + 200] = np.inf
    sound[2 * RATE] = 1e6
    decoder, samples = decoded(wav(sound, subtype="FLOAT"))
    assert np.isfinite(samples).all()
    moments = [moment for spot in decoder.damage for moment in (spot.start_s, spot.end_s)]
    assert moments == pytest.approx([1.0, 1 + 201 / RATE, 2.0, 2 + 1 / RATE])


def test_floats_with_the_range_of_integers_are_scaled() -> None:
    decoder, samples = decoded(wav(SOUND * np.float32(32768), subtype="FLOAT"))
    assert decoder.float_scale == 32768.0
    assert np.allclose(samples[:, 0], SOUND, atol=1e-6)


def test_decoding_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_DECODED_S", 1.0)
    monkeypatch.setattr(limits, "BLOCK_SAMPLES", 4000)
    decoder, samples = decoded(wav(SOUND))
    assert decoder.stopped
    assert RATE <= len(samples) < RATE + 4000


@pytest.mark.parametrize("make", [mp3, m4a])
def test_lossy_audio_has_its_duration_without_padding(make: object) -> None:
    decoder, samples = decoded(make(SOUND))  # type: ignore[operator]
    assert len(samples) == pytest.approx(len(SOUND), abs=1200)
    assert decoder.padded_s >= decoder.duration_s
    assert decoder.damage == []


def test_a_damaged_packet_costs_only_that_packet() -> None:
    content = bytearray(mp3(SOUND, xing=False))
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(range(200)) * 2
    decoder, samples = decoded(bytes(content))
    assert len(samples) > 0.85 * len(SOUND)
    assert decoder.probe.damage or decoder.damage
