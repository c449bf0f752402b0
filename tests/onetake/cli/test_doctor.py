"""`onetake doctor` names each failing component with a hint, and sends nothing to the clone service."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from onetake.ledger import FILE_NAME, Ledger
from onetake.ledger.sqlite_schema import MIGRATIONS
from tests.onetake.conftest import Say
from tests.support.scripted_service import ScriptedServer, answers
from tests.support.scripted_storage import Answer, Request
from tests.support.scripted_storage import ScriptedServer as ScriptedStorage
from tests.support.selection import parametrize_some
from tests.support.services import READER, Services


def parts(say: Say, *arguments: str) -> tuple[int, dict[str, int]]:
    ran = say("doctor", "--json", *arguments)
    components = json.loads(ran.out)["parts"]
    assert all(part["message"] and bool(part["hint"]) == (part["status"] != 0) for part in components)
    return ran.status, {part["name"]: part["status"] for part in components}


def test_all_components_work(say: Say, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(answers(200, {})) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        assert parts(say) == (0, {"packages": 0, "decoders": 0, "settings": 0, "ledger": 0, "key": 0, "storage": 0})
        assert endpoint.connections == 0
    assert services.objects() == {}
    ran = say("doctor")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ok"] * 6


@parametrize_some(
    ("changes", "status", "failing"),
    [
        ({"ONETAKE_API_KEY": ""}, 2, "key"),
        ({"ONETAKE_API_KEY": "two words"}, 2, "key"),
        ({"ONETAKE_BUCKET": ""}, 2, "storage"),
        ({"ONETAKE_BUCKET": "no-such-bucket-here"}, 3, "storage"),
        ({"ONETAKE_SECRET_ACCESS_KEY": "wrong-secret-0123456789"}, 3, "storage"),
        (
            {"ONETAKE_ACCESS_KEY_ID": READER.access_key_id, "ONETAKE_SECRET_ACCESS_KEY": READER.secret_access_key},
            3,
            "storage",
        ),
        ({"ONETAKE_BASE_URL": "https://service.example"}, 3, "storage"),  # which could not fetch from a loopback host
        ({"ONETAKE_HOME": "/dev/null/home"}, 2, "ledger"),
    ],
    fast=1,
)
@pytest.mark.slow
def test_a_failing_component_is_named(
    say: Say, services: Services, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], status: int, failing: str
) -> None:
    for name, value in services.settings(**changes).items():
        monkeypatch.setenv(name, value)
    ended, found = parts(say)
    assert ended == status
    assert [name for name, ended in found.items() if ended] == [failing]
    ran = say("doctor")
    assert f"PROBLEM  {failing}" in ran.out
    assert "bug" not in ran.out


class LateStorage(ScriptedStorage):
    """A storage whose clock is ten minutes slow, visible only in the Date headers of its answers."""

    def _behave(self, request: Request) -> Answer:
        return dataclasses.replace(super()._behave(request), clock_offset_s=-600)


@pytest.mark.slow
def test_a_clock_that_is_off_by_minutes_is_reported(
    say: Say, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At ten minutes signatures are still valid, but URLs with a shorter lifetime have already expired."""
    with LateStorage() as storage:
        for name, value in services.settings(ONETAKE_S3_ENDPOINT=storage.endpoint, ONETAKE_BUCKET="takes").items():
            monkeypatch.setenv(name, value)
        ran = say("doctor", "--json")
    components = {part["name"]: part for part in json.loads(ran.out)["parts"]}["storage"]
    assert components["status"] == 3
    assert "clock" in components["message"]
    assert "clock" in components["hint"]


@pytest.mark.slow
def test_all_components_of_the_sandbox_work(say: Say, home: Path) -> None:
    assert parts(say, "--sandbox") == (
        0,
        {"packages": 0, "decoders": 0, "settings": 0, "ledger": 0, "key": 0, "storage": 0},
    )


DOCTOR = """
import pathlib, sys
from onetake.ledger import Ledger
ledger = Ledger(pathlib.Path(sys.argv[1]))
with ledger._database.transaction() as connection:
    connection.execute("INSERT INTO uploads (storage, key, run, reserved_at) VALUES ('', 'x', '', '')")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_killed_doctor_leaves_nothing_behind(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.require_writable()
    command = [sys.executable, "-c", DOCTOR, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    with Ledger(tmp_path) as ledger, Ledger(tmp_path) as beside:
        ledger.require_writable()
        beside.require_writable()
        assert ledger.uploads.abandoned() == []


def test_leftovers_of_a_killed_doctor_of_an_earlier_version_are_removed(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as connection:
        for migration in MIGRATIONS[:2]:
            migration(connection)
        connection.execute("PRAGMA user_version = 2")
        connection.execute("INSERT INTO uploads VALUES ('', '', 'r', '2026-11-01T00:00:00+00:00')")
    with Ledger(tmp_path) as ledger:
        assert ledger.uploads.abandoned() == []
        ledger.require_writable()


def test_concurrent_doctors_do_not_disturb_each_other(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def examine() -> None:
        try:
            with Ledger(tmp_path) as ledger:
                for _ in range(5):
                    ledger.require_writable()
        except BaseException as error:  # noqa: BLE001 - reported below
            errors.append(error)

    threads = [threading.Thread(target=examine) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
