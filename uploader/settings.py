"""The settings of a storage, and the checks that need no network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args
from urllib.parse import urlsplit

from uploader.addresses import literal_address
from uploader.aws_config import configured_region
from uploader.endpoint import checked_endpoint, given_endpoint, is_own_domain
from uploader.errors import BadBucketName, SettingsError
from uploader.providers import PROVIDERS, Addressing, Provider

_PREFIX = re.compile(r"(?:[A-Za-z0-9_.=+@-]+/)*[A-Za-z0-9_.=+@-]*")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_LONGEST_PREFIX = 512
"""Characters: half of the 1024 bytes that S3 allows for a key."""
_KMS_KEY = re.compile(r"[A-Za-z0-9:/_.-]{1,2048}")

Encryption = Literal["AES256", "aws:kms"]
"""Server-side encryption to request for each upload: SSE-S3 or SSE-KMS."""
LinkCheck = Literal["required", "warn", "off"]
"""If a link cannot be fetched from this machine: an error, a warning, or it is not tried."""


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """The settings of a `Storage`. None stands for the value of the provider's preset or of the environment.

    Attributes:
        bucket: The bucket's name.
        provider: A name in `PROVIDERS`.
        endpoint: The service's URL without the bucket. None: derived from the region, or AWS_ENDPOINT_URL_S3,
            AWS_ENDPOINT_URL or the profile's.
        public_endpoint: The URL of the same storage as seen from the internet, if it differs from `endpoint` (docker,
            Kubernetes). Presigned URLs contain it, since the signature covers the host. None: `endpoint`.
        region: None: from the endpoint's host, then the preset's, then (aws) AWS_REGION, AWS_DEFAULT_REGION and the
            profile.
        prefix: The beginning of every key, literally; usually ends with a slash.
        addressing: `path`, `virtual`, or `domain` (the endpoint is a domain bound to the bucket).
        access_key_id: None (with `secret_access_key`): boto3's usual chain of environment, profile, instance.
        secret_access_key: Belongs to `access_key_id`.
        session_token: Belongs to temporary keys. URLs signed with them expire with them, even if `url_expires_s` is
            longer.
        keys_expire_at: When the temporary keys expire (aware), if that is known.
        profile: A profile of the AWS configuration files.
        url_expires_s: Lifetime of presigned URLs, in seconds.
        public_only: Refuse URLs that are not publicly reachable.
        link_check: `required`: a link that this machine cannot fetch is an error. `warn`: if this machine cannot reach
            the public endpoint, that is a warning; a refusal by the storage stays an error. `off`: not tried.
        sse: Server-side encryption to request, `AES256` or `aws:kms`. None: the bucket's default.
        sse_kms_key_id: Key for `aws:kms`. None: the account's default key.

    >>> StorageSettings("takes", access_key_id="AKID", secret_access_key="secret").is_explicit
    False
    """

    bucket: str
    provider: str = "aws"
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str | None = None
    prefix: str = ""
    addressing: Addressing | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    keys_expire_at: datetime | None = None
    profile: str | None = None
    url_expires_s: int = 3600
    public_only: bool = True
    link_check: LinkCheck = "required"
    sse: Encryption | None = None
    sse_kms_key_id: str | None = None

    @property
    def is_explicit(self) -> bool:
        """Whether keys and endpoint are given, so that the AWS files and variables are not needed."""
        return self.access_key_id is not None and self.endpoint is not None


@dataclass(frozen=True, slots=True)
class Target:
    """Settings without gaps: where requests go, and what they are signed for."""

    provider: Provider
    endpoint: str | None
    region: str
    bucket: str
    addressing: Addressing
    public_endpoint: str | None = None

    @property
    def public(self) -> Target:
        """The target with the endpoint that presigned URLs contain."""
        return self if self.public_endpoint is None else replace(self, endpoint=self.public_endpoint)

    @property
    def signing_region(self) -> str:
        """The region's name in signatures."""
        return self.provider.signing_region.format(region=self.region)

    @property
    def display_name(self) -> str:
        """The service, for messages."""
        return self.endpoint or f"{self.provider.title} ({self.region})"


