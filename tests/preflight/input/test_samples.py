"""Samples and pydub segments: the WAV file that they give, and invalid arguments."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydub import AudioSegment

import preflight
from tests.support.make_audio import FIXTURES, RATE
from tests.support.sources import content_of

GOOD = FIXTURES / "good.wav"
WAVS = [FIXTURES / name for name in ("good.wav", "prompt.wav", "too-short.wav", "truncated.wav")]


@pytest.mark.parametrize("kind", ["int16", "int32", "float32", "float64", ">f4", ">i2"])
@pytest.mark.parametrize("path", WAVS, ids=lambda path: path.name)
def test_samples_from_soundfile_give_the_report_of_the_file(path: Path, kind: str) -> None:
    expected = preflight.check(path)
    samples, rate = soundfile.read(path, dtype=np.dtype(kind).newbyteorder("=").name)
    found = preflight.check((samples.astype(kind), rate))
    assert (found.path, found.file.codec) == ("<samples>", "pcm_s16le")
    assert found.measurements == expected.measurements
    assert found.speech == expected.speech
    assert found.file.duration_s == expected.file.duration_s


def test_audio_segments_give_the_report_of_the_file() -> None:
    assert preflight.check(AudioSegment.from_wav(GOOD)).file.sha256 == preflight.check(GOOD).file.sha256
    eight = AudioSegment.from_wav(GOOD).set_sample_width(1)
    assert preflight.check(eight).measurements["snr_db"] < preflight.check(GOOD).measurements["snr_db"]
    assert preflight.check(AudioSegment.from_wav(GOOD).set_sample_width(4)).file.bytes == GOOD.stat().st_size


def test_recognizing_a_recording_imports_neither_numpy_nor_pydub() -> None:
    script = "import preflight, sys; preflight.display_name(b''); print({'numpy', 'pydub'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("kind", "subtype"), [("int16", "PCM_16"), ("float64", "PCM_24"), ("int32", "PCM_32")])
def test_integers_are_written_like_soundfile(channels: int, kind: str, subtype: str) -> None:
    bits = int(subtype[4:])
    whole = np.random.default_rng(1).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (999, channels))
    if kind == "float64":
        samples: Any = whole / 2.0 ** (bits - 1)
        shifted = (whole << 8).astype(np.int32)
    else:
        samples = shifted = whole.astype(kind)
    expected = io.BytesIO()
    soundfile.write(expected, shifted, RATE, subtype=subtype, format="WAV")
    assert content_of((samples, RATE)) == expected.getvalue()


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_floats_stay_floats_and_give_equal_files(kind: str) -> None:
    samples = (1.5 * np.sin(np.arange(64_000) / 7)).astype(kind)
    data = content_of((samples, RATE))
    read, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == RATE
    assert np.array_equal(read, samples.astype(np.float32))
    assert soundfile.info(io.BytesIO(data)).subtype == "FLOAT"
    assert data == content_of((samples.copy(), RATE))  # no timestamp: equal samples give equal files


SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=300)
KINDS = st.sampled_from(["int16", "int32", "float32", "float64", "uint8", "int64", "float16", "bool", "complex64"])
RATES = st.one_of(st.integers(-1, 10**6), st.floats(), st.sampled_from([8000, 44100.0, np.int64(48000), None, "8000"]))


@settings(max_examples=60)
@given(data=st.data(), shape=SHAPES, kind=KINDS, rate=RATES)
def test_any_array_is_stored_or_rejected(data: st.DataObject, shape: tuple[int, ...], kind: str, rate: Any) -> None:
    """It is rejected with a short message, or stored and read back without loss."""
    samples = data.draw(arrays.arrays(kind, shape, fill=st.just(0)))
    refused = ""
    try:
        stored = content_of((samples, rate))
    except (TypeError, ValueError) as error:
        refused = str(error)
    if refused:
        assert len(refused) < 200
        return
    assert kind in {"int16", "int32", "float32", "float64"}
    read, read_rate = soundfile.read(io.BytesIO(stored), dtype=kind, always_2d=True)
    assert read_rate == rate
    expected = samples.reshape(len(samples), -1)
    assert np.array_equal(read, expected.astype(np.float32) if kind[0] == "f" else expected)


SOUND = np.zeros(1600, np.float32)
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "number": (42, TypeError, "not int"),
    "nothing": (None, TypeError, "not NoneType"),
    "list": ([GOOD], TypeError, "not list"),
    "array": (SOUND, TypeError, "without their sample rate"),
    "text": (io.StringIO("a"), TypeError, "rb"),
    "order": ((RATE, SOUND), TypeError, "rate comes second"),
    "no array": (([0, 1], RATE), TypeError, "numpy array"),
    "rate of text": ((SOUND, "16000"), TypeError, "number of Hz"),
    "truth": ((SOUND, True), TypeError, "number of Hz"),
    "type": ((SOUND.astype(np.int64), RATE), TypeError, "not int64"),
    "channels first": ((SOUND.reshape(2, -1), RATE), ValueError, "transpose"),
    "three axes": ((SOUND.reshape(-1, 2, 2), RATE), ValueError, "shape"),
    "empty": ((SOUND[:0], RATE), ValueError, "no samples"),
    "nan": ((SOUND + np.nan, RATE), ValueError, "NaN"),
    "inf": ((SOUND - np.inf, RATE), ValueError, "infinite"),
    "not divided": ((SOUND + 32767, RATE), ValueError, "full scale"),
    "rate": ((SOUND, 0), ValueError, "sample rate"),
    "part of a Hz": ((SOUND, 16000.5), ValueError, "sample rate"),
    "rate that is not a number": ((SOUND, float("nan")), ValueError, "sample rate"),
}


@pytest.mark.parametrize("name", WRONG)
def test_invalid_arguments_raise(name: str, tmp_path: Path) -> None:
    recording, kind, words = WRONG[name]
    calls: list[Callable[[], object]] = [
        lambda: preflight.check(recording),
        lambda: preflight.plan(recording),
        lambda: preflight.fix(recording, tmp_path / "out.wav"),
        lambda: preflight.join([GOOD, recording], tmp_path / "out.wav"),
        lambda: preflight.prompt_clips(recording),
        lambda: list(preflight.check_many([recording])),
    ]
    for call in calls:
        with pytest.raises(kind, match=words):
            call()
    assert list(tmp_path.iterdir()) == []


def test_samples_may_have_any_memory_layout() -> None:
    stereo = np.random.default_rng(1).uniform(-1, 1, (2, 5000)).astype(np.float32)
    for samples in (stereo.T, stereo.T[::-1], np.ma.masked_array(stereo.T), np.repeat(stereo.T, 2, axis=0)[::2]):
        read, _ = soundfile.read(io.BytesIO(content_of((samples, RATE))), dtype="float32")
        assert np.array_equal(read, np.asarray(samples))
