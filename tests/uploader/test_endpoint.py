"""Endpoints with a path, a tenant, a bound domain, or from the AWS files; and URLs that are not endpoints."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.odd_storage import OddStorage, Reply, Seen, error
from tests.uploader.test_settings import UPLOAD, storage_for
from uploader import SettingsError, Storage, StorageSettings

UNREACHABLE = "http://127.0.0.1:1"


class Bucket:
    """A storage that accepts every request; a rule of the front."""

    def __init__(self) -> None:
        self.objects: dict[str, Seen] = {}

    def __call__(self, seen: Seen) -> Reply:
        path = seen.target.partition("?")[0]
        if seen.method == "PUT":
            self.objects[path] = seen
            return Reply(200, {"ETag": '"not-a-digest"'})
        if seen.method == "DELETE":
            self.objects.pop(path, None)
            return Reply(204)
        if "versions" in seen.target:
            return error(501, "NotImplemented", "versions are not supported")
        stored = self.objects.get(path)
        if stored is None:
            return Reply(200 if seen.method == "HEAD" and path.strip("/") in {self.bucket_path, ""} else 404)
        if seen.method == "HEAD":
            return Reply(200, {"Content-Length": str(len(stored.body))})
        return Reply(200, {"Content-Type": stored.headers["content-type"]}, stored.body)

    bucket_path = ""


def round_trip(path: str, bucket: str, addressing: str, bucket_path: str) -> list[str]:
    """Return the URL paths of the objects in the requests, without their keys."""
    service = Bucket()
    service.bucket_path = bucket_path
    with OddStorage(UNREACHABLE, service) as front:
        settings = StorageSettings(
            bucket=bucket,
            provider="custom",
            endpoint=front.endpoint + path,
            addressing=addressing,  # type: ignore[arg-type]
            access_key_id="KEY",
            secret_access_key="SECRET",
            public_only=False,
        )
        Storage(settings).round_trip()
        assert not service.objects
        objects = {urlsplit(seen.target).path for seen in front.seen if seen.target.partition("?")[0].endswith(".bin")}
    return sorted(target.rpartition("/")[0] for target in objects)


@pytest.mark.parametrize(
    ("path", "bucket", "addressing", "where"),
    [
        ("/storage/v1/s3", "takes", "path", "/storage/v1/s3/takes"),
        ("/storage/v1/s3/", "takes", "path", "/storage/v1/s3/takes"),
        ("/minio", "my.takes", "path", "/minio/my.takes"),
        ("", "lab:takes", "path", "/lab%3Atakes"),
        ("", "takes", "domain", ""),
    ],
)
def test_where_urls_contain_the_bucket(path: str, bucket: str, addressing: str, where: str) -> None:
    assert round_trip(path, bucket, addressing, where.strip("/")) == [where]


def test_a_domain_bound_to_the_bucket_is_recognized() -> None:
    for endpoint in ("https://takes.example.com", "https://audio.example.com/"):
        storage = storage_for("oss", endpoint=endpoint, region="cn-hangzhou")
        assert storage.describe()["addressing"] == "domain"
        url = urlsplit(storage.presign(UPLOAD).url)
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{endpoint.rstrip('/')}/k.m4a"
        assert "oss-cn-hangzhou" in url.query
    ours = storage_for("oss", endpoint="https://s3.oss-cn-hangzhou.aliyuncs.com")
    assert ours.describe()["addressing"] == "virtual"
    with pytest.raises(SettingsError, match="domain"):
        storage_for("oss", addressing="domain")


@pytest.mark.parametrize(("suffix", "addressing"), [("myqcloud.com", "virtual"), ("tencentcos.cn", "virtual")])
def test_the_endpoints_of_cos(suffix: str, addressing: str) -> None:
    storage = storage_for("cos", endpoint=f"https://cos.ap-guangzhou.{suffix}")
    description = storage.describe()
    assert (description["region"], description["addressing"]) == ("ap-guangzhou", addressing)
    host = urlsplit(storage.presign(UPLOAD).url).hostname
    assert host == f"takes-1250000000.cos.ap-guangzhou.{suffix}"


@pytest.mark.parametrize(
    ("provider", "endpoint", "text"),
    [
        ("r2", "https://pub-0123.r2.dev", "r2.dev"),
        ("custom", "https://pub-0123.r2.dev", "R2's public address"),
        ("r2", "https://audio.example.com", "custom domains"),
        ("spaces", "https://takes.fra1.cdn.digitaloceanspaces.com", "CDN"),
        ("custom", "https://d111111abcdef8.cloudfront.net", "CDN"),
        ("b2", "https://f004.backblazeb2.com", "download host"),
        ("aws", "https://s3.console.aws.amazon.com", "console"),
        ("aws", "https://eu-west-1.console.aws.amazon.com", "console"),
        ("r2", "https://dash.cloudflare.com", "console"),
        ("aws", "http://takes.s3-website-eu-west-1.amazonaws.com", "website"),
        ("gcs", "https://storage.cloud.google.com", "browsers"),
        ("custom", "https://account.blob.core.windows.net", "Azure"),
        ("custom", "https://abc.supabase.co", "Supabase"),
        ("custom", "https://supabase.com/dashboard", "console"),
        ("aws", "https://s3.eu-west-1.amazonaws.com/recordings", "has a path"),
        ("wasabi", "https://s3.eu-central-1.wasabisys.com/recordings", "has a path"),
        ("custom", "https://example.com/s3?x=1", "query"),
        ("custom", "https://example.com/../s3", "path"),
        ("custom", "https://example.com/s3/takes", "bucket"),
    ],
)
def test_invalid_endpoints(provider: str, endpoint: str, text: str) -> None:
    for setting in ("endpoint", "public_endpoint"):
        with pytest.raises(SettingsError, match=text) as caught:
            storage_for(provider, **{setting: endpoint})
        assert caught.value.setting == setting
        assert caught.value.hint


CONFIG = """
[default]
region = eu-north-1
[profile plain]
region = eu-south-1
endpoint_url = https://plain.example.com
[profile divided]
region = eu-south-1
endpoint_url = https://general.example.com
services = mine
[services mine]
dynamodb =
  endpoint_url = https://dynamodb.example.com
