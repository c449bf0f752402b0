"""Each action of the page: what it answers, and that it does the same as its command."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import preflight
from onetake.studio.scripts import script
from tests.support.services import FIXTURES, Services, services
from tests.support.studio import Page, reading, speech, studio

pytestmark = pytest.mark.slow  # real servers and processes

__all__ = ["services"]

MARKED = script("en").marked


@pytest.fixture(scope="module")
def recorded(page: Page) -> str:
    """A take of the whole fixture, whose second sentence was marked."""
    taken = page.record(speech(), language="en")
    return str(taken["id"])


def test_a_recording_comes_back_as_it_was_and_ready(page: Page, recorded: str) -> None:
    answer = page.session.get(f"{page.origin}/takes/{recorded}/audio")
    assert answer.headers["Content-Type"] == "audio/wav"
    content, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    np.testing.assert_array_equal(content, speech())
    assert rate == 16_000
    found = page.get(f"/api/takes/{recorded}/check")
    assert (found["verdict"], found["next"]) == ("ready", "clone")
    assert found["seconds"] == len(content) / rate


def test_audio_is_sent_in_ranges(page: Page, recorded: str) -> None:
    part = page.session.get(f"{page.origin}/takes/{recorded}/audio", headers={"Range": "bytes=4-7"})
    assert (part.status_code, len(part.content)) == (206, 4)
    named = page.session.get(f"{page.origin}/takes/{recorded}/audio?download")
    assert 'filename="Take-1.wav"' in named.headers["Content-Disposition"]


def test_the_findings_are_those_of_the_check(page: Page) -> None:
    taken = page.drop("too-short.wav")
    found, report = page.get(f"/api/takes/{taken['id']}/check"), preflight.check(FIXTURES / "too-short.wav")
    assert [(one["rule"], one["message"]) for one in found["findings"]] == [
        (one.rule, one.message) for one in report.findings
    ]
    assert (found["verdict"], found["quality"], found["next"]) == (report.verdict, report.quality, "join")
    assert 'data-at="' in found["html"]
    assert "<svg" in found["html"]


def test_markup_in_a_name_is_escaped(page: Page) -> None:
    content = (FIXTURES / "too-short.wav").read_bytes()
    taken = page.put("/api/takes?name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.wav", content)
    html = page.get(f"/api/takes/{taken['id']}/check")["html"]
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;.wav" in html


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..%2f..%2fevil.wav", "C:\\x\\y.wav", "", ".", "a" * 300, "%00.wav"]
)
def test_a_dropped_file_stays_in_the_session(page: Page, name: str) -> None:
    taken = page.put(f"/api/takes?name={name}", b"no audio")
    path = Path(taken["file"])
    assert path.parent.name == taken["id"]
    assert path.parent.parent.parent.name == "studio"
    assert path.read_bytes() == b"no audio"
    assert page.get(f"/api/takes/{taken['id']}/check")["verdict"] == "rejected"


def test_the_plan_and_the_fix_are_those_of_the_command(page: Page) -> None:
    taken = page.drop("voice-message.ogg")
    planned = page.post(f"/api/takes/{taken['id']}/plan", {"edits": ["high-pass"]})
    options = preflight.FixOptions(edits=frozenset({"high-pass"}))
    expected = preflight.plan(FIXTURES / "voice-message.ogg", options=options)
    assert [edit["what"] for edit in planned["edits"]] == [edit.what for edit in expected.edits]
    fixed = page.post(f"/api/takes/{taken['id']}/fix", {"edits": ["high-pass"]})
    assert fixed["changes"] == [edit.what for edit in expected.edits]
    assert (fixed["parent"], fixed["origin"]) == (taken["id"], "fixed")
    assert page.get(f"/api/takes/{fixed['id']}/check")["verdict"] == "ready"


def test_unsafe_edits_are_choices_and_not_made_by_themselves(page: Page) -> None:
    quiet = np.asarray(speech() // 40, np.int16)
    taken = page.record(quiet)
    planned = page.post(f"/api/takes/{taken['id']}/plan")
    (choice,) = [choice for choice in planned["choices"] if choice["name"] == "loudness"]
    assert (choice["safe"], choice["rules"]) == (False, ["too-quiet"])
    assert planned["edits"] == []
    louder = page.post(f"/api/takes/{taken['id']}/plan", {"loudness": True})
    assert louder["edits"][0]["name"] == "loudness"


def test_a_window_is_cut_as_requested(page: Page, recorded: str) -> None:
    fixed = page.post(f"/api/takes/{recorded}/fix", {"start_s": 0.5, "end_s": 11.0})
    content, rate = soundfile.read(fixed["file"], dtype="int16")
    assert len(content) == round(10.5 * rate)
    refused = page.post(f"/api/takes/{recorded}/plan", {"start_s": 1.0, "end_s": 3.0})
    assert "below" in refused["error"]["message"]


def test_short_takes_are_joined(page: Page) -> None:
    takes = [page.record(speech(6.0))["id"], page.record(speech(7.0))["id"]]
    joined = page.post("/api/join", {"takes": takes})
    assert page.get(f"/api/takes/{joined['id']}/check")["verdict"] == "ready"
    answer = page.ask("POST", "/api/join", json={"takes": takes[:1]})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "cannot-fix")


def test_a_room_check_is_neither_too_short_nor_speechless(page: Page) -> None:
    silence = np.random.default_rng(1).normal(0, 12, 5 * 16_000).astype(np.int16)
    taken = page.record(np.concatenate((silence, speech(4.0))), purpose="room")
    found = page.get(f"/api/takes/{taken['id']}/room")
    assert found["state"] == "good", found
    assert {row["name"] for row in found["rows"] if row["value"]} >= {"Noise floor", "Speech level", "Peak"}
    loud = (silence * 250).clip(-32768, 32767).astype(np.int16)
    noisy = page.record(np.concatenate((loud, speech(4.0))), purpose="room")
    assert page.get(f"/api/takes/{noisy['id']}/room")["state"] == "noisy"


def test_the_marked_sentence_is_the_first_clip_with_its_text(page: Page) -> None:
    recording = page.post("/api/recordings", {"sample_rate_hz": 16_000, "channels": 1, "language": "en"})["id"]
    sound, marked = reading()
    page.put(f"/api/recordings/{recording}?first=0", (sound / np.float32(32768)).astype("<f4").tobytes())
    taken = page.post(f"/api/recordings/{recording}/finish", {"name": "x", "marked": marked})
    clips = page.get(f"/api/takes/{taken['id']}/clips")
    assert (clips[0]["number"], clips[0]["text"], clips[0]["source"]) == (0, MARKED, "script")
    assert [clip["number"] for clip in clips[1:]] == list(range(1, len(clips)))
    cut = page.post(f"/api/takes/{taken['id']}/clip", {"number": 0, "text": MARKED})
    assert (cut["text"], cut["origin"]) == (MARKED, "prompt")
    assert page.get(f"/api/takes/{cut['id']}/check")["verdict"] == "ready"
    seconds = soundfile.info(cut["file"]).duration
    assert seconds == pytest.approx(clips[0]["end_s"] - clips[0]["start_s"], abs=0.01)


def test_a_prompt_text_is_checked_as_the_endpoint_does(page: Page) -> None:
    assert page.post("/api/prompt-text", {"text": MARKED}) is None
    for text, problem in (("", "is empty"), ("no end", "must end with punctuation"), ("a\tb.", "control character")):
        answer = page.ask("POST", "/api/prompt-text", json={"text": text})
        assert answer.status_code == 400
        assert problem in answer.json()["error"]["message"]


def test_a_take_is_saved_where_it_stays(page: Page, recorded: str) -> None:
    saved = page.post(f"/api/takes/{recorded}/save")["saved"]
    np.testing.assert_array_equal(soundfile.read(saved, dtype="int16")[0], speech())


def test_what_does_not_exist_is_an_answer(page: Page) -> None:
    for method, path, form in (
        ("GET", "/api/takes/none/check", None),
        ("POST", "/api/takes/none/fix", {}),
        ("GET", "/api/scripts/tlh", None),
        ("POST", "/api/clones", {"service": "rehearsal", "take": "none"}),
        ("POST", "/api/voices/keep", {"service": "rehearsal", "voice": "none"}),
        ("GET", "/api/clones/none/events", None),
        ("GET", "/takes/none/audio", None),
        ("GET", "/static/none.js", None),
    ):
        answer = page.ask(method, path, json=form)
        assert answer.status_code in {400, 404}, path
        assert answer.json()["error"]["message"]


class TestClones:
    def test_a_rehearsal_makes_a_voice_and_a_second_one_is_known(self, page: Page, recorded: str) -> None:
        text = "It rained all night, and the river rose above the old stone bridge."
        form = {"service": "rehearsal", "take": recorded, "text": text, "model": "speech-2.8-hd", "name": "ann"}
        plan = page.post("/api/clones/plan", form)
        assert plan["request"]["text"] == text
        assert plan["request"]["audio_url"].startswith("https://presigned.example/")
        done = page.clone(form)
        assert (done["state"], done["result"]["name"], done["error"]) == ("paid", "ann", None)
        assert [name for name, _ in done["steps"]][:4] == ["check", "upload", "verify", "clone"]
        assert done["result"]["likeness"] > page.get("/api/state")["same_voice"]  # the stand-in answers with the take
        preview = page.session.get(f"{page.origin}/takes/{done['preview']}/audio")
        assert preview.headers["Content-Type"] == "audio/mpeg"
        assert page.post("/api/clones/plan", form)["known"]["name"] == "ann"
        again = page.clone(form)
        assert (again["state"], again["result"]["voice_id"]) == ("known", done["result"]["voice_id"])

    def test_the_voice_is_kept_and_speaks(self, page: Page, recorded: str) -> None:
        page.clone({"service": "rehearsal", "take": recorded})
        (voice,) = [voice for voice in page.get("/api/voices")["voices"] if voice["service"] == "rehearsal"]
        assert voice["state"] == "temporary"
        named = {"service": "rehearsal", "voice": voice["voice_id"]}
        assert page.post("/api/voices/keep", named) == []
        assert page.get("/api/voices")["voices"][0]["state"] == "kept"
        spoken = page.post("/api/voices/say", {**named, "text": "It rained<#0.5#>all night.", "speed": 1.25})
        assert page.session.get(f"{page.origin}/takes/{spoken['id']}/audio").headers["Content-Type"] == "audio/mpeg"

    def test_a_take_that_cannot_be_sent_is_refused(self, page: Page) -> None:
        taken = page.drop("too-short.wav")
        done = page.clone({"service": "rehearsal", "take": taken["id"]})
        assert (done["state"], done["error"]["kind"], done["result"]) == ("refused", "take-refused", None)

    def test_the_real_service_is_refused_in_a_sandbox(self, page: Page, recorded: str) -> None:
        for path in ("/api/clones", "/api/clones/plan"):
            answer = page.ask("POST", path, json={"service": "real", "take": recorded})
            assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "usage")
        assert page.get("/api/state")["real"] is None


class TestRealService:
    """The real service of the settings, which here is a stand-in on this machine."""

    @pytest.fixture
    def real(self, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
        for name, value in services.settings(ONETAKE_PRICE="9.90").items():
            monkeypatch.setenv(name, value)
        with studio(home / "onetake", sandbox_only=False) as page:
            yield page

    def test_a_paid_call_needs_its_confirmed_price_and_is_made_once(self, real: Page, services: Services) -> None:
        taken = real.record(speech() - np.int16(1))
        statement = {"statement": "Ann Example, 2026-11-01", "spoken_in": taken["id"]}
        form = {"service": "real", "take": taken["id"], "consent": statement}
        before = services.endpoint.account()["clones_charged"]
        for price in (None, "9.9", "unknown"):
            answer = real.ask("POST", "/api/clones", json={**form, "confirmed_price": price})
            assert answer.status_code == 400
        assert services.endpoint.account()["clones_charged"] == before
        assert real.get("/api/state")["real"] == {"host": "127.0.0.1", "price": "9.90", "problem": None}
        runs = [real.post("/api/clones", {**form, "confirmed_price": "9.90"}) for _ in range(3)]  # three quick clicks
        states = []
        for run in runs:
            events = real.session.get(f"{real.origin}/api/clones/{run['id']}/events").text
            states.append(re.findall(r'"state":"(\w+)"', events)[-1])
        assert sorted(states) == ["known", "known", "paid"]
        assert services.endpoint.account()["clones_charged"] == before + 1
        (voice,) = real.get("/api/voices")["voices"]
        kept = re.fullmatch(r"Ann Example, 2026-11-01; spoken, kept as (consents/[0-9a-f]{64}\.wav)", voice["consent"])
        assert kept is not None
        spoken = Path(real.get("/api/state")["takes"][0]["file"])
        home = spoken.parents[3]
        assert (home / kept[1]).read_bytes() == spoken.read_bytes()

    def test_keys_and_links_never_reach_the_page(self, real: Page, services: Services) -> None:
        taken = real.record(speech() - np.int16(2))
        text = {"text": "Hello.", "model": "speech-2.8-hd"}
        form = {"service": "real", "take": taken["id"], "confirmed_price": "9.90", **text}
        run = real.post("/api/clones", form)["id"]
        shown = real.session.get(f"{real.origin}/api/clones/{run}/events").text
        shown += real.ask("GET", "/api/state").text + real.ask("GET", "/api/voices").text
        assert '"state":"paid"' in shown
        for secret in ("Top_Secret", services.storage.secret_access_key, "X-Amz", "/sandbox/audio/"):
            assert secret not in shown

    def test_settings_that_are_missing_are_a_problem_that_is_shown(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with studio(home / "onetake", sandbox_only=False) as page:
            real = page.get("/api/state")["real"]
            assert real["problem"].startswith("api_key is not set")
            assert page.get("/api/voices") == {"voices": [], "unknown": []}
