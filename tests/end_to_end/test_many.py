"""Batches through the command: each recording is cloned once, and a bad one stops no other."""

from __future__ import annotations

import csv
import io
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from onetake.clones.attempt import CloneContext
from onetake.clones.batch import BatchClone
from onetake.clones.cloner import Cloner
from onetake.clones.rate_limit import RateLimiter
from onetake.clones.request import CloneRequest
from onetake.config.settings import load
from onetake.console.progress import Steps
from onetake.ledger import Ledger
from tests.onetake.conftest import Say
from tests.onetake.io.test_interrupts import left_behind
from tests.soak.rig import make_takes
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.services import FIXTURES, PROMPT_TEXT, Services, paid_calls


@pytest.fixture(autouse=True)
def _real(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def takes(home: Path) -> Path:
    """Four files: two equal recordings, one that needs a fix, and one that is not a recording."""
    folder = Path("takes")
    folder.mkdir()
    for name, take in (("good.wav", "a.wav"), ("good.wav", "again.wav"), ("voice-message.ogg", "b.ogg")):
        shutil.copy(FIXTURES / name, folder / take)
    (folder / "c.mp3").write_text("no recording")
    return folder


def charged(services: Services) -> int:
    return int(services.endpoint.account()["clones_charged"])


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def by_name(outcomes: list[dict[str, Any]]) -> dict[str, str]:
    return {Path(outcome["path"]).name: outcome["ending"] for outcome in outcomes}


def test_each_recording_of_a_folder_is_cloned_once(say: Say, home: Path, services: Services, takes: Path) -> None:
    before = charged(services)
    ran = say("clone", str(takes), "--format", "jsonl", "--price", "9.9")
    assert ran.status == 1
    ended = by_name(lines(ran.out))
    assert (ended["b.ogg"], ended["c.mp3"]) == ("cloned", "refused")
    assert sorted((ended["a.wav"], ended["again.wav"])) == ["cloned", "known"]
    assert "at most 29.7" in ran.err
    assert "2 cloned" in ran.err
    assert charged(services) == before + 2
    assert services.objects() == {}
    assert left_behind() == []
    again = say("clone", str(takes), "--format", "json")
    document = json.loads(again.out)
    assert document["summary"] == {"known": 3, "refused": 1}
    assert {take["voice_id"] for take in document["takes"] if take["ending"] == "known"} == {
        call["voice_id"] for call in paid_calls(home)
    }
    assert charged(services) == before + 2


@pytest.mark.slow
def test_a_batch_as_text_and_csv(say: Say, takes: Path) -> None:
    ran = say("clone", str(takes), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert len(rows) == 4
    assert {row["ending"] for row in rows} == {"cloned", "known", "refused"}
    assert all(row["voice_id"].startswith("voice_") == (row["ending"] != "refused") for row in rows)
    assert {row["error"] for row in rows} == {"", "take-refused"}
    text = say("clone", str(takes)).out.splitlines()
    assert len(text) == 4
    assert sum(line.startswith("known") for line in text) == 3


def test_a_known_recording_is_cloned_again_only_with_again(say: Say, services: Services) -> None:
    before = charged(services)
    take = str(FIXTURES / "good.m4a")
    first = json.loads(say("clone", take, "--json").out)
    known = json.loads(say("clone", take, "--json", "--text", "Hi.", "--model", "speech-2.8-hd", "--demo", "d.mp3").out)
    assert not Path("d.mp3").exists()
    assert (known["voice_id"], known["known"], known["uploads"]) == (first["voice_id"], True, [])
    assert "onetake say" in known["warnings"][0]
    assert charged(services) == before + 1
    other = json.loads(say("clone", take, "--json", "--noise-reduction").out)
    assert not other["known"]
    assert json.loads(say("clone", take, "--json", "--again").out)["voice_id"] not in {
        first["voice_id"], other["voice_id"]
    }  # fmt: skip
    assert charged(services) == before + 3


def test_a_preview_text_without_a_file_is_refused(say: Say, services: Services) -> None:
    before = charged(services)
    ran = say("clone", str(FIXTURES / "good.wav"), "--text", "Hi.", "--model", "speech-2.8-hd")
    assert (ran.status, "add --demo OUT" in ran.err) == (2, True)
    assert charged(services) == before


def test_a_manifest_has_options_for_each_row(say: Say, services: Services) -> None:
    manifest = Path("rows.csv")
    manifest.write_text(
        "take,name,prompt,prompt_text,text,model,demo,noise_reduction\n"
        f"{FIXTURES / 'good.wav'},anna,{FIXTURES / 'prompt.wav'},{PROMPT_TEXT},Hello.,speech-2.8-hd,anna.mp3,true\n"
        f"{FIXTURES / 'good.mp3'},ben,,,,,,\n",
        encoding="utf-8-sig",
    )
    ran = say("clone", str(manifest), "--format", "jsonl")
    assert ran.status == 0, ran.err
    outcomes = {outcome["name"]: outcome for outcome in lines(ran.out)}
    assert set(outcomes) == {"anna", "ben"}
    assert outcomes["anna"]["demo"] == "anna.mp3"
    assert Path("anna.mp3").stat().st_size > 1000
    assert len(outcomes["anna"]["uploads"]) == 2
    Path("rows.jsonl").write_text(json.dumps({"take": str(FIXTURES / "good.wav"), "accuracy": 0.5}) + "\n\n")
    assert say("clone", "rows.jsonl", "--format", "jsonl").status == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "take,nonsense\ngood.wav,1\n", "line 1: there is no column 'nonsense'"),
        ("m.csv", "take\nmissing.wav\n", "line 2: there is no recording missing.wav"),
        ("m.csv", "take,model\ngood.wav,speech-2.8-hd\n", "line 2: model is used only with text"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_a_manifest_is_validated_before_anything_is_sent(
    say: Say, home: Path, services: Services, name: str, content: str | bytes | None, message: str
) -> None:
    shutil.copy(FIXTURES / "good.wav", "good.wav")
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = services.endpoint.account()["requests"]
    ran = say("clone", name)
    assert ran.status == 2
    assert message in ran.err
    assert services.endpoint.account()["requests"] == before
    assert paid_calls(home) == []


@pytest.mark.parametrize(
    ("limit", "status"), [(("--max-clones", "1"), 0), (("--max-cost", "19.9", "--price", "9.95"), 0)]
)
@pytest.mark.slow
def test_limits_of_number_and_cost_are_kept(
    say: Say, home: Path, services: Services, limit: tuple[str, ...], status: int
) -> None:
    make_takes(Path("many"), 5)
    ran = say("clone", "many", "--format", "jsonl", *limit)
    ended = [outcome["ending"] for outcome in lines(ran.out)]
    allowed = 1 if "--max-clones" in limit else 2
    assert (ended.count("cloned"), ended.count("not-started")) == (allowed, 5 - allowed)
    assert ran.status == status
    assert len(paid_calls(home)) == allowed
    assert say("clone", "many", "--max-cost", "5").status == 2


def test_an_error_that_concerns_all_recordings_stops_the_batch(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_takes(Path("many"), 12)
    with ScriptedServer(answers(402, {"code": 402, "reason": "NOT_ENOUGH_BALANCE"})) as endpoint:
        monkeypatch.setenv("ONETAKE_BASE_URL", endpoint.base_url)
        ran = say("clone", "many", "--format", "jsonl", "--calls-at-once", "1")
        assert endpoint.connections < 5
    ended = [outcome["ending"] for outcome in lines(ran.out)]
    assert ran.status == 4
    assert set(ended) == {"failed", "not-started"}
    assert len(ended) == 12
    assert {call["state"] for call in paid_calls(home)} == {"refused"}


def test_consent_is_required_for_public_services_only(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_takes(Path("many"), 2)
    assert say("clone", "many").status == 0
    monkeypatch.setenv("ONETAKE_BASE_URL", "https://service.example")
    for arguments in (("many", "--format", "json"), (str(FIXTURES / "good.wav"), "--json")):
        ran = say("clone", *arguments)
        assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "consent-missing")
        assert "--consent" in ran.err
    assert len(paid_calls(home)) == 2


def test_consent_is_kept_with_the_voice(say: Say) -> None:
    assert say("clone", str(FIXTURES / "good.wav"), "--consent", "Ann Example, 2026-11-01").status == 0
    (voice,) = json.loads(say("voices", "--json").out)["voices"]
    assert voice["consent"] == "Ann Example, 2026-11-01"
    assert "consent: Ann Example" in say("voices").out


def test_options_for_a_known_voice_are_stored_or_reported(say: Say) -> None:
    good = str(FIXTURES / "good.wav")
    assert say("clone", good, "--name", "ann").status == 0
    again = say("clone", good, "--name", "ben", "--consent", "Ann Example, 2026-11-02")
    assert again.status == 0
    assert "known: nothing was sent" in again.out
    assert "its voice is called ann already" in again.err
    assert say("clone", good, "--consent", "Somebody else").status == 0
    (voice,) = json.loads(say("voices", "--json").out)["voices"]
    assert (voice["name"], voice["consent"]) == ("ann", "Ann Example, 2026-11-02")
    assert say("clone", good, "--name", "a\x1b[31mb").status == 2
    dry = say("clone", good, "--dry-run")
    assert dry.out == f"{good}: nothing would be sent: its voice is known, ann ({voice['voice_id']})\n"
    assert json.loads(say("clone", good, "--dry-run", "--json").out)["known"]


UNREADABLE = {"-1", "NaN", "much", "inf", "1e999999", "1e-999999"}


@pytest.mark.parametrize("cost", ["1", "9.89", "0", *sorted(UNREADABLE)])
def test_a_clone_above_the_maximum_cost_is_not_sent(say: Say, home: Path, cost: str) -> None:
    ran = say("clone", str(FIXTURES / "good.wav"), "--price", "9.9", "--max-cost", cost, "--json")
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "usage")
    assert paid_calls(home) == []
    many = ("clone", str(FIXTURES / "good.wav"), str(FIXTURES / "good.mp3"), "--price", "9.9", "--max-cost", cost)
    assert say(*many).status == (2 if cost in UNREADABLE else 0)
    assert paid_calls(home) == []


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "much", "1e-400", "1e999999"])
def test_a_price_that_is_not_an_amount_is_refused(say: Say, home: Path, price: str) -> None:
    ran = say("clone", str(FIXTURES / "good.wav"), "--price", price, "--max-cost", "1", "--json")
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "bad-setting")
    assert paid_calls(home) == []


@pytest.mark.slow
def test_a_process_pool_can_prepare(home: Path, services: Services) -> None:
    """Requests, results and errors can be pickled."""
    make_takes(Path("many"), 3)
    Path("many/bad.wav").write_text("no recording")
    shutil.copy(FIXTURES / "voice-message.ogg", "many/fixable.ogg")
    settings = load({})
    from client import CloneOptions

    with Ledger(home / "onetake") as ledger, ProcessPoolExecutor(2) as pool:
        context = CloneContext(settings.storage(), settings.client(), ledger, RateLimiter(4))
        cloner = Cloner(context, needs_consent=False)
        requests = [CloneRequest(str(path), CloneOptions()) for path in sorted(Path("many").iterdir())]
        batch = BatchClone(cloner, requests, Steps(quiet=True), executor=pool, workers=2)
        assert list(batch.find_known()) == []
        ended = {Path(outcome.path).name: outcome.ending for outcome in batch.run()}
    assert ended.pop("bad.wav") == "refused"
    assert set(ended.values()) == {"cloned"}
    assert services.objects() == {}
