"""`onetake voices forget`: nothing of the voice is left, in no table, no free page and no log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onetake.errors import UsageError
from onetake.ledger import Claimed, CloneKey, Known, Ledger, ServiceAnswer
from tests.onetake.conftest import Say
from tests.support.ledgers import sqlite_of

NOW = datetime.now(UTC)
SECRETS = (
    "/home/ann/private-take.wav",
    "d1ge57" * 10,
    "what-the-demo-says",
    "Ann Agreed 2026-11-01",
    "a-service-message",
    "trace-4711",
    "https://demo.example/link",
    "voice_of_ann",
    "what-ann-said-later",
    "anna-by-name",
)
ANSWER = ServiceAnswer(service_message="a-service-message", trace_id="trace-4711")


def claimed(ledger: Ledger, path: str = SECRETS[0], digest: str = SECRETS[1], request: str = "r") -> str:
    clone_key_of = CloneKey(sha256=digest, request=request, bytes=100, path=path)
    claim = ledger.attempts.claim(
        clone_key_of,
        base_url="https://service.example",
        options={"text": "what-the-demo-says"},
        consent="Ann Agreed 2026-11-01",
        name="anna-by-name",
        again=True,
    )
    assert isinstance(claim, Claimed)
    return claim.attempt


def store_voice(ledger: Ledger, voice_id: str = "voice_of_ann", **take: str) -> str:
    attempt = claimed(ledger, **take)
    ledger.attempts.called(attempt, NOW)
    expires = NOW + timedelta(days=7)
    return ledger.attempts.gave_voice(
        attempt, voice_id, NOW, expires, demo_url="https://demo.example/link", answer=ANSWER
    )


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def left(folder: Path) -> list[str]:
    found = content(folder)
    return [secret for secret in SECRETS if secret.encode() in found]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_forgotten_voice_leaves_nothing_in_any_file(tmp_path: Path, is_open: bool) -> None:
    with Ledger(tmp_path) as ledger:
        for number in range(30):  # more than a page, so that pages are split and freed
            store_voice(ledger, f"other_{number}", path=f"/takes/{number}.wav", digest=f"{number:064}")
        refused = claimed(ledger, request="another request for the same recording")
        ledger.attempts.ended(refused, "refused", "audio-refused", "a-service-message", ANSWER)
        ledger.attempts.ended(claimed(ledger), "given-up", "not-sent")
        store_voice(ledger)
        voice = ledger.voices.find("voice_of_ann")
        speech = ledger.speeches.begin(voice, "say", "what-ann-said-later", "speech-2.8-hd")
        ledger.speeches.answered(speech, "https://demo.example/link", ANSWER, ())
        for number in range(30):
            ledger.voices.forget(ledger.voices.find(f"other_{number}"))
        assert left(tmp_path) == list(SECRETS)
        if is_open:
            assert ledger.voices.forget(voice)
            assert left(tmp_path) == []
            assert ledger.voices.all() == []
    if not is_open:
        with Ledger(tmp_path) as ledger:
            assert ledger.voices.forget(ledger.voices.find("voice_of_ann"))
    assert left(tmp_path) == []
    assert b"/takes/" not in content(tmp_path)


def test_a_log_that_another_process_reads_is_overwritten_when_it_ends(tmp_path: Path) -> None:
    with Ledger(tmp_path, wait_s=0.2) as ledger, Ledger(tmp_path) as beside:
        store_voice(ledger)
        reading = sqlite_of(beside)._connection
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM voices").fetchall()
        assert not ledger.voices.forget(ledger.voices.find("voice_of_ann"))
        reading.execute("COMMIT")
    assert left(tmp_path) == []


def test_recordings_of_another_voice_stay(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        store_voice(ledger)
        second = store_voice(ledger, "second_voice")
        ledger.voices.forget(ledger.voices.find("voice_of_ann"))
        kept = ledger.voices.find(second)
        assert (kept.take, kept.sha256, kept.consent) == (SECRETS[0], SECRETS[1], SECRETS[3])
        clone_key_of = CloneKey(sha256=SECRETS[1], request="r", bytes=100, path=SECRETS[0])
        assert isinstance(ledger.attempts.find(clone_key_of), Known)
        ledger.voices.forget(kept)
    assert left(tmp_path) == []


def test_both_recordings_of_a_voice_are_forgotten(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        store_voice(ledger)
        store_voice(ledger, path="/home/ann/another.wav", digest="e" * 64)
        ledger.voices.forget(ledger.voices.find("voice_of_ann"))
    assert left(tmp_path) == []
    assert b"another.wav" not in content(tmp_path)


@pytest.mark.parametrize("call", ["attempt", "attempt for the same file", "speech"])
def test_unknown_calls_are_forgotten_only_on_request(tmp_path: Path, call: str) -> None:
    with Ledger(tmp_path) as ledger:
        store_voice(ledger)
        voice = ledger.voices.find("voice_of_ann")
        if call == "speech":
            unknown = ledger.speeches.begin(voice, "keep", "what-ann-said-later", "speech-2.8-turbo")
        else:
            unknown = claimed(ledger, request="r" if call == "attempt" else "other")
            ledger.attempts.called(unknown, NOW)
        with pytest.raises(UsageError, match=f"in progress.*{unknown}"):
            ledger.voices.forget(voice, with_unknown=True)
        (ledger.speeches if call == "speech" else ledger.attempts).ended(unknown, "unknown", "outcome-unknown")
        with pytest.raises(UsageError, match=f"unknown.*{unknown}"):
            ledger.voices.forget(voice)
        assert ledger.voices.find("voice_of_ann") == voice
        ledger.voices.forget(voice, with_unknown=True)
        assert ledger.attempts.unknown() == []
    assert left(tmp_path) == []


def test_a_recording_without_a_voice_is_forgotten_by_its_path(say: Say, home: Path) -> None:
    take = home.parent / "work" / "private-take.wav"
    with Ledger(home / "onetake") as ledger:
        refused = claimed(ledger, path=str(take))
        ledger.attempts.ended(refused, "refused", "audio-refused", "a-service-message", ANSWER)
        unknown = claimed(ledger, path=str(take), request="another")
        ledger.attempts.called(unknown, NOW)
        ledger.attempts.ended(unknown, "unknown", "outcome-unknown")
    assert say("voices", "forget", "never-seen.wav").status == 2
    ran = say("voices", "forget", "private-take.wav", "--yes")
    assert (ran.status, unknown in ran.err) == (2, True)
    ran = say("voices", "forget", "private-take.wav", "--unknown", "--yes", "--json")
    assert ran.status == 0
    assert json.loads(ran.out)["forgotten"] == {"recording": str(take)}
    assert left(home / "onetake") == []
    assert b"private-take" not in content(home / "onetake")


def test_a_recording_with_a_voice_is_not_forgotten_by_its_path(say: Say, home: Path) -> None:
    take = home.parent / "work" / "private-take.wav"
    with Ledger(home / "onetake") as ledger:
        store_voice(ledger, path=str(take))
    assert "has a voice" in say("voices", "forget", "private-take.wav", "--yes").err
    assert say("voices", "forget", "anna-by-name", "--yes").status == 0
    assert left(home / "onetake") == []
