"""Batches: outcomes, limits, and when every further recording would fail for the same reason."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from client import CloneOptions
from onetake.clones.batch import BatchClone, Outcome
from onetake.clones.cloner import Cloner, make_cloner
from onetake.clones.dedupe import clone_key, digest, paid_once
from onetake.clones.request import CloneRequest
from onetake.config.settings import load
from onetake.errors import LedgerFailed
from onetake.exit_status import Status
from onetake.ledger import Claimed, Ledger
from onetake.sandbox.endpoint import StandInEndpoint
from tests.onetake.clones.conftest import Recorder, request_for
from tests.soak.rig import make_takes
from tests.support.processes import wait_until
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, closes_after_reading
from tests.support.selection import parametrize_some
from tests.support.servers import HeldAnswers
from tests.support.services import FIXTURES, KEY, Services, paid_calls

T = TypeVar("T")
VOICE = answers(200, {"voice_id": "voice_paid"})


def requests_in(folder: str, count: int) -> list[CloneRequest]:
    make_takes(Path(folder), count)
    return [CloneRequest(str(path), CloneOptions()) for path in sorted(Path(folder).iterdir())]


def endings(outcomes: list[Outcome]) -> list[str]:
    return [outcome.ending for outcome in outcomes]


@contextlib.contextmanager
def cloner_for(
    ledger: Ledger, recorder: Recorder, *behaviours: Behaviour, calls_at_once: int = 1
) -> Iterator[tuple[Cloner, ScriptedServer]]:
    """A cloner whose service answers as scripted; the last behaviour repeats."""
    with ScriptedServer(*behaviours) as server:
        settings = load({"base_url": server.base_url, "calls_at_once": calls_at_once})
        yield make_cloner(settings, ledger, recorder), server


def test_every_recording_has_one_outcome(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    requests = requests_in("takes", 3)
    Path("takes/bad.wav").write_text("not a recording")
    shutil.copy(FIXTURES / "voice-message.ogg", "takes/fix.ogg")
    requests += [CloneRequest(f"takes/{name}", CloneOptions()) for name in ("bad.wav", "fix.ogg")]
    outcomes = list(BatchClone(cloner, requests, recorder).run())
    assert sorted(outcome.path for outcome in outcomes) == sorted(str(request.take) for request in requests)
    found = {Path(outcome.path).name: outcome for outcome in outcomes}
    assert found["bad.wav"].ending == "refused"
    assert found["bad.wav"].failure is not None
    assert found["bad.wav"].failure.status == Status.NOT_FIT
    fixed = found["fix.ogg"].cloned
    assert fixed is not None
    assert fixed.changes
    assert endings(outcomes).count("cloned") == 4
    assert services.objects() == {}


def test_find_known_sends_nothing(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    requests = requests_in("takes", 2)
    cloner.clone(requests[0], recorder)
    before = services.endpoint.account()["requests"]
    batch = BatchClone(cloner, requests, recorder)
    (known,) = batch.find_known()
    assert (known.ending, known.path) == ("known", str(requests[0].take))
    assert batch.pending == requests[1:]
    assert batch.most_to_clone() == 1
    assert services.endpoint.account()["requests"] == before


def test_find_known_reports_unknown_outcomes(cloner: Cloner, recorder: Recorder, ledger: Ledger) -> None:
    requests = requests_in("takes", 2)
    take = str(requests[0].take)
    base_url = cloner.context.client.base_url
    key = clone_key(requests[0], base_url, Path(take).stat().st_size, digest(take), None)
    claimed = ledger.attempts.claim(key, base_url=base_url, options={})
    assert isinstance(claimed, Claimed)
    ledger.attempts.called(claimed.attempt, datetime.now(UTC))
    ledger.attempts.ended(claimed.attempt, "unknown", "timed-out")
    batch = BatchClone(cloner, requests, recorder)
    (unknown,) = batch.find_known()
    assert unknown.ending == "unknown"
    assert unknown.failure is not None
    assert unknown.failure.kind == "not-settled"
    assert batch.pending == requests[1:]


def test_find_known_needs_a_readable_ledger(cloner: Cloner, recorder: Recorder, ledger: Ledger) -> None:
    cloner.clone(request_for(), recorder)
    ledger.close()
    with pytest.raises(LedgerFailed):
        list(BatchClone(cloner, [request_for()], recorder).find_known())


def test_equal_recordings_are_paid_for_once(cloner: Cloner, recorder: Recorder, services: Services) -> None:
    Path("takes").mkdir()
    for number in range(4):
        shutil.copy(FIXTURES / "good.m4a", f"takes/{number}.m4a")
    requests = [CloneRequest(f"takes/{number}.m4a", CloneOptions()) for number in range(4)]
    before = services.endpoint.account()["clones_charged"]
    batch = BatchClone(cloner, requests, recorder)
    assert batch.most_to_clone() == 1
    outcomes = list(batch.run())
    assert sorted(endings(outcomes)) == ["cloned", "known", "known", "known"]
    assert len({outcome.cloned.voice_id for outcome in outcomes if outcome.cloned}) == 1
    assert services.endpoint.account()["clones_charged"] == before + 1


class SecondFirst(ThreadPoolExecutor):
    """Prepares the second recording before the first."""

    def __init__(self) -> None:
        super().__init__(2)
        self._submitted = 0
        self._second = threading.Event()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        self._submitted += 1
        if self._submitted > 1:
            future = super().submit(fn, *args, **kwargs)
            future.add_done_callback(lambda _: self._second.set())
            return future

        def later() -> T:
            assert self._second.wait(60)
            time.sleep(1)  # enough for a paid call that should not be made
            return fn(*args, **kwargs)

        return super().submit(later)


def test_again_pays_once_for_equal_recordings_in_any_order(ledger: Ledger, recorder: Recorder, cloner: Cloner) -> None:
    requests = [request_for("good.wav", again=True)] * 2
    with cloner_for(ledger, recorder, VOICE, calls_at_once=2) as (again, server), SecondFirst() as executor:
        once = paid_once(requests, server.base_url)
        outcomes = list(BatchClone(again, once, recorder, executor=executor, workers=2).run())
    assert endings(outcomes) == ["cloned", "known"]
    assert len(server.requests) == 1


@parametrize_some("most", [1, 2, 5], fast=1)
def test_the_maximum_number_of_clones_is_kept(cloner: Cloner, recorder: Recorder, home: Path, most: int) -> None:
    batch = BatchClone(cloner, requests_in("takes", 4), recorder, most_clones=most)
    assert batch.most_to_clone() == min(4, most)
    outcomes = list(batch.run())
    assert endings(outcomes).count("cloned") == min(4, most)
    assert len(paid_calls(home)) == min(4, most)
    for outcome in outcomes:
        if outcome.ending == "not-started":
            assert outcome.failure is not None
            assert (outcome.failure.kind, outcome.failure.status) == ("limit-reached", Status.DONE)


def test_a_refused_recording_does_not_count_as_paid(cloner: Cloner, recorder: Recorder, home: Path) -> None:
    requests = requests_in("takes", 2)
    Path("takes/a.wav").write_text("not a recording")
    requests.insert(0, CloneRequest("takes/a.wav", CloneOptions()))
    outcomes = list(BatchClone(cloner, requests, recorder, most_clones=2).run())
    assert sorted(endings(outcomes)) == ["cloned", "cloned", "refused"]


def test_an_error_for_all_recordings_stops_the_batch(
    cloner: Cloner, ledger: Ledger, recorder: Recorder, home: Path
) -> None:
    no_balance = answers(402, {"code": 402, "reason": "NOT_ENOUGH_BALANCE"})
    with cloner_for(ledger, recorder, no_balance) as (refused, server):
        outcomes = list(BatchClone(refused, requests_in("takes", 8), recorder).run())
        assert server.connections <= 3
    assert len(outcomes) == 8
    assert set(endings(outcomes)) == {"failed", "not-started"}
    assert {outcome.failure.kind for outcome in outcomes if outcome.failure} == {"balance-too-low"}
    assert {call["state"] for call in paid_calls(home)} == {"refused"}


def test_a_recording_that_the_service_refuses_does_not_stop_the_batch(
    cloner: Cloner, ledger: Ledger, recorder: Recorder
) -> None:
    refusal = answers(200, {"base_resp": {"status_code": 2037, "status_msg": "length"}})
    with cloner_for(ledger, recorder, refusal, VOICE) as (some, _):
        outcomes = list(BatchClone(some, requests_in("takes", 3), recorder).run())
    assert endings(outcomes).count("refused") == 1
    assert endings(outcomes).count("cloned") == 2


def test_a_lost_answer_does_not_stop_the_batch(cloner: Cloner, ledger: Ledger, recorder: Recorder) -> None:
    with cloner_for(ledger, recorder, closes_after_reading, VOICE) as (some, _):
        outcomes = list(BatchClone(some, requests_in("takes", 3), recorder).run())
    assert sorted(endings(outcomes)) == ["cloned", "cloned", "unknown"]
    assert len(ledger.attempts.unknown()) == 1


def test_stop_starts_nothing_new(cloner: Cloner, recorder: Recorder, home: Path, services: Services) -> None:
    requests = requests_in("takes", 4)
    batch = BatchClone(cloner, requests, recorder)
    batch.stop()
    outcomes = list(batch.run())
    assert endings(outcomes) == ["not-started"] * 4
    assert paid_calls(home) == []
    assert services.objects() == {}


def test_closing_a_batch_abandons_its_calls(ledger: Ledger, recorder: Recorder, cloner: Cloner, home: Path) -> None:
    """After a second Ctrl-C, calls in progress are unknown, and a late answer cannot change a closed ledger."""
    held = HeldAnswers()
    with StandInEndpoint(KEY, log=held) as endpoint:
        slow = make_cloner(load({"base_url": endpoint.base_url, "calls_at_once": 2}), ledger, recorder)
        outcomes = BatchClone(slow, [*requests_in("takes", 4)], recorder).run()
        first: list[Outcome] = []
        reader = threading.Thread(target=lambda: first.extend(outcomes), daemon=True)
        reader.start()
        wait_until(lambda: held.calls == 2)
        abandoned = ledger.attempts.mark_interrupted()
        ledger.close()
        held.released.set()
        reader.join(60)
    assert len(abandoned) == 2
    calls = paid_calls(home)
    assert [call["state"] for call in calls] == ["unknown", "unknown"]
    assert {call["id"] for call in calls} == {attempt.id for attempt in abandoned}


def test_warnings_are_listed_once(cloner: Cloner, recorder: Recorder) -> None:
    outcomes = list(BatchClone(cloner, [request_for("stereo.m4a")], recorder).run())
    (outcome,) = outcomes
    assert len(outcome.warnings) == len(set(outcome.warnings))


def test_an_empty_batch_has_no_outcome(cloner: Cloner, recorder: Recorder) -> None:
    batch = BatchClone(cloner, [], recorder)
    assert list(batch.find_known()) == []
    assert list(batch.run()) == []
