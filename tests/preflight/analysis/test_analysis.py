"""The carrier of all facts of a recording: what it derives, and its way through MessagePack."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from preflight import limits
from preflight.analysis.analysis import Analysis, ChannelFacts, Comparison
from preflight.analysis.pictures import LoudnessTrack, Pictures, Spectrogram, Waveform
from preflight.errors import CannotOpen
from preflight.media.damage import Damage
from preflight.media.probe import Probe

WAV = Probe("wav", "pcm_s16le", 48_000, 1, estimated_duration_s=12.5)
NO_AUDIO = Probe("mp4", "", 0, 0)


def channels(*alone_s: float) -> ChannelFacts:
    return ChannelFacts(levels_dbfs=(-20.0,) * len(alone_s), alone_s=alone_s)


def test_nothing_is_known_at_first() -> None:
    analysis = Analysis()
    assert analysis.duration_s is None
    assert not analysis.has_sound
    assert not analysis.is_decoded
    assert not analysis.is_measured
    assert not analysis.can_be_judged
    assert analysis.whole_stretches == ((0.0, 0.0),)
    assert len(analysis.frame_levels_dbfs()) == 0


def test_the_decoded_duration_replaces_the_estimate_of_the_headers() -> None:
    by_headers = Analysis(probe=WAV)
    assert by_headers.duration_s == 12.5
    assert not by_headers.is_decoded
    decoded = replace(by_headers, decoded_s=12.25)
    assert decoded.duration_s == 12.25
    assert decoded.is_decoded


def test_a_recording_that_decodes_to_nothing_has_no_sound() -> None:
    assert Analysis(probe=WAV).has_sound
    assert Analysis(probe=WAV, decoded_s=0.01).has_sound
    assert not Analysis(probe=WAV, decoded_s=0.0).has_sound
    assert not Analysis(probe=NO_AUDIO).has_sound
    assert Analysis(probe=WAV, decoded_s=0.0).duration_s == 0.0


@pytest.mark.parametrize(
    ("measured_s", "peak_dbfs", "is_judged"),
    [
        (0.0, -3.0, False),
        (5.0, -3.0, True),
        (5.0, limits.SILENCE_DBFS, True),
        (5.0, limits.SILENCE_DBFS - 0.01, False),
        (5.0, -120.0, False),
    ],
)
def test_digital_silence_is_not_judged(measured_s: float, peak_dbfs: float, is_judged: bool) -> None:
    analysis = Analysis(measured_s=measured_s, measurements={"sample_peak_dbfs": peak_dbfs})
    assert analysis.can_be_judged == is_judged


def test_stretches_lie_between_damage() -> None:
    """The second damage is a gap without audio of its own; the third one is filled with silence up to 7.5 s."""
    damage = (Damage(0.0, 1.0, 0.0, 0.0), Damage(3.0, 4.0, 2.0, 2.0), Damage(9.0, 9.5, 7.0, 7.5))
    analysis = Analysis(decoded_s=10.0, damage=damage)
    assert analysis.whole_stretches == ((0.0, 0.0), (0.0, 2.0), (2.0, 7.0), (7.5, 10.0))
    assert Analysis(decoded_s=10.0).whole_stretches == ((0.0, 10.0),)


def test_frame_levels_are_read_from_the_powers() -> None:
    powers = np.array([1.0, 0.5, 1e-4, 0.0], "<f4")
    levels = Analysis(frame_s=0.01, frame_powers=powers.tobytes()).frame_levels_dbfs()
    assert levels == pytest.approx([0.0, -3.01, -40.0, -120.0], abs=0.01)
    assert levels.dtype == np.float32


@pytest.mark.parametrize(
    ("alone_s", "speakers"),
    [
        ((), ()),
        ((30.0,), ()),
        ((30.0, 0.0), ()),
        ((30.0, 30.0), (0, 1)),
        ((3.0, 1.9), ()),  # below two seconds: a laugh
        ((3.0, 2.0), (0, 1)),
        ((100.0, 17.0), ()),  # 14.5 % of the time: crosstalk
        ((100.0, 18.0), (0, 1)),
        ((30.0, 0.0, 30.0), (0, 2)),
    ],
)
def test_speakers_take_turns(alone_s: tuple[float, ...], speakers: tuple[int, ...]) -> None:
    assert channels(*alone_s).speakers == speakers


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=6))
def test_one_speaker_is_never_several(alone_s: list[float]) -> None:
    found = channels(*alone_s).speakers
    assert len(found) != 1
    assert all(alone_s[number] >= 2 for number in found)


def everything() -> Analysis:
    track = LoudnessTrack(first_s=0.2, column_s=0.1, lufs=(-20.0, -21.5))
    return Analysis(
        name="täke.wav",
        suffix=".wav",
        size=1234,
        sha256="ab" * 32,
        role="prompt",
        prompt_text="A small brown dog.",
        comparison=Comparison(transcript="a small brown dog", agreement=0.98, language="en"),
        probe=replace_probe(damage=(Damage(1.0, 2.0, 1.0, 1.5),)),
        decoded_s=12.5,
        damage=(Damage(1.0, 2.0, 1.0, 1.5),),
        changes=((3.0, 44_100, 2),),
        stopped=True,
        measured_s=12.0,
        measurements={"rms_dbfs": -20.0},
        speech=((0.5, 3.0),),
        channels=channels(1.0, 2.0),
        frame_s=0.01,
        frame_powers=b"\x00\x00\x80\x3f",
        pictures=Pictures(
            waveform=Waveform(0.1, (b"\x00\x80",), (b"\xff\x7f",)),
            spectrogram=Spectrogram(0.2, 1, b"\x07", 50.0, 20_000.0, 80.0),
            momentary=track,
        ),
    )


def replace_probe(damage: tuple[Damage, ...]) -> Probe:
    return Probe("wav", "pcm_s16le", 48_000, 1, estimated_duration_s=12.5, damage=damage)


def test_an_analysis_survives_messagepack() -> None:
    """A worker process returns it in that form."""
    analysis = everything()
    received = msgspec.msgpack.decode(msgspec.msgpack.encode(analysis), type=Analysis)
    assert received == analysis
    assert isinstance(received.damage[0], Damage)
    assert isinstance(received.probe, Probe)


def test_defaults_are_not_shared() -> None:
    one, other = Analysis(), Analysis()
    one.measurements["rms_dbfs"] = -20.0
    assert other.measurements == {}


def test_a_problem_stays_in_its_process() -> None:
    analysis = Analysis(problem=CannotOpen("there is no such file"))
    with pytest.raises(TypeError):
        msgspec.msgpack.encode(analysis)


@given(st.lists(st.integers(0, 50), max_size=6, unique=True).map(sorted))
def test_damage_and_whole_stretches_share_the_recording(edges: list[int]) -> None:
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    damage = tuple(Damage(float(start), float(end), float(start), float(end)) for start, end in pairs)
    stretches = Analysis(probe=WAV, decoded_s=60.0, damage=damage).whole_stretches
    assert len(stretches) == len(damage) + 1
    whole = sum(end - start for start, end in stretches)
    assert whole + sum(end - start for start, end in pairs) == pytest.approx(60)
