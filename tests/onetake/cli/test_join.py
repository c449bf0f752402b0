"""`onetake join`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.onetake.conftest import Say
from tests.support.services import FIXTURES

TAKES = tuple(str(FIXTURES / name) for name in ("prompt.wav", "good.m4a", "voice-message.ogg"))


def test_the_position_of_each_take_is_printed(say: Say, tmp_path: Path) -> None:
    out = str(tmp_path / "out.wav")
    ran = say("join", *TAKES, "-o", out)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line[:6] for line in lines[:1]] == ["0:00.0"]
    assert len(lines) == len(TAKES) + 1
    again = say("join", *TAKES, "-o", out, "--force", "--json")
    assert json.loads(again.out)["joined"]["after"]["verdict"] == "ready"


def test_takes_that_cannot_be_joined_are_reported(say: Say, tmp_path: Path) -> None:
    alone = say("join", TAKES[0], "-o", str(tmp_path / "out.wav"))
    assert (alone.status, "at least two takes" in alone.err) == (2, True)
    assert say("join", *TAKES).status == 2
    assert say("join", *TAKES, "-o", str(tmp_path / "out.ogg")).status == 2
    assert not list(tmp_path.glob("out*"))
