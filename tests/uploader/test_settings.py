"""Settings and presets: errors that are found without the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uploader import PROVIDERS, BadBucketName, SettingsError, Storage, StorageSettings, Upload

UPLOAD = Upload("k.m4a", 1, "", "", None, "audio/mp4", b"x")
KEYS = {"access_key_id": "KEY", "secret_access_key": "SECRET"}
A_BUCKET = {"cos": "takes-1250000000"}
GIVEN: dict[str, dict[str, str]] = {
    "aws": {"region": "eu-west-1"},
    "r2": {"endpoint": "https://0123abc.r2.cloudflarestorage.com"},
    "b2": {"endpoint": "https://s3.us-west-004.backblazeb2.com"},
    "minio": {"endpoint": "https://minio.example.com:9000"},
    "wasabi": {"region": "eu-central-1"},
    "spaces": {"endpoint": "https://fra1.digitaloceanspaces.com/"},
    "gcs": {},
    "oss": {"region": "oss-cn-hangzhou"},
    "cos": {"endpoint": "https://cos.ap-guangzhou.myqcloud.com"},
    "seaweedfs": {"endpoint": "http://seaweedfs.example.com:8333"},
    "custom": {"endpoint": "https://s3.example.com", "addressing": "virtual"},
}
URL = {
    "aws": ("https://takes.s3.eu-west-1.amazonaws.com/k.m4a", "eu-west-1"),
    "r2": ("https://0123abc.r2.cloudflarestorage.com/takes/k.m4a", "auto"),
    "b2": ("https://s3.us-west-004.backblazeb2.com/takes/k.m4a", "us-west-004"),
    "minio": ("https://minio.example.com:9000/takes/k.m4a", "us-east-1"),
    "wasabi": ("https://takes.s3.eu-central-1.wasabisys.com/k.m4a", "eu-central-1"),
    "spaces": ("https://takes.fra1.digitaloceanspaces.com/k.m4a", "fra1"),
    "gcs": ("https://storage.googleapis.com/takes/k.m4a", "auto"),
    "oss": ("https://takes.s3.oss-cn-hangzhou.aliyuncs.com/k.m4a", "oss-cn-hangzhou"),
    "cos": ("https://takes-1250000000.cos.ap-guangzhou.myqcloud.com/k.m4a", "ap-guangzhou"),
    "seaweedfs": ("http://seaweedfs.example.com:8333/takes/k.m4a", "us-east-1"),
    "custom": ("https://takes.s3.example.com/k.m4a", "us-east-1"),
}


def storage_for(provider: str, /, **changes: Any) -> Storage:
    known: dict[str, Any] = {"bucket": A_BUCKET.get(provider, "takes"), "provider": provider, **KEYS}
    return Storage(StorageSettings(**{**known, **GIVEN[provider], **changes}))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_preset_signs_the_right_url_and_region(provider: str) -> None:
    url = urlsplit(storage_for(provider, url_expires_s=604_800).presign(UPLOAD).url)
    expected, region = URL[provider]
    query = parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}{url.path}" == expected
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Credential"][0].split("/")[2] == region
    assert query["X-Amz-Expires"] == ["604800"]
    assert not [name for name in query if "checksum" in name.lower()]


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_every_preset_has_a_source(provider: Any) -> None:
    assert provider.source.startswith("https://")
    assert provider.checked == "2026-11"
    assert provider.addressing
    assert 0 < provider.max_url_expires_s <= 604_800


@pytest.mark.parametrize(
    ("setting", "provider", "changes"),
    [
        ("provider", "aws", {"provider": "s4"}),
        ("region", "aws", {"region": None}),
        ("region", "aws", {"region": "eu west"}),
        ("region", "wasabi", {"region": None}),
        ("endpoint", "r2", {"endpoint": None}),
        ("endpoint", "minio", {"endpoint": "minio.example.com:9000"}),
        ("endpoint", "minio", {"endpoint": "https://minio.example.com/takes"}),
        ("endpoint", "minio", {"endpoint": "https://takes.minio.example.com"}),
        ("endpoint", "minio", {"endpoint": "https://user:hidden@minio.example.com"}),
        ("endpoint", "minio", {"endpoint": "https://minio.example.com:99999"}),
        ("endpoint", "minio", {"endpoint": "https://minio example.com"}),
        ("addressing", "oss", {"addressing": "path"}),
        ("addressing", "cos", {"addressing": "path"}),
        ("addressing", "minio", {"addressing": "virtual", "endpoint": "http://127.0.0.1:9000"}),
        ("bucket", "cos", {"bucket": "takes"}),
        ("prefix", "aws", {"prefix": "/takes"}),
        ("prefix", "aws", {"prefix": "a//b"}),
        ("prefix", "aws", {"prefix": "../b"}),
        ("prefix", "aws", {"prefix": "-rf"}),
        ("prefix", "aws", {"prefix": "a b?c"}),
        ("secret_access_key", "aws", {"secret_access_key": None}),
        ("access_key_id", "aws", {"access_key_id": None}),
        ("secret_access_key", "aws", {"secret_access_key": "SECRET\n"}),
        ("session_token", "aws", {"access_key_id": None, "secret_access_key": None, "session_token": "T"}),
        ("profile", "aws", {"profile": "mine"}),
        *(("url_expires_s", "aws", {"url_expires_s": s}) for s in (0, -1, 604_801, 3.5, True)),
    ],
)
def test_an_invalid_setting_is_reported_by_name(setting: str, provider: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        storage_for(provider, **changes)
    assert caught.value.setting == setting
    assert "SECRET" not in f"{caught.value!r} {caught.value.hint}"
    assert "hidden@" not in f"{caught.value!r}"


@pytest.mark.parametrize(
    "bucket", ["", "ab", "a" * 64, "Takes", "ta_kes", "-takes", "takes.", "a..b", "1.2.3.4", "a/b", "tak\nes"]
)
def test_bad_bucket_names(bucket: str) -> None:
    with pytest.raises(BadBucketName) as caught:
        storage_for("aws", bucket=bucket)
    assert caught.value.setting == "bucket"


@given(bucket=st.text(max_size=70), prefix=st.text(max_size=20), endpoint=st.text(max_size=40))
def test_any_text_is_accepted_or_a_settings_error(bucket: str, prefix: str, endpoint: str) -> None:
    for changes in ({"bucket": bucket}, {"prefix": prefix}, {"endpoint": f"https://{endpoint}"}):
        message = ""
        try:
            storage_for("custom", **changes).describe()
        except SettingsError as error:
            message = str(error)
        assert message.isprintable()


def test_a_bucket_with_dots_is_addressed_by_path() -> None:
    assert storage_for("aws", bucket="my.takes").describe()["addressing"] == "path"
    assert storage_for("aws", endpoint="https://s3.example.com").describe()["addressing"] == "path"


def test_the_region_of_the_environment_and_the_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-north-1\n[profile lab]\nregion = eu-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert storage_for("aws", region=None).describe()["region"] == "eu-north-1"
    own = {"access_key_id": None, "secret_access_key": None, "profile": "lab"}
    assert storage_for("aws", region=None, **own).describe()["region"] == "eu-south-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-east-1")
    assert storage_for("aws", region=None).describe()["region"] == "ap-east-1"
    monkeypatch.setenv("AWS_REGION", "ca-west-1")
    assert storage_for("aws", region=None).describe()["region"] == "ca-west-1"
    endpoint = "https://s3.us-west-2.amazonaws.com"
    assert storage_for("aws", region=None, endpoint=endpoint).describe()["region"] == "us-west-2"


def test_the_endpoint_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.example.org")
    assert storage_for("minio", endpoint=None).describe()["endpoint"] == "https://minio.example.org"
    assert storage_for("wasabi").describe()["endpoint"] == "https://s3.eu-central-1.wasabisys.com"
