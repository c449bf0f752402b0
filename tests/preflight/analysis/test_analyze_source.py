"""Recordings from the file to the analysis: decoding, progress, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from preflight.analysis.analyze import analyze_source, measure
from preflight.errors import NotARecording
from preflight.input.source import Source
from preflight.media.decoder import Decoder
from preflight.media.probe import Probe, probe
from tests.support import make_audio as making
from tests.support.make_audio import FIXTURES
from tests.support.sources import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Span
    from tests.support.audio_measures import Sound


class Broken(Exception):
    """Raised in the middle of a recording."""


def test_a_file_is_read_decoded_and_measured() -> None:
    with Source.open(FIXTURES / "good.m4a") as source:
        found = analyze_source(source)
    assert found.probe is not None
    assert (found.probe.container, found.probe.codec) == ("m4a", "aac")
    assert found.decoded_s == pytest.approx(found.measured_s)
    assert found.duration_s == pytest.approx(found.probe.estimated_duration_s, abs=0.1)
    assert (found.damage, found.changes, found.stopped, found.float_scale) == ((), (), False, 1.0)
    assert found.speech


def test_headers_without_sound_are_not_decoded() -> None:
    with opened(making.wav(np.zeros(0, np.float32))) as source:
        found = analyze_source(source)
    assert found.probe is not None
    assert not found.probe.has_sound or found.decoded_s == 0
    assert found.measurements == {}


def test_text_is_not_a_recording() -> None:
    with opened(b"This is a letter.\n" * 100) as source, pytest.raises(NotARecording):
        analyze_source(source)


def test_unscaled_floats_are_divided_by_their_full_scale() -> None:
    """int16 samples that were stored as floats without a division by 32768."""
    whole = np.round(making.talk(3) * 2**15).astype(np.float32)
    with opened(making.wav(whole, subtype="FLOAT")) as source:
        found = analyze_source(source)
    assert found.float_scale == 2**15
    assert found.measurements["sample_peak_dbfs"] <= 0


def test_progress_grows_to_the_whole_recording() -> None:
    seen: list[tuple[float, float | None]] = []
    with Source.open(FIXTURES / "good.wav") as source:
        found = analyze_source(source, on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {found.duration_s}
    assert 0 < seen[-1][0] <= (found.duration_s or 0)


def test_an_error_of_the_decoder_ends_the_measurement() -> None:
    def blocks() -> Iterator[Sound]:
        yield making.talk(1)[:, np.newaxis]
        raise Broken

    with pytest.raises(Broken):
        measure(Probe("wav", "pcm_f32le", making.RATE, 1), blocks())


def test_only_the_beginning_is_measured_on_request() -> None:
    with Source.open(FIXTURES / "good.wav") as source:
        found = analyze_source(source, measure_s=2)
    assert found.measured_s == pytest.approx(6.4)  # a chunk that begins before it is measured to its end
    assert (found.decoded_s or 0) > 10


@pytest.mark.parametrize(
    "part",
    [(0.0, 3.0), (2.5, 9.0), (4.01, 4.5), (8.0, 1000.0)],
    ids=["the beginning", "across blocks", "within a block", "to the end"],
)
def test_a_part_is_measured_like_a_recording_of_its_own(part: Span) -> None:
    with Source.open(FIXTURES / "good.wav") as source:
        found = analyze_source(source, part=part)
        whole = np.concatenate(list(Decoder(source, probe(source)).stored_blocks()))
        rate = probe(source).sample_rate_hz
    cut = (whole[round(part[0] * rate) : round(part[1] * rate)] / 2**15).astype(np.float32)
    with opened(making.wav(cut, rate)) as source:
        alone = analyze_source(source)
    assert found.measured_s == pytest.approx(len(cut) / rate)
    assert found.measurements == alone.measurements
    assert found.speech == alone.speech
    assert found.frame_powers == alone.frame_powers


def test_a_part_without_samples_has_no_measurements() -> None:
    with Source.open(FIXTURES / "good.wav") as source:
        found = analyze_source(source, part=(1000.0, 1001.0))
    assert (found.measured_s, found.measurements, found.speech) == (0, {}, ())
