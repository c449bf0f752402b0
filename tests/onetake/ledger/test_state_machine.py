"""Any order of attempts, ends, voices and settlements keeps what a ledger guarantees, in both databases."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from onetake.ledger import Claimed, InProgress, Known, Ledger, Unsettled
from tests.support.ledgers import NOW, WEEK, claim, clone_key_of
from tests.support.postgres import PostgresServer


class LedgerMachine(RuleBasedStateMachine):
    """In any order of events: a call that was not refused is never claimed again without `again`."""

    names = st.sampled_from(["a", "b"])

    def __init__(self) -> None:
        super().__init__()
        self.place = self.new_place()
        self.ledger = Ledger(self.place)
        self.attempts: dict[str, str] = {}
        self.states = {"a": "free", "b": "free"}  # or claimed, called: of the attempt that is under way
        self.known = {"a": "free", "b": "free"}  # or voice, unknown: of those that ended
        self.unknown_here: set[str] = set()  # calls of this run, which `again` does not repeat

    @staticmethod
    @abstractmethod
    def new_place() -> Path | str:
        """Where an empty ledger can be made."""

    def teardown(self) -> None:
        self.ledger.require_sound()
        self.ledger.close()

    @rule(name=names, again=st.booleans())
    def claim(self, name: str, again: bool) -> None:
        found = claim(self.ledger, name, again=again)
        expected: type = Claimed if self.states[name] == "free" else InProgress
        if again and name in self.unknown_here:
            expected = Unsettled
        if not again:
            expected = {"unknown": Unsettled, "voice": Known}.get(self.known[name], expected)
        assert isinstance(found, expected)
        if isinstance(found, Claimed):
            self.attempts[name], self.states[name] = found.attempt, "claimed"

    @rule(name=names)
    def call(self, name: str) -> None:
        if self.states[name] == "claimed":
            self.ledger.attempts.called(self.attempts[name], NOW)
            self.states[name] = "called"

    @rule(name=names, ending=st.sampled_from(["voice", "refused", "unknown"]))
    def answer(self, name: str, ending: str) -> None:
        if self.states[name] == "called":
            attempt = self.attempts[name]
            if ending == "voice":
                self.ledger.attempts.gave_voice(attempt, f"voice_{attempt}", NOW, NOW + WEEK)
            else:
                self.ledger.attempts.ended(attempt, ending, "kind")
                self.unknown_here |= {name} if ending == "unknown" else set()
            self.look(name)

    @rule(killed=st.booleans())
    def stop(self, killed: bool) -> None:
        called = [name for name, state in self.states.items() if state == "called"]
        if killed:
            self.ledger.close()
            self.ledger = Ledger(self.place)
            self.unknown_here.clear()
        else:
            self.ledger.attempts.mark_interrupted()
            self.unknown_here.update(called)
        for name in self.states:
            self.look(name)
            assert name not in called or self.known[name] in {"unknown", "voice"}

    @rule(name=names)
    def settle(self, name: str) -> None:
        if self.known[name] == "unknown":
            for attempt in self.ledger.attempts.unknown():
                if attempt.sha256 == clone_key_of(name).sha256:
                    self.ledger.voices.settle(attempt.id, None)
            self.unknown_here.discard(name)
            under_way = self.states[name]
            self.look(name)
            self.states[name] = under_way
            assert self.known[name] == "free"

    def look(self, name: str) -> None:
        """The attempt ended; there may also be an older voice, or an older unknown attempt."""
        found = self.ledger.attempts.find(clone_key_of(name))
        self.states[name] = "free"
        self.known[name] = {Known: "voice", Unsettled: "unknown", type(None): "free"}[type(found)]


def test_any_order_of_events(place: Path | str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    numbers = itertools.count()

    class Machine(LedgerMachine):
        @staticmethod
        def new_place() -> Path | str:
            if isinstance(place, Path):
                return tmp_path / str(next(numbers))
            server: PostgresServer = request.getfixturevalue("postgres")
            server.run("DROP SCHEMA IF EXISTS onetake CASCADE", place)
            return place

    run_state_machine_as_test(Machine, settings=settings(max_examples=40, stateful_step_count=20, deadline=None))
