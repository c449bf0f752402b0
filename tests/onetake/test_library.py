"""Cloning from Python."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import onetake
from onetake.errors import ConsentMissing
from tests.onetake.services import FIXTURES, Services


def test_a_voice_in_three_lines(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    voice = onetake.clone(FIXTURES / "good.m4a", consent="Ann Example, 2026-11-01", name="ann")
    assert (voice.name, voice.known) == ("ann", False)
    assert onetake.clone(FIXTURES / "good.m4a", consent=None).voice_id == voice.voice_id
    assert services.objects() == {}
    with pytest.raises(ConsentMissing):
        onetake.clone(FIXTURES / "good.m4a", consent=None, settings={"base_url": "https://service.example"})


def test_consent_cannot_be_forgotten() -> None:
    consent = inspect.signature(onetake.clone).parameters["consent"]
    assert consent.kind is inspect.Parameter.KEYWORD_ONLY
    assert consent.default is inspect.Parameter.empty


def test_the_package_costs_nothing_to_import() -> None:
    script = "import sys, onetake; print([name for name in ('msgspec', 'numpy', 'typing') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout in {"[]\n", "['typing']\n"}
