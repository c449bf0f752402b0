"""Each answer that a service may give to a clone call, through the command: status, calls, ledger, and words shown."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.onetake.conftest import Say
from tests.support.scripted_service import Behaviour, ScriptedServer, answers, closes_after_reading, http, says
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services, paid_calls

TAKE = str(FIXTURES / "good.m4a")
UNCHARGED = re.compile(r"(not|nothing was|never) charged", re.IGNORECASE)


def text(
    status: int, content: str, *headers: str, encoding: str = "utf-8", kind: str = "application/json"
) -> Behaviour:
    return says(http(status, content.encode(encoding), *headers, kind=kind))


@dataclass(frozen=True)
class Case:
    """An answer and its result.

    Attributes:
        answer: To every call.
        state: What the ledger says afterwards.
        words: What is shown.
        posts: Calls of the first command.
        fields: Of the JSON error.
    """

    answer: Behaviour
    state: str
    words: tuple[str, ...] = ()
    posts: int = 1
    fields: tuple[tuple[str, object], ...] = ()


STATUS = {"voice": 0, "refused": 4, "unknown": 5}
CASES = {
    "1001 timeout": Case(
        answers(200, {"base_resp": {"status_code": 1001, "status_msg": "request timeout"}}),
        "unknown",
        ("request timeout",),
        fields=(("code", 1001), ("service_message", "request timeout"), ("http_status", 200)),
    ),
    "1002 rate limit": Case(
        answers(200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit exceeded(RPM)"}}, "Retry-After: 0"),
        "refused",
        ("rate limit exceeded(RPM)",),
        posts=4,
    ),
    "a limit in prose": Case(
        answers(200, {"base_resp": {"status_code": 1000, "status_msg": "upstream said 1002"}}), "unknown"
    ),
    "a limit in a server error": Case(
        answers(503, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, "Retry-After: 0"), "unknown"
    ),
    "interim 103": Case(
        says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http(200, b'{"voice_id": "voice_paid"}')), "voice"
    ),
    "voice and error": Case(
        answers(
            200, {"voice_id": "voice_paid", "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
        ),
        "voice",
        ("1008", "insufficient balance"),
    ),
    "voice and error status": Case(answers(500, {"voice_id": "voice_paid", "message": "callback failed"}), "voice"),
    "408": Case(answers(408, {"error": {"message": "litellm.Timeout: request", "code": "408"}}), "unknown"),
    "409": Case(answers(409, {"message": "conflict"}), "unknown", ("conflict",)),
    "redirect": Case(text(302, "", "Location: /elsewhere"), "unknown"),
    "500 with a reason": Case(
        answers(500, {"code": 500, "reason": "INTERNAL_SERVER_ERROR", "message": "context deadline exceeded"}),
        "unknown",
        ("context deadline exceeded",),
    ),
    "503 with a reason": Case(
        answers(503, {"code": 503, "reason": "SERVICE_NOT_AVAILABLE", "message": "upstream timeout"}), "unknown"
    ),
    "detail": Case(
        answers(
            400, {"detail": {"status": "voice_limit_reached", "message": "You have reached your maximum (10 / 10)"}}
        ),
        "refused",
        ("You have reached your maximum (10 / 10)",),
    ),
    "plain text": Case(
        text(400, "failed to download audio_url: 403", kind="text/plain"),
        "refused",
        ("failed to download audio_url: 403",),
    ),
    "GBK error": Case(
        text(200, '{"base_resp":{"status_code":2037,"status_msg":"音频时长不符合要求"}}', encoding="gbk"), "refused"
    ),
    "GBK voice": Case(text(200, '{"voice_id":"voice_paid","message":"成功"}', encoding="gbk"), "voice"),
    "trace id in a header": Case(
        answers(200, {"base_resp": {"status_code": 1000, "status_msg": "unknown error"}}, "Trace-Id: 04b2e15f0bbb"),
        "unknown",
        ("04b2e15f0bbb",),
        fields=(("trace_id", "04b2e15f0bbb"),),
    ),
    "lost": Case(closes_after_reading, "unknown"),
}


@parametrize_some("name", CASES, fast=6)
def test_each_answer_leads_to_one_state(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = CASES[name]
    with ScriptedServer(case.answer) as server:
        for setting, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
            monkeypatch.setenv(setting, value)
        ran = say("clone", TAKE, "--json")
        assert (ran.status, server.connections) == (STATUS[case.state], case.posts)
        (call,) = paid_calls(home)
        assert call["state"] == case.state
        document = json.loads(ran.out)
        shown = ran.out + ran.err
        for word in case.words:
            assert word in ran.err
            assert word in json.dumps(document, ensure_ascii=False)
        _check_document(document, case, call)
        if case.state == "unknown":
            assert not UNCHARGED.search(shown)
        if case.state != "refused":
            second = say("clone", TAKE, "--json")
            assert second.status == STATUS[case.state]
            assert server.connections == case.posts  # not paid for again
            kind = json.loads(second.out).get("error", {}).get("kind")
            assert kind == ("not-settled" if case.state == "unknown" else None)


def _check_document(document: dict[str, Any], case: Case, call: dict[str, Any]) -> None:
    if case.state == "voice":
        assert document["voice_id"] == call["voice_id"] == "voice_paid"
        return
    error = document["error"]
    assert {**error, **dict(case.fields)} == error
    for name in ("service_message", "trace_id", "http_status", "code"):
        assert error.get(name) == call[name]
    assert call["kind"] == error["kind"]
    if case.state == "unknown":
        assert call["id"] in error["hint"]


def test_a_voice_with_an_error_is_stored_with_a_warning(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(CASES["voice and error"].answer) as server:
        for setting, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
            monkeypatch.setenv(setting, value)
        ran = say("clone", TAKE, "--json")
    (warning,) = json.loads(ran.out)["warnings"]
    assert "1008" in warning
    assert "warning:" in ran.err
    (voice,) = json.loads(say("voices", "--json").out)["voices"]
    assert any("1008" in stored for stored in voice["warnings"])
    assert "1008" in say("voices").out
    assert '"status_code":1008' in paid_calls(home)[0]["answer"].replace(" ", "")


def test_voices_unknown_shows_the_message_of_the_service(
    say: Say, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(CASES["trace id in a header"].answer) as server:
        for setting, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
            monkeypatch.setenv(setting, value)
        assert say("clone", TAKE).status == 5
    assert "04b2e15f0bbb" in say("voices", "--unknown").out
    (call,) = json.loads(say("voices", "--unknown", "--json").out)["unknown"]
    assert (call["trace_id"], call["code"], call["service_message"]) == ("04b2e15f0bbb", 1000, "unknown error")
    assert json.loads(call["answer"]) == {"base_resp": {"status_code": 1000, "status_msg": "unknown error"}}


def test_an_answer_that_cannot_be_read_stays_in_the_ledger(
    say: Say, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = bytes([0x1B, 0x17, 0, 0xF8, *range(24)])  # what Brotli might give
    with ScriptedServer(says(http(200, packed, "Content-Encoding: something-new"))) as server:
        for setting, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
            monkeypatch.setenv(setting, value)
        assert say("clone", TAKE).status == 5
    (call,) = json.loads(say("voices", "--unknown", "--json").out)["unknown"]
    assert base64.b64decode(call["answer"].removeprefix("base64:")) == packed


@pytest.mark.parametrize("more", [(), ("--again",)])
def test_a_copy_of_a_recording_is_not_sent_after_an_unknown_outcome(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    for name in ("one.m4a", "two.m4a"):
        Path(name).write_bytes(Path(TAKE).read_bytes())
    with ScriptedServer(CASES["500 with a reason"].answer) as server:
        for setting, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
            monkeypatch.setenv(setting, value)
        ran = say("clone", "one.m4a", "two.m4a", "--json", *more)
        assert server.connections == 1
        document = json.loads(ran.out)
        assert (ran.status, document["summary"]) == (5, {"unknown": 2})
        assert {take["error"]["kind"] for take in document["takes"]} == {"server-failed", "not-settled"}
        assert say("clone", "two.m4a", "--again").status == 5
        assert server.connections == 2  # because of --again