def target_of(settings: StorageSettings) -> Target:
    """Check the settings and fill their gaps.

    Raises:
        SettingsError: One is missing, not valid, or contradicts another; `setting` is its name.

    >>> target_of(StorageSettings("takes", "b2", endpoint="https://s3.us-west-004.backblazeb2.com")).region
    'us-west-004'
    """
    provider = PROVIDERS.get(settings.provider)
    if provider is None:
        raise SettingsError(
            f"unknown provider {settings.provider!r}",
            f"use one of {', '.join(PROVIDERS)}",
            setting="provider",
        )
    _check_bucket(settings.bucket, provider)
    _check_prefix(settings.prefix)
    _check_keys(settings)
    _check_expiry(settings.url_expires_s, provider)
    _check_choices(settings)
    endpoint = given_endpoint(settings.endpoint, settings.profile, settings.bucket, provider)
    region = _region(settings, provider, endpoint)
    if endpoint is None and provider.endpoint is not None:
        endpoint = provider.endpoint.format(region=region)
    public = settings.public_endpoint
    if public is not None:
        public = checked_endpoint(public, settings.bucket, provider, "public_endpoint")
    addressing = _addressing(settings, provider, endpoint, public)
    return Target(provider, endpoint, region, settings.bucket, addressing, public)


def _check_bucket(bucket: str, provider: Provider) -> None:
    if not bucket:
        raise BadBucketName("no bucket is set", "set the name of the bucket for recordings", setting="bucket")
    if not re.fullmatch(provider.bucket_name, bucket):
        raise BadBucketName(
            f"bucket name {bucket!r} is not valid at {provider.title}",
            f"use {provider.bucket_rule}",
            setting="bucket",
        )


def _check_prefix(prefix: str) -> None:
    # S3 allows keys of 1024 bytes. "//" and ".." are legal in S3, but proxies and HTTP libraries normalize them, which
    # breaks the signature.
    if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix) or ".." in prefix:
        raise SettingsError(
            f"prefix {prefix!r} is not valid",
            "use up to 512 letters, digits and _ . = + @ - with single slashes between them, and none at the start",
            setting="prefix",
        )
    # Keys are arguments of other commands (aws s3 rm KEY).
    if prefix.startswith("-"):
        raise SettingsError(f"prefix {prefix!r} starts with a hyphen", "start it with a letter", setting="prefix")


def _check_keys(settings: StorageSettings) -> None:
    pair = {"access_key_id": settings.access_key_id, "secret_access_key": settings.secret_access_key}
    for name, value in {**pair, "session_token": settings.session_token}.items():
        # http.client refuses line breaks in headers with an exception that quotes the key.
        if value is not None and (not value.isascii() or not value.isprintable() or value != value.strip()):
            raise SettingsError(f"{name} has characters that keys cannot have", "copy it again", setting=name)
        if value == "":
            raise SettingsError(f"{name} is empty", "set it, or remove it", setting=name)
    missing = [name for name, value in pair.items() if value is None]
    if len(missing) == 1:
        raise SettingsError(f"{missing[0]} is missing", "set both keys", setting=missing[0])
    if settings.session_token is not None and missing:
        raise SettingsError(
            "session_token is set without keys",
            "set access_key_id and secret_access_key too",
            setting="session_token",
        )
    # boto3 would silently prefer the keys.
    if settings.profile is not None and not missing:
        raise SettingsError("both profile and keys are set", "set one of them", setting="profile")


def _check_expiry(seconds: int, provider: Provider) -> None:
    # boto3 signs longer lifetimes without complaint, and the storage refuses such a URL when it is used (Signature V4:
    # 7 days). bool is an int in Python.
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= provider.max_url_expires_s:
        raise SettingsError(
            f"url_expires_s {seconds!r} is not between 1 and {provider.max_url_expires_s}",
            f"presigned URLs of {provider.title} are valid for at most {provider.max_url_expires_s // 86400} days",
            setting="url_expires_s",
        )


