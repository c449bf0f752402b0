"""boto3's session and client, set up for every S3-compatible service."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from uploader.errors import CredentialsMissing, SettingsError
from uploader.hosts import is_loopback
from uploader.settings import StorageSettings, Target

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client


def new_session(settings: StorageSettings) -> Session:
    """A session that reads the AWS files and variables only where the settings leave something to them.

    Given keys and an endpoint, none of them matters, and a profile that is gone or an option for AWS's own endpoints
    (FIPS, dual stack, acceleration) would only break another storage. AWS_CA_BUNDLE is the exception: it says which
    authorities this computer trusts.

    Raises:
        botocore.exceptions.BotoCoreError: The profile or the files cannot be used.
        CredentialsMissing: No keys were given and none were found.
    """
    import boto3.session

    if settings.is_explicit:
        return boto3.session.Session(botocore_session=_isolated())
    session = boto3.session.Session(profile_name=settings.profile)
    if settings.access_key_id is None and session.get_credentials() is None:
        raise CredentialsMissing("no storage keys were given and none were found")
    return session


def new_client(session: Session, settings: StorageSettings, target: Target, **timeouts: Any) -> S3Client:
    """A client for one endpoint; retries are not botocore's but ours, under one budget.

    Raises:
        botocore.exceptions.BotoCoreError, ValueError: The settings cannot be used together.
        SettingsError: AWS_CA_BUNDLE names a file that is not there.
    """
    from botocore.config import Config

    endpoint = urlsplit(target.endpoint or "https://")
    if endpoint.scheme == "https":
        require_ca_bundle("AWS_CA_BUNDLE")
    client: S3Client = session.client(
        "s3",
        region_name=target.signing_region,
        endpoint_url=target.endpoint,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        config=Config(**_options(target), **timeouts),
    )
    if ":" in target.bucket:
        from botocore.handlers import validate_bucket_name

        # it knows the names of AWS, which has no tenants
        client.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    if target.addressing == "domain":
        client.meta.events.register("before-sign.s3", _BucketRemoval(target.bucket))
    return client


def require_ca_bundle(variable: str) -> None:
    """Refuse a variable that names a file of certificates which is not there: the HTTP libraries do not say which.

    Raises:
        SettingsError: It does.
    """
    path = os.environ.get(variable)
    if path and not Path(path).exists():
        raise SettingsError(f"{variable} names {path!r}, which does not exist", f"Correct {variable}, or unset it.")


def _isolated() -> Any:
    import botocore.configprovider
    import botocore.session

    # the (misspelled) public table of every variable that botocore reads: no file entry, no environment, its default
    known = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    nothing: dict[str, Any] = {name: (None, None, default, cast) for name, (_, _, default, cast) in known.items()}
    nothing |= dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    nothing["ca_bundle"] = (None, "AWS_CA_BUNDLE", None, None)
    return botocore.session.Session(session_vars=nothing)


def _options(target: Target) -> dict[str, Any]:
    options: dict[str, Any] = {
        # boto3 presigns with Signature V2 otherwise, for custom endpoints and us-east-1.
        "signature_version": "s3v4",
        # R2, B2, GCS and older MinIO refuse the headers of the default.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        # Content-MD5, which is signed, tells the service what to expect: a second digest of the whole is of no use.
        "s3": {"addressing_style": _style(target), "payload_signing_enabled": False},
        # The settings have looked at them already.
        "ignore_configured_endpoint_urls": True,
    }
    if target.endpoint is not None:
        # These choose among AWS's own endpoints; together with any other endpoint they are errors.
        options |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}
        options["s3"] |= {"use_accelerate_endpoint": False, "use_dualstack_endpoint": False}
        if is_loopback(urlsplit(target.endpoint).hostname or ""):
            options["proxies"] = {}  # a proxy elsewhere cannot reach this machine, and must not see what is sent to it
    return options


def _style(target: Target) -> str:
    return "path" if target.addressing == "domain" else target.addressing


class _BucketRemoval:
    """For a domain that is bound to a bucket: takes the bucket out of the path, before the request is signed."""

    def __init__(self, bucket: str) -> None:
        self._segment = re.compile(rf"/{re.escape(bucket)}(?=/|$)")

    def __call__(self, request: Any, **_: object) -> None:
        parts = urlsplit(request.url)
        request.url = urlunsplit(parts._replace(path=self._segment.sub("", parts.path, count=1) or "/"))
