"""Which storage, and the checks that need no network."""

from __future__ import annotations

import configparser
import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from uploader.discretion import one_line
from uploader.errors import BadBucketName, SettingsError
from uploader.providers import PROVIDERS, Addressing, Provider

_PREFIX = re.compile(r"(?:[A-Za-z0-9_.=+@-]+/)*[A-Za-z0-9_.=+@-]*")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_LONGEST_PREFIX = 512


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Everything a `Storage` has to be told. None means: what the provider's preset or the environment says.

    Attributes:
        bucket: The bucket's name.
        provider: A name in `PROVIDERS`.
        endpoint: The service's URL without bucket or path. None: made from the region, or what
            AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL say.
        region: None: read from the endpoint's host, then the preset's, then (aws) AWS_REGION,
            AWS_DEFAULT_REGION and the profile.
        prefix: Put before every key, literally; it usually ends in a slash.
        addressing: `path` or `virtual`.
        access_key_id: None (with `secret_access_key`): boto3's usual chain of environment, profile, instance.
        secret_access_key: Goes with `access_key_id`.
        session_token: Goes with temporary keys. URLs signed with these die with them, whatever
            `url_expires_s` says.
        profile: A profile of the AWS configuration files.
        url_expires_s: How long presigned URLs live, in seconds.
        public_only: Refuse URLs that nobody outside could fetch.
    """

    bucket: str
    provider: str = "aws"
    endpoint: str | None = None
    region: str | None = None
    prefix: str = ""
    addressing: Addressing | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    url_expires_s: int = 3600
    public_only: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Settings with every gap filled: where requests go, and what they are signed for."""

    provider: Provider
    endpoint: str | None
    region: str
    bucket: str
    addressing: Addressing

    @property
    def signing_region(self) -> str:
        """The region's name in signatures."""
        return self.provider.signing_region.format(region=self.region)

    @property
    def shown(self) -> str:
        """The service, for messages."""
        return self.endpoint or f"{self.provider.title} ({self.region})"


def target_of(settings: StorageSettings) -> Target:
    """Check the settings and fill their gaps.

    Raises:
        SettingsError: One is missing, impossible or contradicts another; `setting` names it.
    """
    provider = PROVIDERS.get(settings.provider)
    if provider is None:
        raise SettingsError(
            f"provider {settings.provider!r} is not known",
            f"It is one of {', '.join(PROVIDERS)}.",
            setting="provider",
        )
    _check_bucket(settings.bucket, provider)
    _check_prefix(settings.prefix)
    _check_keys(settings)
    _check_expiry(settings.url_expires_s, provider)
    endpoint = _given_endpoint(settings, provider)
    region = _region(settings, provider, endpoint)
    if endpoint is None and provider.endpoint is not None:
        endpoint = provider.endpoint.format(region=region)
    addressing = _addressing(settings, provider, endpoint)
    return Target(provider, endpoint, region, settings.bucket, addressing)


def _check_bucket(bucket: str, provider: Provider) -> None:
    if not bucket:
        raise BadBucketName("no bucket is set", "Name the bucket that recordings go to.", setting="bucket")
    if not re.fullmatch(provider.bucket_name, bucket):
        raise BadBucketName(
            f"bucket name {bucket!r} is not allowed at {provider.title}",
            f"Bucket names there have {provider.bucket_rule}.",
            setting="bucket",
        )


def _check_prefix(prefix: str) -> None:
    if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix) or ".." in prefix:
        raise SettingsError(
            f"prefix {prefix!r} is not allowed",
            "Use up to 512 letters, digits and _ . = + @ - with single slashes between, none in front.",
            setting="prefix",
        )
    if prefix.startswith("-"):
        raise SettingsError(f"prefix {prefix!r} starts with a hyphen", "Start it with a letter.", setting="prefix")


def _check_keys(settings: StorageSettings) -> None:
    pair = {"access_key_id": settings.access_key_id, "secret_access_key": settings.secret_access_key}
    for name, value in {**pair, "session_token": settings.session_token}.items():
        if value is not None and (not value.isascii() or not value.isprintable() or value != value.strip()):
            raise SettingsError(f"{name} has characters that no key has", "Copy it once more.", setting=name)
        if value == "":
            raise SettingsError(f"{name} is empty", "Leave it out or give it a value.", setting=name)
    missing = [name for name, value in pair.items() if value is None]
    if len(missing) == 1:
        raise SettingsError(f"{missing[0]} is missing", "The two keys are given together.", setting=missing[0])
    if settings.session_token is not None and missing:
        raise SettingsError(
            "session_token is given without keys",
            "Give access_key_id and secret_access_key too.",
            setting="session_token",
        )
    if settings.profile is not None and not missing:
        raise SettingsError("both profile and keys are given", "Give one of them.", setting="profile")


