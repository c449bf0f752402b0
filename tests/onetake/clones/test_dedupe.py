"""Which requests share a voice, and what is returned for a recording that has one."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CloneOptions
from onetake.clones.dedupe import (
    clone_key,
    default_name,
    digest,
    find_known,
    known_voice,
    not_settled,
    paid_once,
    repeated,
)
from onetake.clones.request import CloneRequest
from onetake.errors import NotSettled
from onetake.ledger import Claimed, Ledger, VoiceRecord
from preflight.errors import CannotOpen
from preflight.input.spool import as_path as stored_path
from tests.onetake.clones.conftest import request_for
from tests.support.services import FIXTURES

URL = "https://service.example"
TAKE = str(FIXTURES / "good.m4a")
SHA256 = "0" * 64


def key(request: CloneRequest, base_url: str = URL, prompt_sha256: str | None = None) -> str:
    return clone_key(request, base_url, 10, SHA256, prompt_sha256).request


def claim(ledger: Ledger, request: CloneRequest, base_url: str = URL) -> str:
    size = Path(TAKE).stat().st_size
    prompt = digest(request.prompt) if request.prompt is not None else None
    wanted = clone_key(request, base_url, size, digest(request.take), prompt)
    claimed = ledger.attempts.claim(wanted, base_url=base_url, options={}, name=request.name, consent=request.consent)
    assert isinstance(claimed, Claimed)
    return claimed.attempt


def clone(ledger: Ledger, request: CloneRequest, voice_id: str = "voice_1") -> VoiceRecord:
    """Store a voice for a request, as a paid call would."""
    attempt, now = claim(ledger, request), datetime.now(UTC)
    ledger.attempts.called(attempt, now)
    return ledger.voices.find(ledger.attempts.gave_voice(attempt, voice_id, now, now + timedelta(hours=168)))


def test_requests_that_share_a_voice_are_paid_for_once(tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.m4a", tmp_path / "other.m4a"
    shutil.copy(TAKE, copy)
    other.write_bytes(bytes(Path(TAKE).stat().st_size))
    shaped = CloneRequest(TAKE, CloneOptions(need_noise_reduction=True))
    takes = [TAKE, str(tmp_path / "missing.wav"), str(copy), str(other), TAKE, str(tmp_path)]
    requests = [*(CloneRequest(take, CloneOptions(), again=True) for take in takes), shaped]
    assert repeated(requests, URL) == {2: 0, 4: 0}
    assert [request.again for request in paid_once(requests, URL)] == [True, True, False, True, False, True, False]


@pytest.mark.parametrize(
    "options",
    [
        CloneOptions(accuracy=0.5),
        CloneOptions(need_noise_reduction=True),
        CloneOptions(need_volume_normalization=True),
        CloneOptions(prompt_text="A small brown dog."),
    ],
)
def test_options_that_shape_the_voice_change_the_key(options: CloneOptions) -> None:
    assert key(request_for(options=options)) != key(request_for())


@pytest.mark.parametrize(
    "changes",
    [
        {"options": CloneOptions(text="Hello.", model="speech-2.8-hd")},
        {"name": "ann"},
        {"consent": "Ann Example, 2026-11-01"},
        {"keep_upload": True},
        {"demo": Path("demo.mp3")},
        {"again": True},
    ],
)
def test_options_that_do_not_shape_the_voice_keep_the_key(changes: dict[str, Any]) -> None:
    assert key(request_for(**changes)) == key(request_for())


def test_service_and_prompt_clip_change_the_key() -> None:
    plain, clip = request_for(), request_for(prompt="clip.wav")
    keys = {
        key(plain),
        key(plain, "https://other.example"),
        key(clip, prompt_sha256="1" * 64),
        key(clip, prompt_sha256="2" * 64),
        key(request_for(auto_prompt=1)),
        key(request_for(auto_prompt=2)),
    }
    assert len(keys) == 6


@given(st.floats(0, 1), st.booleans(), st.text(max_size=20))
def test_equal_requests_have_equal_keys(accuracy: float, reduce_noise: bool, text: str) -> None:
    def request() -> CloneRequest:
        options = CloneOptions(accuracy=accuracy, need_noise_reduction=reduce_noise)
        return request_for(options=options, name=text)

    assert key(request()) == key(request())
    assert len(key(request())) == 64


def test_the_key_contains_size_digest_and_absolute_path(home: Path) -> None:
    shutil.copy(TAKE, "take.m4a")
    found = clone_key(request_for(take="take.m4a"), URL, 10, SHA256, None)
    assert (found.bytes, found.sha256, found.path) == (10, SHA256, str(Path("take.m4a").absolute()))


def test_audio_from_memory_is_stored_under_its_display_name() -> None:
    with stored_path(Path(TAKE).read_bytes()) as path:
        assert clone_key(request_for(take=path), URL, 10, SHA256, None).path == "<bytes>"
        assert default_name(path) == "bytes"
    assert default_name(TAKE) is None


def test_an_empty_ledger_knows_no_recording(ledger: Ledger) -> None:
    assert find_known(request_for(), ledger, URL) is None
    assert find_known(request_for(take="missing.wav"), ledger, URL) is None


def test_the_voice_of_the_same_recording_is_found(ledger: Ledger, tmp_path: Path) -> None:
    clone(ledger, request_for(name="ann"))
    copy = tmp_path / "copy.m4a"
    shutil.copy(TAKE, copy)
    for take in (TAKE, str(copy), os.fsencode(copy)):
        known = find_known(request_for(take=take), ledger, URL)
        assert known is not None
        assert (known.voice_id, known.name, known.known, known.uploads) == ("voice_1", "ann", True, ())
    assert find_known(request_for(), ledger, "https://other.example") is None
    assert find_known(request_for(options=CloneOptions(accuracy=0.5)), ledger, URL) is None
    assert find_known(request_for("good.mp3"), ledger, URL) is None


def test_again_ignores_the_ledger(ledger: Ledger) -> None:
    clone(ledger, request_for())
    assert find_known(request_for(again=True), ledger, URL) is None


def test_another_recording_of_the_same_size_is_not_known(ledger: Ledger, tmp_path: Path) -> None:
    clone(ledger, request_for())
    content = bytearray(Path(TAKE).read_bytes())
    content[-1] ^= 1
    other = tmp_path / "other.m4a"
    other.write_bytes(content)
    assert find_known(request_for(take=str(other)), ledger, URL) is None


def test_the_prompt_clip_is_compared_by_content(ledger: Ledger, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    shutil.copy(FIXTURES / "prompt.wav", clip)
    options = CloneOptions(prompt_text="A small brown dog.")
    clone(ledger, request_for(prompt=str(FIXTURES / "prompt.wav"), options=options))
    assert find_known(request_for(prompt=str(clip), options=options), ledger, URL) is not None
    clip.write_bytes(clip.read_bytes() + b"\0\0")
    assert find_known(request_for(prompt=str(clip), options=options), ledger, URL) is None


def test_an_unknown_outcome_raises(ledger: Ledger) -> None:
    attempt = claim(ledger, request_for())
    ledger.attempts.called(attempt, datetime.now(UTC))
    ledger.attempts.ended(attempt, "unknown", "timed-out")
    with pytest.raises(NotSettled, match=f"unknown.*{attempt}") as caught:
        find_known(request_for(), ledger, URL)
    assert f"onetake voices settle {attempt}" in caught.value.hint
    (listed,) = ledger.attempts.unknown()
    assert not_settled(listed).message == caught.value.message


@pytest.mark.parametrize("state", ["refused", "given-up"])
def test_a_refused_attempt_is_not_known(ledger: Ledger, state: str) -> None:
    attempt = claim(ledger, request_for())
    ledger.attempts.called(attempt, datetime.now(UTC))
    ledger.attempts.ended(attempt, state, "audio-refused")
    assert find_known(request_for(), ledger, URL) is None


def test_consent_is_added_to_a_voice_that_has_none(ledger: Ledger) -> None:
    voice = clone(ledger, request_for())
    known_voice(voice, request_for(consent="Ann Example, 2026-11-01"), ledger)
    known_voice(ledger.voices.find("voice_1"), request_for(consent="Another, 2026-11-02"), ledger)
    assert ledger.voices.find("voice_1").consent == "Ann Example, 2026-11-01"


def test_a_copy_of_the_ledger_stores_no_consent(ledger: Ledger, home: Path) -> None:
    clone(ledger, request_for())
    with Ledger(home / "onetake", read_only=True) as copy:
        assert find_known(request_for(consent="Ann Example, 2026-11-01"), copy, URL) is not None
    assert ledger.voices.find("voice_1").consent is None


def test_options_that_a_known_voice_cannot_get_are_warnings(ledger: Ledger) -> None:
    voice = clone(ledger, request_for(name="ann"))
    preview = CloneOptions(text="Hello.", model="speech-2.8-hd")
    renamed, unspoken = known_voice(voice, request_for(name="ben", options=preview), ledger).warnings
    assert "onetake voices rename ann ben" in renamed
    assert "onetake say ann" in unspoken
    assert known_voice(voice, request_for(name="ann"), ledger).warnings == ()


def test_a_kept_voice_does_not_expire(ledger: Ledger) -> None:
    voice = clone(ledger, request_for())
    assert known_voice(voice, request_for(), ledger).expires_at == voice.expires_at
    kept = msgspec.structs.replace(voice, kept_at=voice.created_at)
    assert known_voice(kept, request_for(), ledger).expires_at is None


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    assert digest(empty) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing
    with pytest.raises(CannotOpen):
        digest(tmp_path)


def test_a_request_is_not_changed(ledger: Ledger) -> None:
    request = request_for(name="ben")
    clone(ledger, request)
    find_known(request, ledger, URL)
    assert request == replace(request, name="ben")
