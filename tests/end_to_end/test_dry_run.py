"""`onetake clone --dry-run` of many recordings: one document, every recording examined, nothing sent or written."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.onetake.conftest import Say
from tests.onetake.render.test_junit import valid
from tests.support.services import FIXTURES, Services, paid_calls

MANY = ("a.wav", "b.mp3", "c.ogg")
ENDINGS = {"a.wav": "known", "b.mp3": "refused", "c.ogg": "would-clone"}


@pytest.fixture(autouse=True)
def _real(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def takes(say: Say) -> tuple[str, ...]:
    """One whose voice is known without a consent, one that is not a recording, and one that needs a fix."""
    shutil.copy(FIXTURES / "good.wav", "a.wav")
    Path("b.mp3").write_text("not a recording")
    shutil.copy(FIXTURES / "voice-message.ogg", "c.ogg")
    assert say("clone", "a.wav").status == 0
    return MANY


def voices(say: Say) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(say("voices", "--json").out)["voices"]
    return [{name: value for name, value in voice.items() if name != "seconds_left"} for voice in found]


def test_json_is_one_document_for_a_batch(say: Say, services: Services, home: Path, takes: tuple[str, ...]) -> None:
    before = (services.endpoint.account(), paid_calls(home), voices(say), sorted(Path().iterdir()))
    ran = say("clone", *takes, "--dry-run", "--json", "--consent", "Ann Example, 2026-11-01")
    assert ran.status == 1
    document = json.loads(ran.out)
    assert (document["schema_version"], document["dry_run"]) == (1, True)
    plans = {plan["path"]: plan for plan in document["takes"]}
    assert {path: plan["ending"] for path, plan in plans.items()} == ENDINGS
    assert document["summary"] == {"known": 1, "refused": 1, "would-clone": 1}
    assert plans["a.wav"]["name"] == "a"
    assert plans["b.mp3"]["error"]["kind"] == "take-refused"
    assert plans["b.mp3"]["take"]["verdict"] == "rejected"
    assert plans["c.ogg"]["request"]["audio_url"].startswith("https://presigned.example/")
    assert plans["c.ogg"]["changes"]
    assert plans["c.ogg"]["error"] is None
    # the known voice has no consent: a dry run must not add the one that is given here
    assert (services.endpoint.account(), paid_calls(home), voices(say), sorted(Path().iterdir())) == before


def test_a_dry_run_changes_no_file_of_the_ledger(say: Say, home: Path, takes: tuple[str, ...]) -> None:
    def files() -> dict[str, tuple[int, bytes]]:
        found = [path for path in home.rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}

    before = files()
    assert say("clone", *takes, "--dry-run").status == 1
    assert files() == before


def test_a_dry_run_creates_no_ledger(say: Say, home: Path) -> None:
    assert say("clone", str(FIXTURES / "good.wav"), "--dry-run").status == 0
    assert not (home / "onetake").exists()


def test_a_dry_run_needs_no_key(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONETAKE_API_KEY")
    ran = say("clone", str(FIXTURES / "good.wav"), "--dry-run", "--json")
    assert (ran.status, json.loads(ran.out)["ending"]) == (0, "would-clone")
    assert "api_key is not set: to clone, set ONETAKE_API_KEY" in ran.err


@pytest.mark.parametrize("more", [(), ("--again",)])
def test_equal_recordings_are_counted_as_the_real_run_pays_for_them(say: Say, more: tuple[str, ...]) -> None:
    for name in ("one.wav", "two.wav"):
        shutil.copy(FIXTURES / "good.wav", name)
    files = ("one.wav", "two.wav", "one.wav")
    planned = say("clone", *files, "--dry-run", "--json", *more)
    document = json.loads(planned.out)
    assert (planned.status, document["summary"]) == (0, {"would-clone": 1, "known": 2})
    assert [plan.get("same_as") for plan in document["takes"]] == [None, "one.wav", "one.wav"]
    assert "two.wav: nothing would be sent: it equals one.wav" in say("clone", *files, "--dry-run", *more).out
    ran = say("clone", *files, "--json", *more)
    assert (ran.status, json.loads(ran.out)["summary"]) == (0, {"cloned": 1, "known": 2})
    assert "3 recordings, up to 1 to be cloned" in ran.err


@pytest.mark.slow
def test_csv_jsonl_and_text_list_every_recording(say: Say, takes: tuple[str, ...]) -> None:
    lines = say("clone", *takes, "--dry-run", "--format", "jsonl").out.splitlines()
    assert {plan["path"]: plan["ending"] for plan in map(json.loads, lines)} == ENDINGS
    assert all(json.loads(line)["schema_version"] == 1 for line in lines)
    rows = csv.DictReader(io.StringIO(say("clone", *takes, "--dry-run", "--format", "csv").out))
    assert {row["path"]: row["ending"] for row in rows} == ENDINGS
    suite = valid(say("clone", *takes, "--dry-run", "--format", "junit").out)
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == list(takes)
    assert [case.find("failure") is not None for case in cases] == [False, True, False]
    text = say("clone", *takes, "--dry-run")
    assert "a.wav: nothing would be sent: its voice is known, a (voice_" in text.out
    assert "c.ogg: would upload to seaweedfs" in text.out
    assert "b.mp3" in text.err
    assert "1 known, 1 refused, 1 would-clone" in text.err


def test_json_of_one_recording_is_one_object(say: Say, takes: tuple[str, ...]) -> None:
    planned = json.loads(say("clone", "c.ogg", "--dry-run", "--json").out)
    assert (planned["path"], planned["ending"]) == ("c.ogg", "would-clone")
    assert "error" not in planned
    refused = say("clone", "b.mp3", "--dry-run", "--json")
    assert (refused.status, json.loads(refused.out)["error"]["kind"]) == (1, "take-refused")


def test_an_existing_preview_is_reported_for_its_recording(say: Say, takes: tuple[str, ...]) -> None:
    Path("demos").mkdir()
    Path("demos/c.mp3").write_bytes(b"older")
    preview = ("--text", "Hi.", "--model", "speech-2.8-hd", "--demo", "demos")
    ran = say("clone", "c.ogg", str(FIXTURES / "good.mp3"), "--dry-run", "--json", *preview)
    failed, planned = json.loads(ran.out)["takes"]
    assert (ran.status, failed["ending"], planned["ending"]) == (2, "failed", "would-clone")
    assert "--force" in failed["error"]["hint"]


@pytest.mark.slow
def test_clone_as_junit(say: Say, takes: tuple[str, ...]) -> None:
    ran = say("clone", *takes, "--format", "junit")
    assert ran.status == 1
    suite = valid(ran.out)
    assert suite.get("name") == "onetake clone"
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert cases["a.wav"].findtext("system-out", "").startswith("known\nvoice_id = voice_")
    assert cases["c.ogg"].findtext("system-out", "").startswith("cloned\nvoice_id = voice_")
    (failure,) = suite.iter("failure")
    assert failure in cases["b.mp3"]
    assert failure.get("type") == "take-refused"
