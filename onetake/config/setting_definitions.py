"""The settings: names, environment variables, types and defaults."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import click


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: Key in the TOML file.
        variables: Environment variables, the first one that is set wins.
        description: A few words for help texts and docs.
        default: The default value.
        secret: Whether its value is masked; a secret has no command-line option.
        kind: `str` or `int`.
    """

    name: str
    variables: tuple[str, ...]
    description: str
    default: str | int | None = None
    secret: bool = False
    kind: type[str | int] = str

    @property
    def option(self) -> str:
        """The command-line option, such as ``--base-url``."""
        return f"--{self.name.replace('_', '-')}"

    def parameter(self) -> click.Option:
        """A click option that looks at the command line, the environment, the settings file and the default."""
        # UNPROCESSED: values are converted when their origin is known, to name it in the error
        return _Option([self.option, self.name], envvar=self.variables, default=self.default, type=click.UNPROCESSED)

    def environment(self) -> tuple[str, str] | None:
        """The first variable that is set, and its value; blanks and line ends around a value are never part of it."""
        values = ((variable, os.environ.get(variable, "").strip()) for variable in self.variables)
        return next(((variable, value) for variable, value in values if value), None)


class _Option(click.Option):
    """An option whose variables are read by `Setting.environment`."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        found = next(setting for setting in SETTINGS if setting.name == self.name).environment()
        return found[1] if found else None


SETTINGS: Final = (
    Setting("api_key", ("ONETAKE_API_KEY",), "API key of the clone service", secret=True),
    Setting("base_url", ("ONETAKE_BASE_URL",), "URL of the clone service", "https://api.highwayapi.ai"),
    Setting("provider", ("ONETAKE_PROVIDER",), "storage preset: aws, r2, b2, gcs, minio, …", "aws"),
    Setting("bucket", ("ONETAKE_BUCKET",), "bucket for recordings"),
    Setting("s3_endpoint", ("ONETAKE_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "URL of the storage"),
    Setting("public_endpoint", ("ONETAKE_PUBLIC_ENDPOINT",), "public URL of the storage, if different (docker)"),
    Setting("region", ("ONETAKE_REGION",), "region of the bucket (for aws also AWS_REGION)"),
    Setting("prefix", ("ONETAKE_PREFIX",), "prefix of object keys", "onetake/"),
    Setting("addressing", ("ONETAKE_ADDRESSING",), "path, virtual, or domain (s3_endpoint is bound to the bucket)"),
    Setting("url_expires_s", ("ONETAKE_URL_EXPIRES_S",), "lifetime of presigned URLs in seconds", 3600, kind=int),
    Setting("link_check", ("ONETAKE_LINK_CHECK",), "check of links before use: required, warn or off", "required"),
    Setting("sse", ("ONETAKE_SSE",), "server-side encryption: AES256 or aws:kms"),
    Setting("sse_kms_key_id", ("ONETAKE_SSE_KMS_KEY_ID",), "key for aws:kms"),
    Setting("ledger", ("ONETAKE_LEDGER",), "ledger that machines share: postgresql://USER@HOST/DATABASE"),
    Setting("consent", ("ONETAKE_CONSENT",), "who agreed to the clone, and when"),
    Setting("calls_at_once", ("ONETAKE_CALLS_AT_ONCE",), "maximum of concurrent paid calls", 4, kind=int),
    Setting("calls_per_minute", ("ONETAKE_CALLS_PER_MINUTE",), "maximum of paid calls per minute; 0: none", kind=int),
    Setting("price", ("ONETAKE_PRICE",), "price of a clone, for estimates"),
    Setting("speech_model", ("ONETAKE_SPEECH_MODEL",), "model that transcribes prompts: name, language or folder"),
    Setting(
        "speaker_model", ("ONETAKE_SPEAKER_MODEL",), "ONNX file that compares voices in place of the shipped model"
    ),
    Setting("speaker_limit", ("ONETAKE_SPEAKER_LIMIT",), "lowest cosine of one voice for that model"),
    Setting("aws_profile", ("ONETAKE_AWS_PROFILE",), "profile of the AWS configuration files"),
    Setting("access_key_id", ("ONETAKE_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"), "access key of the storage", secret=True),
    Setting("secret_access_key", ("ONETAKE_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"), "its secret", secret=True),
    Setting("session_token", ("ONETAKE_SESSION_TOKEN", "AWS_SESSION_TOKEN"), "for temporary keys", secret=True),
)
