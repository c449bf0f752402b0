"""Files with several audio tracks: the one with the most speech is chosen and reported."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import preflight
from tests.support.make_audio import RATE, packets, talk

SECONDS = 12.0
VOICE = talk(SECONDS)
SILENCE = np.zeros_like(VOICE)
TONE = np.asarray(0.2 * np.sin(2 * np.pi * 440 * np.arange(len(VOICE)) / RATE), np.float32)
SHORT_VOICE = np.concatenate((talk(3.0), np.zeros(len(VOICE) - 3 * RATE, np.float32)))


def tracks(*sounds: NDArray[np.float32], form: str = "ipod", codec: str = "aac") -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as output:
        streams: list[Any] = [output.add_stream(codec, rate=RATE, layout="mono") for _ in sounds]
        for stream, sound in zip(streams, sounds, strict=True):
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
            frame.sample_rate = RATE
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return buffer.getvalue()


CASES: dict[str, tuple[Sequence[NDArray[np.float32]], int]] = {
    "silence first": ((SILENCE, VOICE), 2),
    "voice first": ((VOICE, SILENCE), 1),
    "a tone first": ((TONE, VOICE), 2),
    "the most speech": ((SHORT_VOICE, SILENCE, VOICE), 3),
    "equals": ((VOICE, VOICE), 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_track_with_the_most_speech_is_used(name: str, tmp_path: Path) -> None:
    sounds, number = CASES[name]
    path, out = tmp_path / "take.m4a", tmp_path / "out.m4a"
    path.write_bytes(tracks(*sounds))
    fixed = preflight.fix(path, out)
    assert (fixed.before.file.audio_track, fixed.before.file.audio_tracks) == (number, len(sounds))
    (finding,) = fixed.before.errors
    assert f"track {number}, which has the most speech" in finding.message
    (finding,) = preflight.check(path, quick=True).errors  # which track that is, the headers do not say
    assert "(onetake uses the one with the most speech)" in finding.message
    assert any(f"audio track {number} of {len(sounds)}" in edit.what for edit in fixed.edits)
    with av.open(str(path)) as container:
        track = container.streams.audio[number - 1]
        wanted = [bytes(packet) for packet in container.demux(track) if packet.dts is not None]
    assert packets(out) == wanted


def test_a_re_encoded_track_is_chosen_again(tmp_path: Path) -> None:
    path, out = tmp_path / "take.mkv", tmp_path / "out.wav"
    path.write_bytes(tracks(SILENCE, VOICE, form="matroska", codec="libopus"))
    fixed = preflight.fix(path, out)
    assert fixed.before.file.audio_track == 2
    assert fixed.after is not None
    assert fixed.after.verdict == "ready"


def test_an_undecodable_track_does_not_hide_another(tmp_path: Path) -> None:
    path = tmp_path / "take.m4a"
    data = tracks(VOICE, VOICE)
    for name in (b"mp4a", b"esds"):  # of the first track, so that its codec is unknown
        data = data.replace(name, b"xyzw", 1)
    path.write_bytes(data)
    report = preflight.check(path)
    assert report.file.audio_track == 2
    assert report.verdict == "fixable"
    assert preflight.fix(path, tmp_path / "out.m4a").action == "rewrap"
