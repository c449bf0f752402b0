"""Batches that are interrupted, killed, or meet faults: each recording is cloned once, and nothing is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from onetake.sandbox.endpoint import StandInEndpoint
from tests.onetake.conftest import Say
from tests.onetake.io.test_interrupts import left_behind
from tests.soak.faults import count, run_through
from tests.soak.kills import Disturbance, disturb, settle_and_count
from tests.soak.rig import make_takes, rig
from tests.support.processes import Running, wait_until
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.servers import HeldAnswers
from tests.support.services import KEY, Services, paid_calls


@pytest.fixture(autouse=True)
def _real(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def by_name(outcomes: list[dict[str, Any]]) -> dict[str, str]:
    return {Path(outcome["path"]).name: outcome["ending"] for outcome in outcomes}


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_finishes_paid_calls_and_a_second_one_abandons_them(home: Path, services: Services, times: int) -> None:
    make_takes(Path("many"), 10)  # four are sent at a time: some are not started when the third one is
    held = HeldAnswers()
    with StandInEndpoint(KEY, log=held) as endpoint:
        env = services.settings(ONETAKE_BASE_URL=endpoint.base_url)
        running = Running("clone", "many", "--format", "jsonl" if times == 1 else "json", env=env)
        wait_until(lambda: held.calls >= 3)
        running.send(signal.SIGINT)
        running.wait_for_line("no new ones are started")
        if times == 2:
            running.send(signal.SIGINT)
            status, out, err = running.end()
            held.released.set()
        else:
            held.released.set()
            status, out, err = running.end()
        ended = by_name(lines(out) if times == 1 else json.loads(out)["takes"])
        calls = paid_calls(home)
        voices = {voice["voice_id"] for voice in endpoint.account()["voices"]}
        if times == 1:
            assert status == 130
            assert {call["state"] for call in calls} == {"voice"}
            assert {call["voice_id"] for call in calls} == voices
            assert list(ended.values()).count("cloned") == len(voices)
            assert len(ended) == 10
            assert "not-started" in ended.values()
            assert services.objects() == {}
        else:
            assert status == 5
            assert "unknown" in {call["state"] for call in calls}
            assert "is unknown (attempt" in err
            assert json.loads(out)["error"]["kind"] == "interrupted"
            counted = json.loads(out)["summary"]
            assert counted["unknown"] == sum(call["state"] == "unknown" for call in calls)
            assert counted.get("cloned", 0) == sum(call["state"] == "voice" for call in calls)
            assert sum(counted.values()) == len(ended) == 10
        assert left_behind() == []
        again = Running("clone", "many", "--format", "jsonl", env=env).end()
        unknown = sum(call["state"] == "unknown" for call in calls)
        assert again[0] == (5 if unknown else 0)
        assert len(paid_calls(home)) == 10
        assert endpoint.account()["clones_charged"] == 10
        assert services.objects() == {}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "storage"])  # and two at once, and stopped: make soak
def test_a_killed_batch_is_resumed(home: Path, tmp_path: Path, how: Disturbance) -> None:
    with rig(tmp_path / "rig", takes=8) as made:
        hits = disturb(made, how, times=2, seed=3)
        assert hits.calls >= 1 or how != "kill"  # a failing storage may end the run before its next call
        settle_and_count(made, 8)


@pytest.mark.slow
def test_a_batch_survives_faulty_proxies(home: Path, tmp_path: Path) -> None:
    with rig(tmp_path / "rig", takes=8) as made:
        endings, met = run_through(made, share=0.3, seed=5)
        count(made, endings, 8)
    assert sum(met.values()) > met["none"] > 0


def test_ten_unknown_outcomes_in_a_row_stop_the_batch(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them may be charged, and the user must settle it."""
    make_takes(Path("many"), 14)
    with ScriptedServer(answers(500, {"code": 500, "reason": "INTERNAL", "message": "deadline"})) as server:
        for name, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", "many", "--json", "--calls-at-once", "1")
        counted = json.loads(ran.out)["summary"]
        assert ran.status == 5
        assert 10 <= counted["unknown"] == server.connections <= 12  # those in progress finish
        assert counted["not-started"] == 14 - counted["unknown"]
