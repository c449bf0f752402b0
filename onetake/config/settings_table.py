"""The settings: what they are called, which variables hold them, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: In the TOML file, and as a flag with hyphens.
        variables: Environment variables that hold it, the first one found wins.
        what: What it is, in a few words.
        default: Its value when nobody sets it.
        secret: Whether it must never be shown; such a setting has no flag.
        whole: Whether it is a whole number.
    """

    name: str
    variables: tuple[str, ...]
    what: str
    default: str | int | None = None
    secret: bool = False
    whole: bool = False


SETTINGS: Final = (
    Setting("api_key", ("ONETAKE_API_KEY",), "key of the clone service", secret=True),
    Setting("base_url", ("ONETAKE_BASE_URL",), "where the clone service is", "https://api.highwayapi.ai"),
    Setting("provider", ("ONETAKE_PROVIDER",), "storage preset: aws, r2, b2, gcs, minio, …", "aws"),
    Setting("bucket", ("ONETAKE_BUCKET",), "bucket that recordings go to"),
    Setting("s3_endpoint", ("ONETAKE_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "URL of the storage"),
    Setting("public_endpoint", ("ONETAKE_PUBLIC_ENDPOINT",), "its URL from outside, where that is another (docker)"),
    Setting("region", ("ONETAKE_REGION",), "region of the bucket (for aws also AWS_REGION)"),
    Setting("prefix", ("ONETAKE_PREFIX",), "put before every object's name", "onetake/"),
    Setting("addressing", ("ONETAKE_ADDRESSING",), "path, virtual, or domain (s3_endpoint is bound to the bucket)"),
    Setting("url_expires_s", ("ONETAKE_URL_EXPIRES_S",), "lifetime of presigned URLs in seconds", 3600, whole=True),
    Setting("link_check", ("ONETAKE_LINK_CHECK",), "of links before they are sent: required, warn or off", "required"),
    Setting("sse", ("ONETAKE_SSE",), "server-side encryption: AES256 or aws:kms"),
    Setting("sse_kms_key_id", ("ONETAKE_SSE_KMS_KEY_ID",), "key for aws:kms"),
    Setting("consent", ("ONETAKE_CONSENT",), "who agreed that the voice is cloned, and when"),
    Setting("calls_at_once", ("ONETAKE_CALLS_AT_ONCE",), "paid calls under way at a time", 4, whole=True),
    Setting("calls_per_minute", ("ONETAKE_CALLS_PER_MINUTE",), "paid calls in a minute; 0 for no limit", whole=True),
    Setting("price", ("ONETAKE_PRICE",), "what a clone costs, to estimate"),
    Setting("speech_model", ("ONETAKE_SPEECH_MODEL",), "folder or language; hears prompt clips"),
    Setting("aws_profile", ("ONETAKE_AWS_PROFILE",), "profile of the AWS configuration files"),
    Setting("access_key_id", ("ONETAKE_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"), "storage key", secret=True),
    Setting("secret_access_key", ("ONETAKE_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"), "its secret", secret=True),
    Setting("session_token", ("ONETAKE_SESSION_TOKEN", "AWS_SESSION_TOKEN"), "of temporary keys", secret=True),
)
