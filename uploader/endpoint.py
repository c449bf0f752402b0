"""Endpoints: validate their URLs, and recognize hosts that serve objects or web pages instead of the S3 API."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from uploader.addresses import is_loopback, literal_address
from uploader.aws_config import environment_endpoint, profile_endpoint
from uploader.errors import SettingsError
from uploader.providers import Provider
from uploader.redaction import one_line

_EXAMPLE = "write it like https://s3.example.com"
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")


class _NotS3(NamedTuple):
    host: str
    what: str
    hint: str


_NOT_S3 = (
    _NotS3(
        r".*\.r2\.dev",
        "is R2's public address for objects, not its S3 API",
        "use https://ACCOUNT.r2.cloudflarestorage.com",
    ),
    _NotS3(
        r".*\.cdn\.digitaloceanspaces\.com",
        "is the CDN of Spaces, which does not accept signed requests",
        "use https://REGION.digitaloceanspaces.com",
    ),
    _NotS3(
        r"f\d{3}\.backblazeb2\.com|api\.backblazeb2\.com",
        "is B2's own API or download host, not its S3 API",
        "use https://s3.REGION.backblazeb2.com",
    ),
    _NotS3(
        r"storage\.cloud\.google\.com",
        "serves objects to signed-in browsers, and is not the S3 API",
        "use https://storage.googleapis.com",
    ),
    _NotS3(
        r".*\.file\.myqcloud\.com|.*\.cos-website\..*",
        "is the CDN or website address of COS, not its S3 API",
        "use https://cos.REGION.myqcloud.com",
    ),
    _NotS3(
        r".*\.s3-website[.-].*\.amazonaws\.com(?:\.cn)?",
        "is the website address of a bucket, not the S3 API",
        "remove the endpoint and set the region",
    ),
    _NotS3(
        r".*\.(?:cloudfront\.net|b-cdn\.net|fastly\.net|akamaized\.net|azureedge\.net)",
        "is a CDN, which does not accept signed uploads",
        "use the endpoint of the storage behind it",
    ),
    _NotS3(
        r".*\.blob\.core\.windows\.net",
        "is Azure Blob Storage, which has no S3 API",
        "use an S3-compatible storage",
    ),
    _NotS3(
        r"(?:.*\.)?console\.(?:aws\.amazon|aliyun|alibabacloud|cloud\.google|cloud\.tencent|tencentcloud|wasabisys)"
        r"\.com|s3\.console\.aws\.amazon\.com|dash\.cloudflare\.com|cloud\.digitalocean\.com|secure\.backblaze\.com"
        r"|supabase\.com|app\.supabase\.com",
        "is the provider's console for browsers, not the S3 API",
        "copy the S3 endpoint that the console shows",
    ),
)
# Supabase's S3 API has a path below the project's host, and so may any storage behind a reverse proxy.
_SUPABASE = re.compile(r"[a-z0-9-]+\.(?:storage\.)?supabase\.co")
_SUPABASE_PATH = "/storage/v1/s3"
# Account, and optionally a jurisdiction (eu, fedramp).
_R2 = re.compile(r"[0-9a-z]+\.(?:[a-z]+\.)?r2\.cloudflarestorage\.com")


def given_endpoint(endpoint: str | None, profile: str | None, bucket: str, provider: Provider) -> str | None:
    """Return the configured endpoint: the argument, else the environment's, else the profile's.

    None if the preset derives it from the region. Such presets ignore the endpoint of the environment and of the
    default profile, which belong to another storage, but use that of an explicitly named profile.

    Raises:
        SettingsError: It is not a valid endpoint, or the preset needs one and none is set.
    """
    if endpoint is None and not provider.endpoint_from_region:
        endpoint = environment_endpoint()
    if endpoint is None and (profile is not None or not provider.endpoint_from_region):
        endpoint = profile_endpoint(profile)
    if endpoint is None:
        if provider.endpoint is not None and not provider.endpoint_from_region:
            raise SettingsError(
                f"{provider.title} needs an endpoint", f"write it like {provider.endpoint}", setting="endpoint"
            )
        return None
    return checked_endpoint(endpoint, bucket, provider, "endpoint")


def checked_endpoint(endpoint: str, bucket: str, provider: Provider, setting: str) -> str:
    """Validate an endpoint, and return it without a trailing slash.

    Args:
        endpoint: An http or https URL. A path is allowed unless the provider's S3 API is known to have none.
        bucket: The bucket, which must not be part of the endpoint.
        provider: The preset.
        setting: The setting's name for messages.

    Raises:
        SettingsError: It is not a URL, contains keys or the bucket, or is known not to be an S3 API.

    >>> from uploader.providers import PROVIDERS
    >>> checked_endpoint("https://example.com/minio/", "takes", PROVIDERS["minio"], "endpoint")
    'https://example.com/minio'
    """

    def refuse(reason: str, hint: str) -> NoReturn:
        shown = repr(one_line(endpoint.partition("#")[0]))
        raise SettingsError(f"{setting} {shown} {reason}", hint, setting=setting)

    if "@" in endpoint:  # also if it is not a URL: the message below would contain them
        raise SettingsError(f"{setting} contains keys", "set the keys separately", setting=setting)
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        refuse("is not a URL", _EXAMPLE)
    if parts.scheme not in {"http", "https"} or not host:
        refuse("is not an http or https URL", _EXAMPLE)
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", host) or not endpoint.isprintable() or "\\" in endpoint:
        refuse("has characters that hosts cannot have", _EXAMPLE)
    if parts.query or parts.fragment:
        refuse("has a query or a fragment", "remove everything from ? or # on")
    if refusal := _not_an_s3_api(host, parts.path, provider):
        refuse(*refusal)
    if refusal := _wrong_path(host, parts.path, bucket, provider):
        refuse(*refusal)
    # With virtual addressing, boto3 adds the bucket in front of the host: takes.takes.example.com.
    if host.startswith(f"{bucket}.") and not is_own_domain(endpoint, provider):
        refuse("starts with the bucket's name", "remove it: the bucket has its own setting")
    return endpoint.rstrip("/")


def is_own_domain(endpoint: str | None, provider: Provider) -> bool:
    """Return whether the endpoint is a domain bound to one bucket: for OSS and COS, any host that is not theirs."""
    host = urlsplit(endpoint or "").hostname or ""
    if not host or provider.own_hosts is None or literal_address(host) is not None or is_loopback(host):
        return False
    return not re.fullmatch(provider.own_hosts, host)


def _not_an_s3_api(host: str, path: str, provider: Provider) -> tuple[str, str] | None:
    for known in _NOT_S3:
        if re.fullmatch(known.host, host):
            return known.what, known.hint
    if _SUPABASE.fullmatch(host) and path.rstrip("/") != _SUPABASE_PATH:
        return "is not the S3 API of Supabase", f"use https://{host}{_SUPABASE_PATH}"
    is_local = is_loopback(host) or literal_address(host) is not None
    if provider.name == "r2" and not is_local and not _R2.fullmatch(host):
        reason = "is not R2's S3 API: r2.dev and custom domains serve objects, and do not accept signed requests"
        return reason, "use https://ACCOUNT.r2.cloudflarestorage.com"
    return None


def _wrong_path(host: str, path: str, bucket: str, provider: Provider) -> tuple[str, str] | None:
    if not path.strip("/"):
        return None
    # With path addressing, boto3 appends the bucket to the path: /takes/takes/key.
    if path.rstrip("/").endswith(f"/{bucket}"):
        return "ends with the bucket's name", "remove it: the bucket has its own setting"
    provider_host = provider.region_in_host is not None and re.fullmatch(provider.region_in_host, host)
    if provider_host or provider.endpoint_from_region or provider.name == "r2":
        return "has a path", f"remove it: the S3 API of {provider.title} has none"
    if not _PATH.fullmatch(path) or any(part in {".", ".."} for part in path.split("/")):
        return "has a path that is not valid", "write it like https://example.com/storage/v1/s3"
    return None
