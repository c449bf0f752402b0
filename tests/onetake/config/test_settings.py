"""Settings: precedence, invalid values, and no secret in the output."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetake.config.setting_definitions import SETTINGS, Setting
from onetake.config.settings import Value, load
from onetake.errors import SettingError
from tests.onetake.conftest import Say
from tests.support.services import FIXTURES


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


def test_options_override_the_environment_which_overrides_the_file_and_the_defaults(
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


def test_the_file_in_the_platform_s_folder_is_read(say: Say, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    monkeypatch.setenv("ONETAKE_CONFIG", "")  # set to nothing is not set
    assert shown(say)["bucket"]["value"] is None
    path = Path(json.loads(say("config", "--json").out)["file"])
    path.parent.mkdir(parents=True)
    path.write_text('bucket = "takes"\n')
    assert shown(say)["bucket"] == {"value": "takes", "origin": str(path)}


@pytest.mark.parametrize("named", ["ledger", "./ledger", "~no-such-user/ledger"])
def test_a_relative_folder_of_the_ledger_is_refused(say: Say, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """In another working folder there would be another ledger, and a clone would be paid for again."""
    monkeypatch.setenv("ONETAKE_HOME", named)
    for command in ("voices", "config"):
        ran = say(command)
        assert (ran.status, "ONETAKE_HOME is" in ran.err) == (2, True)
    assert list(Path().iterdir()) == []


def test_a_tilde_in_the_folder_of_the_ledger_is_the_home_folder(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONETAKE_HOME", "~/ledger")
    assert json.loads(say("config", "--json").out)["home"] == str(home / "ledger")


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
def test_an_invalid_file_is_reported_in_one_line(say: Say, config: Path, content: bytes, named: str) -> None:
    config.write_bytes(content)
    ran = say("config", "--json")
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (2, "bad-setting")
    assert named in error["message"]
    assert "\n" not in error["message"]
    assert error["hint"]
    assert "verysecret" not in ran.out + ran.err


def test_a_settings_file_that_is_a_folder_is_reported(say: Say, config: Path) -> None:
    config.mkdir()
    ran = say("config")
    assert ran.status == 2
    assert "cannot be read" in ran.err


def test_secrets_are_masked_and_have_no_option(say: Say, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_keys_from_two_sources_are_refused(say: Say, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('bucket = "takes"\nsecret_access_key = "from-the-file"\nregion = "eu-west-1"\n')
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
    ran = say("upload", str(FIXTURES / "good.wav"), "--json")
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
def test_a_base_url_that_would_reveal_the_key_is_refused(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name, value in {"API_KEY": "sk-key", "BUCKET": "takes", "REGION": "eu-west-1", "BASE_URL": url}.items():
        monkeypatch.setenv(f"ONETAKE_{name}", value)
    ran = say("clone", str(FIXTURES / "good.wav"), "--json")
    assert ran.status == 2
    assert json.loads(ran.out)["error"]["kind"] == "invalid-argument"


SOURCES = ("option", "first variable", "last variable", "file")


@given(setting=st.sampled_from(SETTINGS), given=st.sets(st.sampled_from(SOURCES)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_setting_takes_the_value_of_its_highest_source(config: Path, setting: Setting, given: set[str]) -> None:
    values = {source: number if setting.kind is int else f"value {number}" for number, source in enumerate(SOURCES, 7)}
    first, last = setting.variables[0], setting.variables[-1]
    origins = {"option": setting.option, "first variable": first, "last variable": last, "file": str(config)}
    config.write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        for variable in setting.variables:
            patch.delenv(variable, raising=False)
        for source in reversed([source for source in SOURCES if source in given]):
            if source == "file":
                config.write_text(f"{setting.name} = {values['file']!r}\n")
            elif source != "option":
                patch.setenv(origins[source], str(values[source]))
        options = {setting.name: values["option"]} if "option" in given else {}
        resolved = load(options)[setting.name]
    winner = next((source for source in SOURCES if source in given), None)
    assert resolved == (Value(setting.default, "default") if winner is None else Value(values[winner], origins[winner]))


def test_an_empty_variable_is_not_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONETAKE_S3_ENDPOINT", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://storage.example")
    assert load({})["s3_endpoint"] == Value("https://storage.example", "AWS_ENDPOINT_URL")


def test_an_empty_option_overrides_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONETAKE_PREFIX", "environment/")
    assert load({"prefix": ""})["prefix"] == Value("", "--prefix")
    assert load({"prefix": "--help"})["prefix"] == Value("--help", "--prefix")


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+-.0123456789"), min_size=1).filter(
        str.strip
    )
)
def test_a_variable_that_is_not_a_whole_number_is_named(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONETAKE_CALLS_AT_ONCE", text)
        with pytest.raises(SettingError, match=r"^calls_at_once from ONETAKE_CALLS_AT_ONCE is not a whole number$"):
            load({})


@given(st.integers())
def test_whole_numbers_are_read_from_text(number: int) -> None:
    assert load({"calls_at_once": str(number)})["calls_at_once"] == Value(number, "--calls-at-once")


def test_the_expiry_of_temporary_keys_is_read_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_blanks_around_a_variable_are_not_part_of_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('bucket = "of-the-file"\nconsent = "  "\n')
    monkeypatch.setenv("ONETAKE_BUCKET", " \t")
    monkeypatch.setenv("ONETAKE_API_KEY", " sk-1\r\n")
    monkeypatch.setenv("ONETAKE_CALLS_AT_ONCE", " 3 ")
    monkeypatch.setenv("ONETAKE_S3_ENDPOINT", " ")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example")
    found = load({})
    assert found["bucket"] == Value("of-the-file", str(config))
    assert found["api_key"] == Value("sk-1", "ONETAKE_API_KEY")
    assert found["calls_at_once"] == Value(3, "ONETAKE_CALLS_AT_ONCE")
    assert found["s3_endpoint"] == Value("https://s3.example", "AWS_ENDPOINT_URL_S3")
    assert found["consent"] == Value("", str(config))


def test_the_place_of_a_mistake_in_the_file_is_named_without_the_line(say: Say, config: Path) -> None:
    config.write_text('api_key = "sk-secret"\napi_key = "sk-secret"\n')
    ran = say("config")
    assert (ran.status, "at line 2, column" in ran.err, "sk-secret" in ran.err) == (2, True, False)
