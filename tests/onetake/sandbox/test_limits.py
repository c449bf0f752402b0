"""Recordings that `preflight` calls ready are sent to the stand-in endpoint, which decodes it with its own code."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preflight
from onetake.sandbox.endpoint.fetch_audio import check_prompt, check_source, decode
from preflight.report import Role
from tests.support.make_audio import RATE, at_rate, coded, m4a, mp3, talk, wav

pytestmark = pytest.mark.slow

FORMS: dict[str, Callable[..., bytes]] = {
    "mp3": mp3,
    "m4a": m4a,
    "wav": wav,
    "aac": lambda sound, rate: coded(sound, "adts", "aac", rate=rate),
}
OFTEN = settings(max_examples=20)
sound = functools.cache(talk)


def require_agreement(form: str, frames: int, rate: int, role: Role) -> None:
    """A ready recording is accepted, and a fixable one after its fix."""
    longest = at_rate(sound(frames // rate + 1), rate)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"take.{form}"
        path.write_bytes(FORMS[form](longest[:frames], rate))
        report = preflight.check(path, role=role, prompt_text="The train was late.")
        if report.verdict == "fixable" and role == "recording":
            fixed = preflight.fix(path, folder + "/fixed.m4a" if form == "aac" else f"{folder}/fixed.{form}")
            path, report = Path(fixed.path or ""), fixed.after or report
        if report.verdict == "ready":
            (check_source if role == "recording" else check_prompt)(decode(path.read_bytes()))


@OFTEN
@given(st.sampled_from(["mp3", "m4a", "wav"]), st.sampled_from([8_000, RATE, 44_100]), st.floats(7.7, 8.1))
def test_prompt_clips_around_eight_seconds(form: str, rate: int, seconds: float) -> None:
    require_agreement(form, round(seconds * rate), rate, "prompt")


@OFTEN
@given(st.sampled_from(sorted(FORMS)), st.sampled_from([8_000, RATE, 44_100]), st.floats(9.8, 10.3))
def test_recordings_around_ten_seconds(form: str, rate: int, seconds: float) -> None:
    require_agreement(form, round(seconds * rate), rate, "recording")


@pytest.mark.parametrize(
    ("form", "seconds", "rate"),
    [("mp3", 299.95, RATE), ("m4a", 299.7, 8_000), ("m4a", 300.0, RATE), ("aac", 299.95, RATE), ("wav", 300.0, 8_000)],
)
def test_recordings_around_five_minutes(form: str, rate: int, seconds: float) -> None:
    require_agreement(form, round(seconds * rate), rate, "recording")