def _check_expiry(seconds: int, provider: Provider) -> None:
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= provider.max_url_expires_s:
        raise SettingsError(
            f"url_expires_s {seconds!r} is not between 1 and {provider.max_url_expires_s}",
            f"{provider.title} lets presigned URLs live at most {provider.max_url_expires_s // 86400} days.",
            setting="url_expires_s",
        )


def _given_endpoint(settings: StorageSettings, provider: Provider) -> str | None:
    endpoint = settings.endpoint
    if endpoint is None and not provider.endpoint_from_region:
        # boto3 would follow these by itself; then addressing and messages would not know of it.
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint is None:
        if provider.endpoint is not None and not provider.endpoint_from_region:
            raise SettingsError(
                f"{provider.title} needs an endpoint",
                f"It looks like {provider.endpoint}.",
                setting="endpoint",
            )
        return None
    _check_endpoint(endpoint, settings.bucket)
    return endpoint.rstrip("/")


def _check_endpoint(endpoint: str, bucket: str) -> None:
    def refuse(reason: str, hint: str) -> SettingsError:
        return SettingsError(f"endpoint {one_line(endpoint.partition('#')[0])!r} {reason}", hint, setting="endpoint")

    if "@" in endpoint:  # also where it is no URL: a message would show them
        raise SettingsError("endpoint has keys in it", "Set the keys on their own.", setting="endpoint")
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise refuse("is not a URL", "It looks like https://s3.example.com.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise refuse("is not an http or https URL", "It looks like https://s3.example.com.")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", host) or not endpoint.isprintable() or "\\" in endpoint:
        raise refuse("has characters that no host has", "It looks like https://s3.example.com.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise refuse("has more than a host", "Leave out what follows the host; the bucket is set on its own.")
    if host.startswith(f"{bucket}."):
        raise refuse("starts with the bucket's name", "Leave it out; it is put there where it belongs.")


def _region(settings: StorageSettings, provider: Provider, endpoint: str | None) -> str:
    region = settings.region
    if region is None and endpoint is not None and provider.region_in_host is not None:
        found = re.fullmatch(provider.region_in_host, urlsplit(endpoint).hostname or "")
        region = found.group(1) if found else None
    region = region or provider.region
    if region is None and provider.name == "aws":
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        region = region or _profile_region(settings.profile)
    if region is None:
        hint = f"{provider.title} needs the bucket's region" + (
            "; AWS_REGION is read too." if provider.name == "aws" else " (or an endpoint that names it)."
        )
        raise SettingsError("no region is set", hint, setting="region")
    if not _REGION.fullmatch(region):
        raise SettingsError(f"region {region!r} is not a region's name", setting="region")
    # OSS writes its regions both ways; the templates add the prefix themselves.
    return region.removeprefix("oss-") if provider.signing_region.startswith("oss-") else region


def _profile_region(profile: str | None) -> str | None:
    name = profile or os.environ.get("AWS_PROFILE") or "default"
    path = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    config = configparser.RawConfigParser(strict=False)
    try:
        config.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None  # boto3 reads the same file later, and says what is wrong with it
    section = name if name == "default" and config.has_section(name) else f"profile {name}"
    return config.get(section, "region", fallback=None)


def _addressing(settings: StorageSettings, provider: Provider, endpoint: str | None) -> Addressing:
    addressing = settings.addressing
    if addressing is not None and addressing not in provider.addressing:
        raise SettingsError(
            f"addressing {addressing!r} does not work at {provider.title}",
            f"It is one of {', '.join(provider.addressing)}.",
            setting="addressing",
        )
    if addressing is None:
        addressing = _usual_addressing(settings.bucket, provider, endpoint)
    if addressing == "virtual" and endpoint is not None and _is_address(endpoint):
        raise SettingsError(
            "virtual addressing needs a host name in the endpoint",
            "Set addressing to path.",
            setting="addressing",
        )
    return addressing


def _usual_addressing(bucket: str, provider: Provider, endpoint: str | None) -> Addressing:
    if "path" in provider.addressing:
        if "." in bucket:
            return "path"  # a certificate for *.host does not cover two labels in front of the host
        own_host = urlsplit(endpoint).hostname or "" if endpoint else ""
        if provider.name == "aws" and own_host and not own_host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return "path"  # something that plays AWS, most likely on one host name only
    return provider.addressing[0]


def _is_address(endpoint: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(endpoint).hostname or "")
    except ValueError:
        return False
    return True
