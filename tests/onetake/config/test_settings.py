"""Settings: who wins, what is said about a wrong one, and that no secret is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from onetake.config.settings import load
from tests.onetake.conftest import Say


def shown(say: Say, *arguments: str) -> dict[str, Any]:
    ran = say("config", "--json", *arguments)
    assert ran.status == 0, ran.err
    settings: dict[str, Any] = json.loads(ran.out)["settings"]
    return settings


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = home / "my.toml"
    monkeypatch.setenv("ONETAKE_CONFIG", str(path))
    return path


def test_flags_beat_the_environment_which_beats_the_file_which_beats_defaults(
    say: Say, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say("config").status == 2
    config.write_text("")
    assert shown(say)["prefix"] == {"value": "onetake/", "origin": "default"}
    config.write_text('prefix = "file/"\nurl_expires_s = 60\n')
    assert shown(say)["prefix"] == {"value": "file/", "origin": str(config)}
    assert shown(say)["url_expires_s"]["value"] == 60
    monkeypatch.setenv("ONETAKE_PREFIX", "environment/")
    assert shown(say)["prefix"] == {"value": "environment/", "origin": "ONETAKE_PREFIX"}
    assert shown(say, "--prefix", "flag/")["prefix"] == {"value": "flag/", "origin": "--prefix"}


def test_the_platform_s_own_file_is_found(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    monkeypatch.setenv("ONETAKE_CONFIG", "")  # set to nothing is not set
    assert shown(say)["bucket"]["value"] is None
    path = Path(json.loads(say("config", "--json").out)["file"])
    path.parent.mkdir(parents=True)
    path.write_text('bucket = "takes"\n')
    assert shown(say)["bucket"] == {"value": "takes", "origin": str(path)}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'bukket = "takes"', "bukket"),
        (b"bucket = 5", "bucket"),
        (b'url_expires_s = "soon"', "url_expires_s"),
        (b"url_expires_s = true", "url_expires_s"),
        (b"[storage]\nbucket = 1", "storage"),
        (b'api_key = "sk-verysecret', "my.toml"),
        (b'bucket = "\xff"', "my.toml"),
    ],
)
def test_a_wrong_file_is_one_clear_line(say: Say, config: Path, content: bytes, named: str) -> None:
    config.write_bytes(content)
    ran = say("config", "--json")
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (2, "bad-setting")
    assert named in error["message"]
    assert "\n" not in error["message"]
    assert error["hint"]
    assert "verysecret" not in ran.out + ran.err


def test_a_file_that_cannot_be_read(say: Say, config: Path) -> None:
    config.mkdir()
    ran = say("config")
    assert ran.status == 2
    assert "cannot be read" in ran.err


def test_secrets_are_masked_and_have_no_flag(say: Say, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('api_key = "sk-from-the-file"\n')
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-from-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-from-environment")
    for form in ((), ("--json",)):
        ran = say("config", *form)
        assert ran.status == 0
        assert ran.out.count("********") == 4
        assert not any(word in ran.out + ran.err for word in ("sk-from", "AKIAFROM", "-from-environment"))
    assert shown(say)["access_key_id"]["origin"] == "AWS_ACCESS_KEY_ID"
    assert say("config", "--api-key", "x").status == 2


def test_keys_from_two_places_contradict_each_other(say: Say, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('bucket = "takes"\nsecret_access_key = "from-the-file"\nregion = "eu-west-1"\n')
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
    ran = say("upload", "missing.wav", "--json")
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (2, "bad-setting")
    assert "AWS_ACCESS_KEY_ID" in error["message"]
    assert "my.toml" in error["message"]


def test_the_region_comes_from_the_standard_variable(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ("clone", str(Path(__file__).parents[3] / "fixtures" / "good.wav"), "--dry-run", "--json")
    for name, value in {"API_KEY": "k", "BUCKET": "takes"}.items():
        monkeypatch.setenv(f"ONETAKE_{name}", value)
    ran = say(*plan)
    assert (ran.status, json.loads(ran.out)["error"]["kind"]) == (2, "bad-setting")  # aws needs one
    assert "region" in ran.err
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert json.loads(say(*plan).out)["storage"]["region"] == "eu-central-1"
    assert json.loads(say(*plan, "--region", "eu-west-1").out)["storage"]["region"] == "eu-west-1"


def test_a_profile_is_not_mixed_with_the_environment_s_keys(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any keys there is no session token either, not even one called None."""
    plan = ("clone", str(Path(__file__).parents[3] / "fixtures" / "good.wav"), "--dry-run", "--json")
    for name, value in {"API_KEY": "k", "BUCKET": "takes", "REGION": "eu-west-1", "AWS_PROFILE": "work"}.items():
        monkeypatch.setenv(f"ONETAKE_{name}", value)
    assert say(*plan).status == 0
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert say(*plan).status == 0


@pytest.mark.parametrize("url", ["http://service.example", "https://user:pw@service.example", "ftp://x", "nonsense"])
def test_a_base_url_that_would_give_the_key_away(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name, value in {"API_KEY": "sk-key", "BUCKET": "takes", "REGION": "eu-west-1", "BASE_URL": url}.items():
        monkeypatch.setenv(f"ONETAKE_{name}", value)
    ran = say("clone", "missing.wav", "--json")
    assert ran.status == 2
    assert json.loads(ran.out)["error"]["kind"] == "invalid-argument"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://localhost:1/v1", True),
        ("http://voice.localhost", True),
        ("http://[::1]:8080", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("https://127.evil.example", False),
        ("https://127.0.0.1.evil.example", False),
        ("https://localhost.evil.example", False),
        ("https://evil-localhost", False),
        ("https://api.highwayapi.ai", False),
        ("https://[::2]", False),
        ("https://[nonsense", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url: str, local: bool) -> None:
    assert load({"base_url": url}).is_local is local


def test_the_end_of_temporary_keys_comes_with_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "K",
        "AWS_SECRET_ACCESS_KEY": "S",
        "AWS_SESSION_TOKEN": "T",
        "AWS_CREDENTIAL_EXPIRATION": "2026-11-01T12:00:00Z",
    }.items():
        monkeypatch.setenv(name, value)
    storage = load({"bucket": "takes", "region": "eu-west-1"}).storage_settings()
    assert storage.keys_expire_at == datetime(2026, 11, 1, 12, tzinfo=UTC)
    monkeypatch.setenv("ONETAKE_SESSION_TOKEN", "another")
    assert load({"bucket": "takes", "region": "eu-west-1"}).storage_settings().keys_expire_at is None
