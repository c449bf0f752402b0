"""boto3's session and client, configured for S3-compatible services."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from uploader.addresses import is_loopback
from uploader.errors import CredentialsMissing, SettingsError
from uploader.settings import StorageSettings, Target

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

_CONNECTIONS = 64
"""Connections that a client keeps open: one for each thread that may use it at the same time."""


def new_session(settings: StorageSettings) -> Session:
    """Create a session that reads the AWS files and variables only if the settings leave gaps.

    With keys and an endpoint, none of them is needed, and a missing profile or an option for AWS's own endpoints (FIPS,
    dual stack, acceleration) would break another storage. AWS_CA_BUNDLE is the exception: it names the certificate
    authorities that this computer trusts.

    Raises:
        botocore.exceptions.BotoCoreError: The profile or the files cannot be used.
        CredentialsMissing: No keys were given and none were found.
    """
    import boto3.session

    if settings.is_explicit:
        return boto3.session.Session(botocore_session=_isolated_session())
    session = boto3.session.Session(profile_name=settings.profile)
    if settings.access_key_id is None and session.get_credentials() is None:
        raise CredentialsMissing("no storage keys were given and none were found")
    return session


def new_client(session: Session, settings: StorageSettings, target: Target, **timeouts: Any) -> S3Client:
    """Create a client for one endpoint, without botocore's retries (see `uploader.retry`).

    Raises:
        botocore.exceptions.BotoCoreError, ValueError: The settings cannot be used together.
        SettingsError: AWS_CA_BUNDLE names a file that does not exist.
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

        # botocore accepts AWS's names only; Ceph's `tenant:bucket` is not one.
        client.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    if target.addressing == "domain":
        client.meta.events.register("before-sign.s3", _BucketRemoval(target.bucket))
    return client


def require_ca_bundle(variable: str) -> None:
    """Refuse a variable that names a missing certificate file: urllib3's and requests' errors do not name the variable.

    Raises:
        SettingsError: The file does not exist.
    """
    path = os.environ.get(variable)
    try:
        if not path or Path(path).exists():
            return
        problem = "which does not exist"
    except OSError as error:  # a folder that must not be searched, a name that is too long
        problem = f"which cannot be read: {(error.strerror or str(error)).lower()}"
    raise SettingsError(f"{variable} names {path!r}, {problem}", f"correct {variable}, or unset it")


def _isolated_session() -> Any:
    import botocore.configprovider
    import botocore.session

    # The public (misspelled) table of every variable that botocore reads. Each keeps its default, and loses its file
    # entry and its environment variable.
    known = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    isolated: dict[str, Any] = {name: (None, None, default, cast) for name, (_, _, default, cast) in known.items()}
    isolated |= dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    isolated["ca_bundle"] = (None, "AWS_CA_BUNDLE", None, None)
    return botocore.session.Session(session_vars=isolated)


def _options(target: Target) -> dict[str, Any]:
    options: dict[str, Any] = {
        # Without this, boto3 presigns with Signature V2 for custom endpoints and us-east-1.
        "signature_version": "s3v4",
        # The default since boto3 1.36 adds x-amz-checksum headers (over https: aws-chunked trailers), which R2, B2,
        # GCS, OSS and older MinIO refuse. Both settings are needed for a plain body.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        # by default botocore keeps 10: further threads would open a connection for each request
        "max_pool_connections": _CONNECTIONS,
        # Content-MD5 is signed and protects the body already: signing its SHA-256 too would read the file once more
        # (over plain http, botocore does that in any case).
        "s3": {"addressing_style": _style(target), "payload_signing_enabled": False},
        # `uploader.endpoint` has read them already.
        "ignore_configured_endpoint_urls": True,
    }
    if target.endpoint is not None:
        # These options choose among AWS's own endpoints; with any other endpoint botocore raises an error.
        options |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}
        options["s3"] |= {"use_accelerate_endpoint": False, "use_dualstack_endpoint": False}
        if is_loopback(urlsplit(target.endpoint).hostname or ""):
            options["proxies"] = {}  # a proxy cannot reach this machine's loopback
    return options


def _style(target: Target) -> str:
    # botocore knows no endpoint that is bound to a bucket: `_BucketRemoval` takes the bucket out of the path again.
    return "path" if target.addressing == "domain" else target.addressing


class _BucketRemoval:
    """Remove the bucket from the path before the request is signed, for a domain that is bound to a bucket."""

    def __init__(self, bucket: str) -> None:
        self._segment = re.compile(rf"/{re.escape(bucket)}(?=/|$)")

    def __call__(self, request: Any, **_: object) -> None:
        parts = urlsplit(request.url)
        request.url = urlunsplit(parts._replace(path=self._segment.sub("", parts.path, count=1) or "/"))
