"""Storage settings through the command: a public endpoint, warnings, locked objects, and what the sandbox ignores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.onetake.conftest import Say
from tests.support.odd_storage import OddStorage, Reply, Seen, always, error, on
from tests.support.services import FIXTURES, Services, onetake

TAKE = str(FIXTURES / "good.m4a")
LOCKED = error(403, "AccessDenied", "Access Denied because object protected by object lock.")


@pytest.fixture
def public(services: Services, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OddStorage]:
    """The storage under a second URL, which serves the recording as another content type; the settings name both."""

    def as_bytes(seen: Seen, reply: Reply) -> None:
        if seen.method == "GET" and seen.is_object:
            reply.headers["Content-Type"] = "application/octet-stream"

    with OddStorage(services.storage.endpoint, change=as_bytes) as front:
        for name, value in services.settings(ONETAKE_PUBLIC_ENDPOINT=front.endpoint).items():
            monkeypatch.setenv(name, value)
        yield front
    services.empty()


def test_upload_prints_the_public_endpoint_and_warnings(say: Say, public: OddStorage, services: Services) -> None:
    ran = say("upload", TAKE, "--json")
    assert ran.status == 0, ran.err
    url = json.loads(ran.out)["url"]
    assert url.startswith(f"{public.endpoint}/{services.storage.bucket}/onetake/")
    assert requests.get(url, timeout=10).content == Path(TAKE).read_bytes()
    assert "application/octet-stream instead of audio/mp4" in ran.err
    assert {seen.method for seen in public.seen} == {"GET"}


def test_a_locked_object_is_reported_as_staying(
    say: Say, home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OddStorage(services.storage.endpoint, on("DELETE", LOCKED)) as front:
        for name, value in services.settings(ONETAKE_S3_ENDPOINT=front.endpoint).items():
            monkeypatch.setenv(name, value)
        ran = say("clone", TAKE)
    assert ran.status == 0, ran.err
    assert "stays stored" in ran.err
    assert "object lock" in ran.err
    assert "next run" not in ran.err
    services.empty()


@pytest.mark.slow
def test_the_sandbox_ignores_the_settings_of_the_user(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\ns3 =\n  use_accelerate_endpoint = true\n")
    with OddStorage("http://127.0.0.1:9", always(Reply(403))) as proxy:
        foreign = {
            "AWS_CONFIG_FILE": str(config),
            "AWS_PROFILE": "gone",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
            "AWS_CA_BUNDLE": str(tmp_path / "gone.pem"),
            "REQUESTS_CA_BUNDLE": str(tmp_path / "gone.pem"),
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_USE_DUALSTACK_ENDPOINT": "true",
            "AWS_SESSION_TOKEN": "foreign",
            "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
            "ONETAKE_PUBLIC_ENDPOINT": "https://storage.example.com",
            "ONETAKE_SSE": "aws:kms",
            "ONETAKE_LINK_CHECK": "off",
            **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), proxy.endpoint),
            **dict.fromkeys(("all_proxy", "ALL_PROXY"), "socks5://127.0.0.1:9"),
        }
        ran = onetake("clone", TAKE, "--sandbox", "--json", env=foreign)
        assert ran.status == 0, ran.err
        assert json.loads(ran.out)["voice_id"]
        assert "expire" not in ran.err
        assert proxy.seen == []


def test_the_policy_has_the_rights_of_the_key(say: Say) -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/0123"
    for given, resource in ((key, key), ("0123", "arn:aws:kms:*:*:key/0123"), ("alias/takes", "arn:aws:kms:*:*:key/*")):
        ran = say("storage", "policy", "--json", "--bucket", "takes", "--sse", "aws:kms", "--sse-kms-key-id", given)
        statement = json.loads(ran.out)["policy"]["Statement"][-1]
        assert statement["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
        assert statement["Resource"] == resource
    ran = say("storage", "policy", "--json", "--bucket", "takes", "--sse", "AES256")
    assert "kms" not in ran.out
