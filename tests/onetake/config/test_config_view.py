"""`onetake config` hides secrets and reports invalid values."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.config.config_view import redact_url
from tests.onetake.conftest import Say

SECRET = "S3CR3T-of-mine"


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@127.0.0.1:1",
        f"http://{SECRET}@storage.example/path",
        f"https://storage.example/?key={SECRET}",
        f"https://storage.example/#{SECRET}",
        f"user:{SECRET}@storage.example",
        f"http://user:a/b?{SECRET}#@storage.example",
    ],
)
@pytest.mark.parametrize("setting", ["s3_endpoint", "base_url"])
def test_user_and_query_of_a_url_are_not_shown(
    say: Say, monkeypatch: pytest.MonkeyPatch, setting: str, url: str
) -> None:
    monkeypatch.setenv(f"ONETAKE_{setting.upper()}", url)
    for form in ((), ("--json",)):
        ran = say("config", *form)
        assert ran.status == 2  # such URLs are invalid
        assert SECRET not in ran.out + ran.err
        assert "***" in ran.out
    monkeypatch.delenv(f"ONETAKE_{setting.upper()}")
    ran = say("config", f"--{setting.replace('_', '-')}", url)
    assert SECRET not in ran.out + ran.err


HIDDEN = st.tuples(st.text(), st.text()).map(SECRET.join)


@given(user=HIDDEN, query=HIDDEN, scheme=st.sampled_from(["http://", "https://", "", "s3+x://"]))
def test_user_query_and_fragment_are_redacted_in_any_text(user: str, query: str, scheme: str) -> None:
    place = "storage.example/path"
    assert redact_url(scheme + place) == scheme + place
    for mark in "?#":
        assert SECRET not in redact_url(f"{scheme}{user}@{place}{mark}{query}")
        assert SECRET not in redact_url(f"{scheme}{place}{mark}{query}")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--url-expires-s", "-5"), "url_expires_s -5"),
        (("--url-expires-s", "0"), "url_expires_s 0"),
        (("--calls-at-once", "0"), "calls_at_once"),
        (("--calls-per-minute", "-1"), "calls_per_minute"),
        (("--price", "much"), "price"),
        (("--provider", "mars"), "'mars'"),
        (("--region", "a b"), "region"),
        (("--bucket", "_"), "bucket name '_'"),
        (("--prefix", "../"), "prefix"),
        (("--addressing", "none", "--region", "eu-west-1"), "addressing"),
        (("--s3-endpoint", "nonsense"), "endpoint"),
        (("--base-url", "ftp://x"), "base_url"),
    ],
)
def test_an_invalid_value_is_reported_and_shown(say: Say, flags: tuple[str, ...], words: str) -> None:
    ran = say("config", *flags)
    assert ran.status == 2
    assert words in ran.err
    assert f"{flags[0][2:].replace('-', '_')} " in ran.out
    problems = json.loads(say("config", "--json", *flags).out)["problems"]
    assert [words in problem["message"] for problem in problems] == [True]


@pytest.mark.parametrize("flags", [(), ("--provider", "r2"), ("--bucket", "takes"), ("--aws-profile", "work")])
def test_a_setting_that_is_not_set_is_not_a_problem(say: Say, flags: tuple[str, ...]) -> None:
    ran = say("config", "--json", *flags)
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out)["problems"] == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.write_bytes(b"#" * 1_000_001), "larger than the limit of 1,000,000 bytes"),
        (lambda path: path.write_text("a = " + "[" * 100_000), "not valid TOML"),
        (lambda path: path.write_text("url_expires_s = " + "1" * 5_000), "not valid TOML"),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_reported(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], words: str
) -> None:
    make(home / "my.toml")
    monkeypatch.setenv("ONETAKE_CONFIG", str(home / "my.toml"))
    ran = say("config", "--json")
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (2, "bad-setting")
    assert words in error["message"]
    monkeypatch.setenv("ONETAKE_CONFIG", "")
    assert say("check", "take.wav", "--profile", str(home / "my.toml")).status == 2


def test_a_settings_file_can_start_with_a_byte_order_mark(
    say: Say, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "my.toml").write_text('bucket = "takes"\n', encoding="utf-8-sig")
    monkeypatch.setenv("ONETAKE_CONFIG", str(home / "my.toml"))
    assert json.loads(say("config", "--json").out)["settings"]["bucket"]["value"] == "takes"
