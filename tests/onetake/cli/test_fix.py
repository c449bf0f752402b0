"""`onetake fix`: where the copy goes, what could not be fixed, and what comes next."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import preflight
from tests.onetake.conftest import Say
from tests.support.make_audio import RATE, talk, wav
from tests.support.services import FIXTURES


@pytest.fixture
def voice_message(home: Path) -> str:
    shutil.copy(FIXTURES / "voice-message.ogg", "take.ogg")
    return "take.ogg"


def test_without_an_output_the_copy_is_beside_the_recording(say: Say, voice_message: str) -> None:
    ran = say("fix", voice_message)
    assert ran.status == 0
    assert ran.out.splitlines()[-3] == "take.fixed.wav: ready, good"
    assert ran.out.splitlines()[-1].startswith("  next: onetake clone take.fixed.wav")
    content = Path("take.fixed.wav").read_bytes()
    again = say("fix", voice_message, "--json")
    assert (again.status, json.loads(again.out)["error"]["kind"]) == (2, "output-exists")
    assert say("fix", voice_message, "--force").status == 0
    assert Path("take.fixed.wav").read_bytes() == content
    assert Path(voice_message).read_bytes() == (FIXTURES / "voice-message.ogg").read_bytes()


def test_the_format_of_the_copy_can_be_chosen(say: Say, voice_message: str) -> None:
    assert say("fix", voice_message, "--to", "m4a").status == 0
    assert Path("take.fixed.m4a").is_file()


def test_nothing_is_written_for_a_ready_recording(say: Say, home: Path) -> None:
    shutil.copy(FIXTURES / "good.wav", "good.wav")
    ran = say("fix", "good.wav")
    assert ran.out.splitlines()[0] == "it is ready: nothing to fix"
    assert "next: onetake clone good.wav" in ran.out
    assert json.loads(say("fix", "good.wav", "--json").out)["path"] is None
    assert [path.name for path in Path().glob("*.wav")] == ["good.wav"]


def test_a_ready_recording_of_poor_quality_is_not_called_fixed(say: Say, home: Path) -> None:
    sound, rate = soundfile.read(FIXTURES / "good.wav")
    soundfile.write("clipped.wav", np.clip(8 * sound, -1, 1), rate)
    lines = say("fix", "clipped.wav").out.splitlines()
    assert lines[0] == "it is ready, but poor: nothing was changed"
    assert lines[1].startswith("not fixed: clipped")
    assert lines[-1].endswith("next: lower the input gain and record again")


def test_audio_without_a_file_needs_an_output() -> None:
    data = (FIXTURES / "voice-message.ogg").read_bytes()
    for recording in (data, io.BytesIO(data), (talk(12), RATE)):
        with pytest.raises(preflight.BadOutput, match="without a file"):
            preflight.fix(recording)


def test_what_cannot_be_fixed_is_listed(say: Say, home: Path) -> None:
    sound = np.clip(talk(12) * 30, -1, 1) * 0.9
    soundfile.write("bad.flac", sound, RATE)
    for options in ((), ("--dry-run",)):
        lines = say("fix", "bad.flac", "--force", *options).out.splitlines()
        (clipped,) = [line for line in lines if line.startswith("not fixed: clipped")]
        # without --dry-run, the next step is the same advice
        advice = "lower the input gain and record again"
        assert clipped.endswith(advice) == bool(options)
        assert sum(line.endswith(advice) for line in lines) == 1
    offset = talk(12) * 0.5 + 0.05
    Path("offset.wav").write_bytes(wav(offset))
    ran = say("fix", "offset.wav")
    assert "not fixed: DC offset (+5.0 %): add --edit remove-dc" in ran.out
    assert "not fixed" not in say("fix", "offset.wav", "--edit", "remove-dc").out


def test_an_edited_wav_is_not_called_too_large_for_a_wav(say: Say, home: Path) -> None:
    shutil.copy(FIXTURES / "good.wav", "good.wav")
    lines = say("fix", "good.wav", "--edit", "high-pass", "--dry-run").out.splitlines()
    assert lines == ["filter out rumble below 80 Hz (unsafe)", "write WAV (16-bit PCM)"]


def test_an_error_about_the_output_names_the_output(say: Say, home: Path) -> None:
    shutil.copy(FIXTURES / "good.wav", "good.wav")
    ran = say("fix", "good.wav", "-o", "take.ogg")
    assert (ran.status, "take.ogg: the output must end in .wav, .mp3 or .m4a" in ran.err) == (2, True)


@pytest.mark.slow
def test_a_lossless_recording_stays_lossless_if_it_fits(say: Say, home: Path) -> None:
    soundfile.write("take.flac", talk(60), RATE)
    assert "not lossless" not in say("fix", "take.flac").out
    kept, _ = soundfile.read("take.fixed.wav", dtype="int16")
    original, _ = soundfile.read("take.flac", dtype="int16")
    assert np.array_equal(kept, original)
    long = np.stack([talk(110)] * 2, axis=1)
    soundfile.write("long.flac", np.repeat(long, 3, axis=0), 3 * RATE)
    ran = say("fix", "long.flac")
    assert "not lossless: a WAV of this length would be larger than 20 MB" in ran.out
    assert Path("long.fixed.m4a").is_file()
    assert "not lossless" not in say("fix", "take.flac", "-o", "chosen.m4a").out


def test_messages_about_the_names_of_files(say: Say, home: Path) -> None:
    take, empty = str(FIXTURES / "good.wav"), Path("empty.wav")
    empty.touch()
    for words, text in (
        (("fix", "-"), "- means standard input, which only `onetake check` reads"),
        (("join", take, "-", "-o", "out.wav"), "- means standard input"),
        (("clone", "-", "--sandbox"), "- means standard input"),
        (("clone", take, "-", "--sandbox"), "- means standard input"),
        (("clone", take, "--prompt", "-", "--prompt-text", "Hello.", "--sandbox"), "- means standard input"),
        (("fix", take, "-o", "sub/"), "sub/: there is no such folder"),
        (("fix", take, "--from", "5:00"), "starts at 5:00.0, after the end of the recording at"),
        (("join", take, take, "-o", "out.txt"), "out.txt: the output must end in .wav, .mp3 or .m4a"),
        (
            ("join", take, "nope.wav", "-o", "out.wav"),
            "nope.wav: there is no such file\n  check the name and the folder",
        ),
        (("fix", "empty.wav"), "empty.wav: the file is empty\n  export or copy it again"),
        (("prompt", "empty.wav"), "empty.wav: the file is empty\n  export or copy it again"),
        (("fix", take, "-o", "empty.wav"), "choose another name, or replace it with --force"),
    ):
        ran = say(*words)
        assert text in ran.err, words
        assert ran.status in (1, 2)


def test_the_library_names_its_own_parameter(home: Path) -> None:
    Path("out.wav").touch()
    with pytest.raises(preflight.OutputExists) as caught:
        preflight.fix(FIXTURES / "good.wav", "out.wav")
    assert caught.value.hint == "choose another name, or pass force=True"
