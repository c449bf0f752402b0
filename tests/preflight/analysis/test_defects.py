"""Defects injected into clean speech are found from a stated strength on; clean speech has no findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.support import backgrounds, defects, processing
from tests.support import make_audio as making
from tests.support.audio_measures import judged
from tests.support.defects import Defect, Speech

pytestmark = pytest.mark.slow


def shortened(speech: Speech) -> Speech:
    """In whole tenths of a second: transforms take ten times as long where the number of samples has a large prime.

    The last 10 ms fade, because sound that follows a cut is a splice.
    """
    tenth = speech.rate // 10
    sound = speech.sound[: len(speech.sound) // tenth * tenth].copy()
    sound[-(tenth // 10) :] *= np.linspace(1, 0, tenth // 10, dtype=np.float32)
    return replace(speech, sound=sound)


SPEECHES = {
    16_000: shortened(defects.clean(making.talk(24), making.RATE)),
    48_000: shortened(defects.clean(defects.resampled(making.talk(24), making.RATE, 48_000), 48_000)),
}
COMPANIONS = {
    "clipping": {"too-loud"},  # clipped recordings are loud
    "noise": {"too-quiet"},
    "hum": {"noisy"},  # hum is noise too
    "silence": {"gated"},  # digital silence before a take is digital silence
}
NEAR_S = 0.05


@pytest.mark.parametrize("rate", SPEECHES)
def test_clean_speech_has_no_findings(rate: int) -> None:
    speech = SPEECHES[rate]
    for sound in (speech.sound, np.stack((speech.sound, 0.8 * np.roll(speech.sound, 20)), axis=1)):
        assert not judged(sound, rate)[1]


@pytest.mark.parametrize("rate", SPEECHES)
@pytest.mark.parametrize("kind", defects.KINDS, ids=lambda kind: kind.__name__)
def test_a_defect_is_found_from_its_stated_strength_on(kind: Callable[[Speech], Iterator[Defect]], rate: int) -> None:
    for defect in kind(SPEECHES[rate]):
        decoded, findings = judged(defect.sound, rate)
        details = f"{defect.kind}, {defect.strength}: {decoded.measurements}"
        assert (defect.rule in findings) == defect.is_strong, details
        assert set(findings) <= {defect.rule} | COMPANIONS.get(defect.kind, set()), details
        if defect.measurement:
            measured = decoded.measurements[defect.measurement]
            assert measured == pytest.approx(defect.value, abs=defect.tolerance), details
        if defect.spans:
            assert_near(findings[defect.rule].spans, defect)


@pytest.mark.parametrize("rate", SPEECHES)
@pytest.mark.parametrize(
    "kind",
    [
        backgrounds.rumbling,
        backgrounds.roaring,
        processing.coarse,
        processing.spliced,
        processing.popping,
        processing.one_sided,
    ],
    ids=lambda kind: kind.__name__,
)
def test_a_condition_is_named_for_what_it_is(kind: Callable[[Speech], Iterator[Defect]], rate: int) -> None:
    for defect in kind(SPEECHES[rate]):
        findings = judged(defect.sound, rate)[1]
        assert (defect.rule in findings) == defect.is_strong, defect.strength
        assert not set(defect.wrong) & set(findings), defect.strength


@pytest.mark.parametrize("rate", SPEECHES)
def test_hard_gates_are_gated_and_no_dropouts(rate: int) -> None:
    hard = [defect for defect in processing.gated(SPEECHES[rate]) if defect.kind == "hard gate"]
    for defect in hard:
        findings = judged(defect.sound, rate)[1]
        assert "gated" in findings, defect.strength
        assert "dropouts" not in findings, defect.strength


def assert_near(spans: tuple[tuple[float, float], ...], defect: Defect) -> None:
    assert len(spans) == len(defect.spans), (spans, defect.spans)
    for found, true in zip(spans, defect.spans, strict=True):
        assert found == pytest.approx(true, abs=NEAR_S), (defect.kind, defect.strength)


def test_clipping_is_found_at_any_level_and_on_one_side() -> None:
    speech = SPEECHES[48_000]
    for low, high in ((-0.2, 1.0), (-1.0, 0.13), (-0.21, 0.13)):
        decoded, findings = judged(np.clip(speech.sound, low, high), speech.rate)
        assert "clipped" in findings, (low, high)
        true = 100 * float(((speech.sound <= low) | (speech.sound >= high)).mean())
        assert decoded.measurements["clipped_percent"] == pytest.approx(true, rel=0.15)


def test_clipped_runs_at_a_chunk_border_are_counted_once() -> None:
    rate = 48_000
    square = np.where(np.arange(5 * rate) // 100 % 2, 0.5, -0.5) * np.linspace(0, 1, 5 * rate) ** 0.01
    square = np.clip(square, -0.49, 0.49).astype(np.float32)
    decoded, _ = judged(square, rate)
    assert decoded.measurements["clipped_percent"] == pytest.approx(100, abs=15)
    assert decoded.measurements["clipped_runs"] == pytest.approx(5 * rate / 100, rel=0.15)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_the_flat_tops_of_slow_waves_are_not_clipping(scale: float) -> None:
    rate = 48_000
    time = np.arange(12 * rate) / rate
    slow = 0.8 * scale * np.sin(2 * np.pi * 30 * time) * (1 + 0.1 * np.sin(2 * np.pi * 0.3 * time))
    whole = np.rint(slow * 32767) / 32767
    assert judged(np.asarray(whole, np.float32), rate)[0].measurements["clipped_percent"] == 0


def test_a_dropout_in_one_channel_is_found() -> None:
    speech: Speech = SPEECHES[48_000]
    hole = speech.sound.copy()
    start = round(speech.voiced[0] * speech.rate)
    hole[start : start + 2400] = 0
    _, both = judged(np.stack((hole, hole), axis=1), speech.rate)
    assert len(both["dropouts"].spans) == 1
    _, one = judged(np.stack((hole, speech.sound), axis=1), speech.rate)
    assert one["dropouts"].spans == both["dropouts"].spans
