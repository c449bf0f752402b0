"""Cloning from Python."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydub import AudioSegment

import onetake
from client import CloneOptions
from onetake.config.ledger_location import home_path
from onetake.errors import ConsentMissing, TakeRefused
from onetake.ledger import Ledger
from tests.support.services import FIXTURES, PROMPT_TEXT, Services, paid_calls


def test_clone_returns_the_voice_and_stores_it(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    voice = onetake.clone(FIXTURES / "good.m4a", consent="Ann Example, 2026-11-01", name="ann")
    assert (voice.name, voice.known) == ("ann", False)
    assert onetake.clone(FIXTURES / "good.m4a", consent=None).voice_id == voice.voice_id
    assert services.objects() == {}
    with pytest.raises(ConsentMissing):
        onetake.clone(FIXTURES / "good.m4a", consent=None, settings={"base_url": "https://service.example"})


@pytest.mark.slow
def test_all_forms_of_a_recording_have_one_voice(
    services: Services, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file is recognized in every form; a recording without a file name gets the name of its kind."""
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    path = FIXTURES / "good.wav"
    samples = soundfile.read(path)
    first = onetake.clone(samples, consent=None)
    assert (first.name, first.known) == ("samples", False)
    with path.open("rb") as file:
        for same in (path, path.read_bytes(), file, io.BytesIO(path.read_bytes()), AudioSegment.from_wav(path)):
            again = onetake.clone(same, consent=None)
            assert (again.voice_id, again.known) == (first.voice_id, True)
    options = CloneOptions(prompt_text=PROMPT_TEXT)
    with (FIXTURES / "good.mp3").open("rb") as file:
        clip = soundfile.read(FIXTURES / "prompt.wav")
        prompted = onetake.clone(file, consent=None, prompt=clip, options=options)
    assert (prompted.name, prompted.known) == ("good", False)
    assert [upload.content_type for upload in prompted.uploads] == ["audio/mpeg", "audio/wav"]
    fixed = onetake.clone((FIXTURES / "voice-message.ogg").read_bytes(), consent=None)
    assert fixed.name == "bytes"
    assert fixed.changes
    with Ledger(home_path()) as ledger:
        takes = {voice.name: voice.take for voice in ledger.voices.all()}
    assert takes == {"samples": "<samples>", "good": str(FIXTURES / "good.mp3"), "bytes": "<bytes>"}
    assert services.objects() == {}


def test_invalid_recordings_raise(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    for wrong, kind in ((42, TypeError), ((np.zeros((2, 99)), 16_000), ValueError), (b"no sound", TakeRefused)):
        with pytest.raises(kind):
            onetake.clone(wrong, consent=None)  # type: ignore[arg-type]
    assert paid_calls(home) == []


def test_consent_is_a_required_argument() -> None:
    consent = inspect.signature(onetake.clone).parameters["consent"]
    assert consent.kind is inspect.Parameter.KEYWORD_ONLY
    assert consent.default is inspect.Parameter.empty


def test_import_onetake_loads_no_heavy_modules() -> None:
    script = "import sys, onetake; print([name for name in ('msgspec', 'numpy', 'typing') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout in {"[]\n", "['typing']\n"}
