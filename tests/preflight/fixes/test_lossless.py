"""A conversion to WAV keeps every sample where the sample format fits: 32-bit integers, 32- and 64-bit floats."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import soundfile

import preflight
from tests.support.make_audio import RATE, chunk, form_chunk, riff, talk, wav

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SPEECH = talk(12).astype(np.float64) * 0.9
SUBTYPES = {"PCM_32": "int32", "FLOAT": "float32", "DOUBLE": "float64"}


def stored(subtype: str) -> NDArray[Any]:
    """Return speech that needs every bit of the sample format, so that a conversion by float32 or dither shows."""
    noise = np.random.default_rng(5).normal(0, 1e-6, len(SPEECH))
    wide = SPEECH + noise
    return np.rint(wide * 2**31).astype(np.int32) if subtype == "PCM_32" else wide.astype(SUBTYPES[subtype])


def in_matroska(samples: NDArray[Any]) -> bytes:
    codec, form = {"i": ("pcm_s32le", "s32"), "f": ("pcm_f32le", "flt")}[samples.dtype.kind]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream: Any = output.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format=form, layout="mono")
        frame.sample_rate = RATE
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("subtype", "form"),
    [("PCM_32", "AIFF"), ("PCM_32", "MATROSKA"), ("FLOAT", "CAF"), ("FLOAT", "MATROSKA"), ("DOUBLE", "RF64")],
)
def test_every_sample_is_kept(subtype: str, form: str, tmp_path: Path) -> None:
    path, given = tmp_path / "take", stored(subtype)
    if form == "MATROSKA":
        path.write_bytes(in_matroska(given))
    else:
        soundfile.write(path, given, RATE, subtype=subtype, format=form)
    fixed = [preflight.fix(path, tmp_path / f"{number}.wav") for number in range(2)]
    assert fixed[0].lossless
    assert soundfile.info(tmp_path / "0.wav").subtype == subtype
    kept, _ = soundfile.read(tmp_path / "0.wav", dtype=SUBTYPES[subtype])
    assert np.array_equal(kept, given)
    assert (tmp_path / "0.wav").read_bytes() == (tmp_path / "1.wav").read_bytes()


@pytest.mark.parametrize(("tag", "subtype"), [(1, "PCM_32"), (3, "FLOAT"), (3, "DOUBLE")])
def test_a_wrong_fact_chunk_is_corrected_without_loss(tag: int, subtype: str, tmp_path: Path) -> None:
    given, path = stored(subtype), tmp_path / "take.wav"
    form = form_chunk(tag, bits=8 * given.dtype.itemsize)
    path.write_bytes(riff(form, chunk(b"fact", struct.pack("<I", 420 * RATE)), chunk(b"data", given.tobytes())))
    fixed = preflight.fix(path, tmp_path / "out.wav")
    assert [finding.rule for finding in fixed.before.findings] == ["header-mismatch"]
    assert fixed.after is not None
    assert (fixed.lossless, fixed.after.findings) == (True, ())
    assert np.array_equal(soundfile.read(tmp_path / "out.wav", dtype=SUBTYPES[subtype])[0], given)


def test_a_cut_of_32_bit_integers_has_24_bits(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav(SPEECH.astype(np.float32), subtype="PCM_32"))
    options = preflight.FixOptions(start_s=0.5, end_s=11.5)
    fixed = preflight.fix(path, tmp_path / "out.wav", options=options)
    assert not fixed.lossless
    assert soundfile.info(tmp_path / "out.wav").subtype == "PCM_24"
