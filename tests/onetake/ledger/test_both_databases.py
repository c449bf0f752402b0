"""What a ledger guarantees, in a file and in a PostgreSQL database that machines share."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onetake.errors import LedgerFailed, UsageError
from onetake.ledger import Claimed, InProgress, Known, Ledger, Unsettled
from tests.support.ledgers import NOW, WEEK, claim, start_attempt, store_voice
from tests.support.processes import wait_until


def test_a_recording_has_one_attempt_at_a_time_and_then_a_voice(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    assert claim(ledger) == InProgress(attempt)
    assert claim(ledger, again=True) == InProgress(attempt)
    ledger.attempts.called(attempt, NOW)
    assert claim(ledger) == InProgress(attempt)
    assert ledger.attempts.gave_voice(attempt, "voice_1", NOW, NOW + WEEK) == "take"
    known = claim(ledger)
    assert isinstance(known, Known)
    assert (known.voice.voice_id, known.voice.name, known.voice.take) == ("voice_1", "take", "/takes/take.wav")
    assert isinstance(claim(ledger, again=True), Claimed)


def test_the_likeness_of_a_voice(ledger: Ledger) -> None:
    store_voice(ledger)
    (voice,) = ledger.voices.all()
    assert voice.likeness is None
    ledger.voices.set_likeness(voice, 0.913)
    assert ledger.voices.find(voice.name).likeness == 0.913


def test_an_attempt_that_was_ended_cannot_be_called(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.mark_interrupted()
    with pytest.raises(LedgerFailed, match="was ended before it was sent"):
        ledger.attempts.called(attempt, NOW)
    ledger.attempts.called(sent := start_attempt(ledger), NOW)
    with pytest.raises(LedgerFailed):
        ledger.attempts.called(sent, NOW)


@pytest.mark.parametrize("state", ["refused", "given-up"])
def test_a_refused_attempt_may_be_repeated(ledger: Ledger, state: str) -> None:
    ledger.attempts.ended(start_attempt(ledger), state, "some-kind")
    assert isinstance(claim(ledger), Claimed)


def test_an_unknown_attempt_is_not_repeated_until_it_is_settled(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "outcome-unknown", "lost")
    unsettled = claim(ledger)
    assert isinstance(unsettled, Unsettled)
    assert (unsettled.attempt.id, unsettled.attempt.message) == (attempt, "lost")
    assert [known.id for known in ledger.attempts.unknown()] == [attempt]
    assert ledger.voices.settle(attempt, None) is None
    assert ledger.attempts.unknown() == []
    assert isinstance(claim(ledger), Claimed)
    with pytest.raises(UsageError):
        ledger.voices.settle(attempt, None)


def test_a_settled_voice_expires_a_week_after_the_call(ledger: Ledger) -> None:
    attempt = start_attempt(ledger)
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "outcome-unknown")
    voice = ledger.voices.settle(attempt, "voice_9")
    assert voice is not None
    assert voice.expires_at - voice.created_at == WEEK
    assert abs(voice.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert isinstance(claim(ledger), Known)


def test_a_voice_belongs_to_one_call(ledger: Ledger) -> None:
    store_voice(ledger, "first", "voice_1")
    attempt = start_attempt(ledger, "second")
    ledger.attempts.called(attempt, NOW)
    ledger.attempts.ended(attempt, "unknown", "outcome-unknown")
    with pytest.raises(UsageError, match=r"voice_1 is first, made from /takes/first\.wav"):
        ledger.voices.settle(attempt, "voice_1")
    for nonsense in ("", "a\nb", "\x1b[31mred", "two words"):
        with pytest.raises(UsageError, match="not a valid voice_id"):
            ledger.voices.settle(attempt, nonsense)
    assert [known.id for known in ledger.attempts.unknown()] == [attempt]
    assert isinstance(claim(ledger, "first"), Known)
    store_voice(ledger, "third", "voice_3")
    with pytest.raises(UsageError, match="another voice has the name"):
        ledger.voices.rename(ledger.voices.find("third"), "voice_1")


def test_a_voice_that_is_returned_twice_belongs_to_both_recordings(ledger: Ledger) -> None:
    store_voice(ledger, "first", "voice_1")
    store_voice(ledger, "second", "voice_1")
    for name in ("first", "second"):
        known = claim(ledger, name)
        assert isinstance(known, Known)
        assert (known.voice.name, known.voice.take) == ("first", "/takes/first.wav")
    ledger.voices.forget(ledger.voices.find("first"))
    assert isinstance(claim(ledger, "second"), Claimed)


def test_an_expired_or_deleted_voice_is_cloned_again_a_kept_one_is_not(ledger: Ledger) -> None:
    store_voice(ledger, "expired", "voice_1", age=timedelta(hours=169))
    assert isinstance(claim(ledger, "expired"), Claimed)
    store_voice(ledger, "kept", "voice_2", age=timedelta(hours=169))
    ledger.voices.mark_kept(ledger.voices.find("voice_2"))
    assert isinstance(claim(ledger, "kept"), Known)
    ledger.voices.mark_gone(ledger.voices.find("kept"))
    assert isinstance(claim(ledger, "kept"), Claimed)


def test_voices_are_listed_by_expiry(ledger: Ledger) -> None:
    for name, hours in (("late", 10), ("soon", 160), ("over", 200), ("kept", 165)):
        store_voice(ledger, name, f"voice_{name}", age=timedelta(hours=hours))
    ledger.voices.mark_kept(ledger.voices.find("kept"))
    assert [voice.name for voice in ledger.voices.all()] == ["soon", "late", "kept", "over"]


def test_names_are_unique_and_can_be_changed(ledger: Ledger) -> None:
    store_voice(ledger, "a/take", "voice_1")
    store_voice(ledger, "b/take", "voice_2")
    assert [voice.name for voice in ledger.voices.all()] == ["take", "take-2"]
    ledger.voices.rename(ledger.voices.find("take-2"), "anna")
    assert ledger.voices.find("anna").voice_id == "voice_2"
    for name in ("take", "", " ", "x" * 101, "two\nlines"):
        with pytest.raises(UsageError):
            ledger.voices.rename(ledger.voices.find("anna"), name)
    ledger.voices.forget(ledger.voices.find("anna"))
    with pytest.raises(UsageError, match="has no voice"):
        ledger.voices.find("anna")


def test_uploads_of_an_ended_run_are_abandoned(place: Path | str) -> None:
    with Ledger(place) as first, Ledger(place) as beside:
        sent, unsent = start_attempt(first, "sent"), start_attempt(first, "unsent")
        first.attempts.called(sent, NOW)
        first.uploads.add("place", "key")
        assert beside.uploads.abandoned() == []
        assert claim(beside, "unsent") == InProgress(unsent)
        first.close()
        assert [left.key for left in beside.uploads.abandoned()] == ["key"]
        assert isinstance(claim(beside, "unsent"), Claimed)
        assert isinstance(claim(beside, "sent"), Unsettled)


def is_settled(ledger: Ledger) -> bool:
    ledger.attempts.reconcile_crashed_runs()
    return bool(ledger.attempts.unknown())


def test_a_killed_process_leaves_an_intact_ledger_and_an_unknown_call(place: Path | str) -> None:
    script = (
        "import sys, time, pathlib\nfrom onetake.ledger import *\nfrom tests.support.ledgers import *\n"
        "place = sys.argv[1]\nledger = Ledger(place if is_url(place) else pathlib.Path(place))\n"
        "ledger.attempts.called(start_attempt(ledger), NOW)\nstart_attempt(ledger, 'other')\n"
        "with ledger._database.transaction():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(place)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    with Ledger(place) as ledger:
        # a server notices the closed socket a moment later
        wait_until(lambda: is_settled(ledger))
        assert [(attempt.take, attempt.kind) for attempt in ledger.attempts.unknown()] == [
            ("/takes/take.wav", "process-ended")
        ]
        assert isinstance(claim(ledger, "other"), Claimed)
        ledger.require_sound()


def test_voices_of_equally_named_files_get_numbers(place: Path | str) -> None:
    with Ledger(place) as ledger:
        for number in range(20):
            store_voice(ledger, f"{number}/take", f"voice_{number}")
        names = ["take", *(f"take-{number}" for number in range(2, 21))]
        assert sorted(voice.name for voice in ledger.voices.all()) == sorted(names)


def test_threads_and_processes_claim_each_recording_once(place: Path | str) -> None:
    with Ledger(place) as one, Ledger(place) as other:
        claimed: list[str] = []

        def claim_all(ledger: Ledger) -> None:
            for number in range(40):
                if isinstance(claim(ledger, f"take{number}"), Claimed):
                    claimed.append(f"take{number}")

        threads = [threading.Thread(target=claim_all, args=(ledger,)) for ledger in (one, other) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(claimed) == sorted(f"take{number}" for number in range(40))