def _check_choices(settings: StorageSettings) -> None:
    choices = {"link_check": (settings.link_check, get_args(LinkCheck)), "sse": (settings.sse, get_args(Encryption))}
    for name, (value, allowed) in choices.items():
        if value is not None and value not in allowed:
            raise SettingsError(f"unknown {name} {value!r}", f"use one of {', '.join(allowed)}", setting=name)
    key = settings.sse_kms_key_id
    if key is not None and settings.sse != "aws:kms":
        raise SettingsError("sse_kms_key_id is set without sse", "set sse to aws:kms", setting="sse_kms_key_id")
    if key is not None and not _KMS_KEY.fullmatch(key):
        hint = "use a key id, alias/NAME, or an ARN"
        raise SettingsError("sse_kms_key_id is not a valid key id", hint, setting="sse_kms_key_id")


def _region(settings: StorageSettings, provider: Provider, endpoint: str | None) -> str:
    region = settings.region
    if region is None and endpoint is not None and provider.region_in_host is not None:
        found = re.fullmatch(provider.region_in_host, urlsplit(endpoint).hostname or "")
        region = found.group(1) if found else None
    region = region or provider.region
    if region is None and provider.name == "aws":
        region = configured_region(settings.profile)
    if region is None:
        hint = f"set region to the bucket's region, which {provider.title} needs" + (
            "; AWS_REGION is read too" if provider.name == "aws" else " (or an endpoint that contains it)"
        )
        raise SettingsError("no region is set", hint, setting="region")
    if not _REGION.fullmatch(region):
        raise SettingsError(f"region {region!r} is not a valid region name", setting="region")
    # OSS's pages use both forms; the templates add the prefix.
    return region.removeprefix("oss-") if provider.signing_region.startswith("oss-") else region


def _addressing(settings: StorageSettings, provider: Provider, endpoint: str | None, public: str | None) -> Addressing:
    addressing = settings.addressing
    if addressing is not None and addressing not in provider.addressing:
        raise SettingsError(
            f"addressing {addressing!r} does not work with {provider.title}",
            f"use one of {', '.join(provider.addressing)}",
            setting="addressing",
        )
    if addressing is None:
        addressing = _usual_addressing(settings.bucket, provider, endpoint)
    if addressing == "domain" and (endpoint is None or (provider.own_hosts and not is_own_domain(endpoint, provider))):
        hint = "set the endpoint to a domain that is bound to the bucket, or remove addressing"
        raise SettingsError("addressing domain needs an endpoint that is such a domain", hint, setting="addressing")
    # A colon cannot be part of a host name.
    if addressing == "virtual" and ":" in settings.bucket:
        raise SettingsError(
            "a bucket with a tenant needs addressing path", "set addressing to path", setting="addressing"
        )
    if addressing == "virtual" and any(_is_address(url) for url in (endpoint, public)):
        raise SettingsError(
            "virtual addressing needs a host name in the endpoint",
            "set addressing to path",
            setting="addressing",
        )
    return addressing


def _usual_addressing(bucket: str, provider: Provider, endpoint: str | None) -> Addressing:
    if is_own_domain(endpoint, provider):
        return "domain"
    if "path" in provider.addressing:
        if "." in bucket:
            return "path"  # RFC 6125, 6.4.3: the wildcard of a certificate covers one label only
        own_host = urlsplit(endpoint).hostname or "" if endpoint else ""
        if provider.name == "aws" and own_host and not own_host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return "path"  # an AWS emulator, probably without wildcard DNS
    return provider.addressing[0]


def _is_address(endpoint: str | None) -> bool:
    return literal_address(urlsplit(endpoint or "").hostname or "") is not None