s3 =
  endpoint_url = https://s3.example.com
[profile off]
region = eu-south-1
endpoint_url = https://plain.example.com
ignore_configured_endpoint_urls = true
"""


@pytest.fixture
def aws_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text("[plain]\naws_access_key_id = K\naws_secret_access_key = S\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


NO_KEYS = {"access_key_id": None, "secret_access_key": None, "region": None}


@pytest.mark.parametrize(
    ("profile", "endpoint"),
    [
        ("plain", "https://plain.example.com"),
        ("divided", "https://s3.example.com"),
        ("off", None),
        ("default", None),
    ],
)
@pytest.mark.usefixtures("aws_files")
def test_the_endpoint_of_the_profile(profile: str, endpoint: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage_for("aws", **NO_KEYS, profile=profile).describe()["endpoint"] == endpoint
    monkeypatch.setenv("AWS_PROFILE", profile)
    assert storage_for("aws", region=None).describe()["endpoint"] == endpoint
    assert storage_for("wasabi", region="us-west-1").describe()["endpoint"] == "https://s3.us-west-1.wasabisys.com"


@pytest.mark.usefixtures("aws_files")
def test_the_profile_s_endpoint_is_where_links_go(monkeypatch: pytest.MonkeyPatch) -> None:
    url = storage_for("aws", **NO_KEYS, profile="plain").presign(UPLOAD).url
    assert url.startswith("https://plain.example.com/takes/k.m4a?")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://environment.example.com")
    assert "environment.example.com" in str(storage_for("aws", **NO_KEYS, profile="plain").describe())
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert storage_for("aws", **NO_KEYS, profile="plain").describe()["endpoint"] is None


def test_acceleration_of_the_profile_is_used(aws_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (aws_files / "config").open("a") as file:
        file.write("[profile fast]\nregion = eu-west-1\ns3 =\n  use_accelerate_endpoint = true\n")
    with (aws_files / "credentials").open("a") as file:
        file.write("[fast]\naws_access_key_id = K\naws_secret_access_key = S\n")
    storage = storage_for("aws", **NO_KEYS, profile="fast")
    assert urlsplit(storage.presign(UPLOAD).url).hostname == "takes.s3-accelerate.amazonaws.com"
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    with pytest.raises(SettingsError, match="fit together") as caught:
        storage_for("aws", **NO_KEYS, profile="fast").presign(UPLOAD)
    assert "acceleration" in caught.value.hint


@pytest.mark.usefixtures("aws_files")
def test_a_missing_profile_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for profile, named in ((None, "(from AWS_PROFILE)"), ("gone", "")):
        if profile is None:
            monkeypatch.setenv("AWS_PROFILE", "gone")
        storage = storage_for("aws", **{**NO_KEYS, "region": "eu-west-1"}, profile=profile)
        with pytest.raises(SettingsError, match="'gone'") as caught:
            storage.presign(UPLOAD)
        assert named in caught.value.message
        assert caught.value.setting == "profile"
        monkeypatch.delenv("AWS_PROFILE", raising=False)


def test_a_role_without_its_source_profile(aws_files: Path) -> None:
    with (aws_files / "config").open("a") as file:
        file.write("[profile role]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = unknown\n")
    storage = storage_for("aws", **{**NO_KEYS, "region": "eu-west-1"}, profile="role")
    with pytest.raises(SettingsError, match="unknown") as caught:
        storage.presign(UPLOAD)
    assert "source_profile" in caught.value.hint


def test_with_keys_and_endpoint_the_aws_settings_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\ns3 =\n  use_accelerate_endpoint = true\n")
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "gone",
        "AWS_ENDPOINT_URL": "https://elsewhere.example.com",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_CA_BUNDLE": str(tmp_path / "gone.pem"),
        "AWS_DATA_PATH": str(tmp_path),
        "AWS_MAX_ATTEMPTS": "many",
        "AWS_S3_USE_ARN_REGION": "perhaps",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "never",
        "AWS_DEFAULTS_MODE": "none",
    }.items():
        monkeypatch.setenv(name, value)
    url = storage_for("minio", endpoint="http://127.0.0.1:9000").presign(UPLOAD).url
    assert url.startswith("http://127.0.0.1:9000/takes/k.m4a?")
    assert os.environ["AWS_PROFILE"] == "gone"


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"sse": "rot13"}, "sse"),
        ({"sse": "AES256", "sse_kms_key_id": "k"}, "sse_kms_key_id"),
        ({"sse_kms_key_id": "k"}, "sse_kms_key_id"),
        ({"sse": "aws:kms", "sse_kms_key_id": "two words"}, "sse_kms_key_id"),
        ({"link_check": "sometimes"}, "link_check"),
        ({"public_endpoint": "example.com"}, "public_endpoint"),
        ({"bucket": "lab:takes", "addressing": "virtual"}, "addressing"),
        ({"bucket": "a:b:takes"}, "bucket"),
    ],
)
def test_an_invalid_value_is_reported_by_name(changes: dict[str, str], setting: str) -> None:
    with pytest.raises(SettingsError) as caught:
        storage_for("custom", addressing=changes.pop("addressing", None), **changes)
    assert caught.value.setting == setting
