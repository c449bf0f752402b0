"""Region and endpoint from the AWS environment variables and configuration files.

boto3 reads them too, but only when a client is created. Addressing, the check for public hosts and every message need
the endpoint earlier, and importing botocore to read two values would add 0.2 s to every command.
Format: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html and feature-ss-endpoints.html beside it.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

_TRUE = "true"


def profile_name(profile: str | None) -> str:
    """Return the active profile: the given one, else that of the environment, else `default`."""
    return profile or os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE") or "default"


def profile_origin(profile: str | None) -> str:
    """Return where the name of the active profile comes from, for messages."""
    if profile:
        return "the setting profile"
    return next((name for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if os.environ.get(name)), "the default")


def configured_region(profile: str | None) -> str | None:
    """Return the region of the environment, else of the profile; botocore ignores AWS_REGION."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return region or _read(profile)[0].get("region")


def environment_endpoint() -> str | None:
    """Return the endpoint for S3 from the environment, unless such settings are to be ignored."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == _TRUE:
        return None
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def profile_endpoint(profile: str | None) -> str | None:
    """Return the profile's endpoint for S3: that of its `services` section, else its `endpoint_url`."""
    values, services = _read(profile)
    ignored = os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or values.get("ignore_configured_endpoint_urls")
    if (ignored or "").lower() == _TRUE:
        return None
    return services.get("endpoint_url") or values.get("endpoint_url") or None


def _read(profile: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the profile's values in both files, and the `s3` block of its `services` section."""
    name = profile_name(profile)
    config = _parsed(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config")
    credentials = _parsed(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    section = name if name == "default" and config.has_section(name) else f"profile {name}"
    values = dict(config[section]) if config.has_section(section) else {}
    values |= dict(credentials[name]) if credentials.has_section(name) else {}
    services = f"services {values.get('services', '')}"
    nested = config.get(services, "s3", fallback="") if config.has_section(services) else ""
    pairs = (line.partition("=") for line in nested.splitlines())
    return values, {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _parsed(path: str) -> configparser.RawConfigParser:
    # configparser would treat a section named "default" as defaults of all others: AWS's is an ordinary profile.
    config = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        config.read(Path(path).expanduser(), encoding="utf-8")
    except (configparser.Error, OSError, RuntimeError, UnicodeDecodeError):
        config.clear()  # boto3 reads the same file later, and reports the error
    return config
