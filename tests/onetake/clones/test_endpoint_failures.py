"""Failures of the endpoint: one line, the right status, and the uploads are deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.onetake.conftest import Say
from tests.support.scripted_service import (
    Behaviour,
    ScriptedServer,
    answers,
    closes_after_reading,
    closes_before_reading,
    http,
    pages,
    repeats_forever,
    says,
)
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, KEY, Services, ledger_dump, paid_calls

TAKE = str(FIXTURES / "good.m4a")
VOICE = answers(200, {"voice_id": "voice_paid"})
CloneFrom = Callable[..., tuple[int, dict[str, Any], list[dict[str, Any]], int]]


@pytest.fixture
def clone_from(say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch) -> CloneFrom:
    """Clone with a scripted endpoint; return status, document, paid calls and number of connections."""

    def clone(*behaviours: Behaviour) -> tuple[int, dict[str, Any], list[dict[str, Any]], int]:
        with ScriptedServer(*behaviours) as server:
            for name, value in services.settings(ONETAKE_BASE_URL=server.base_url).items():
                monkeypatch.setenv(name, value)
            ran = say("clone", TAKE, "--json")
            connections = server.connections
        document = json.loads(ran.out)
        assert services.objects() == {}
        for secret in (KEY, services.storage.secret_access_key, services.storage.access_key_id, "X-Amz-"):
            assert secret not in ran.out + ran.err + ledger_dump(home)
        return ran.status, document, paid_calls(home), connections

    return clone


@pytest.mark.parametrize(
    ("behaviour", "status", "kind"),
    [
        (answers(401, {"code": 401, "reason": "FAILED_TO_AUTH", "message": "no"}), 4, "key-refused"),
        (answers(403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE"}), 4, "balance-too-low"),
        (answers(404, {"code": 404, "reason": "API_NOT_FOUND"}), 4, "request-refused"),
        (answers(429, {"reason": "RATE_LIMIT_EXCEEDED"}, "Retry-After: 86400"), 4, "rate-limited"),
        (answers(200, {"base_resp": {"status_code": 2037, "status_msg": "length"}}), 4, "audio-refused"),
    ],
)
def test_a_refusal_is_reported_and_stored(clone_from: CloneFrom, behaviour: Behaviour, status: int, kind: str) -> None:
    ended, document, calls, connections = clone_from(behaviour)
    assert (ended, document["error"]["kind"]) == (status, kind)
    assert document["error"]["hint"]
    assert connections == 1  # never a second call: it might be charged twice
    assert [(call["state"], call["kind"]) for call in calls] == [("refused", kind)]


@parametrize_some(
    ("behaviour", "kind"),
    [
        (pages(200), "nonsense-answer"),
        (answers(200, {"voice_id": ""}), "nonsense-answer"),
        (answers(200, ["voice"]), "nonsense-answer"),
        (says(http(200, b'{"voice_id": "vo')), "nonsense-answer"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"), "outcome-unknown"),
        (closes_after_reading, "outcome-unknown"),
        (
            repeats_forever(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" " * 65536),
            "outcome-unknown",
        ),
    ],
    fast=3,
)
def test_an_unusable_answer_leaves_the_outcome_unknown(clone_from: CloneFrom, behaviour: Behaviour, kind: str) -> None:
    ended, document, calls, connections = clone_from(behaviour)
    assert (ended, document["error"]["kind"]) == (5, kind)
    assert connections == 1
    assert [(call["state"], call["kind"]) for call in calls] == [("unknown", kind)]
    assert calls[0]["id"] in document["error"]["hint"]


def test_a_web_page_with_an_error_status_leaves_the_outcome_unknown(clone_from: CloneFrom) -> None:
    """An error page of a proxy means that the answer was lost, not that the call was not made."""
    ended, document, _, _ = clone_from(pages(502))
    assert ended == 5
    assert "\n" not in document["error"]["message"]


def test_a_connection_that_is_closed_at_once_is_reported_as_unknown_or_unreachable(clone_from: CloneFrom) -> None:
    ended, document, calls, _ = clone_from(closes_before_reading, VOICE)
    # depending on the moment the request was surely not sent, and is repeated, or may have been
    assert ended in {0, 5}
    assert calls[-1]["state"] == ("voice" if ended == 0 else "unknown")
    assert ("voice_id" in document) == (ended == 0)


@parametrize_some("headers", [("Retry-After: 1",), ()], fast=1)
def test_a_rate_limited_call_is_retried(clone_from: CloneFrom, headers: tuple[str, ...]) -> None:
    ended, document, calls, connections = clone_from(answers(429, {"message": "slow"}, *headers), VOICE)
    assert (ended, document["voice_id"], connections) == (0, "voice_paid", 2)
    assert [(call["state"], call["voice_id"]) for call in calls] == [("voice", "voice_paid")]


def test_an_unreachable_endpoint_is_reported_quickly(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.settings(
        ONETAKE_BASE_URL="https://127.0.0.1:" + services.endpoint.base_url[-5:]
    ).items():
        monkeypatch.setenv(name, value)
    ran = say("clone", TAKE, "--json")
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (4, "service-unreachable")
    assert services.objects() == {}
