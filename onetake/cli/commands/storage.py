"""`onetake storage`: clean up leftover uploads, and print the policy of the bucket."""

from __future__ import annotations

from typing import Any

import click

from onetake.cli.commands.voices import opened_ledger
from onetake.cli.main import Group, exit_with
from onetake.cli.options import STORAGE, STORAGE_DETAILS, json_option, setting_options
from onetake.config.settings import load
from onetake.console.progress import Steps
from onetake.console.streams import print_json, print_line, print_text
from onetake.console.terminal import safe
from onetake.exit_status import Status


@click.group("storage", cls=Group, epilog="Example: onetake storage clean")
def command() -> None:
    """Delete leftover uploads, and print the policy that the bucket needs."""


@command.command("clean", short_help="delete leftover uploads", epilog="Example: onetake storage clean --bucket takes")
@setting_options(*STORAGE)
@setting_options(*STORAGE_DETAILS, advanced=True)
@json_option
def clean(*, as_json: bool, **options: Any) -> Any:
    """Delete uploads that earlier runs left behind, according to the ledger, and nothing else."""
    from onetake.clones.uploads import delete_abandoned

    steps = Steps(quiet=as_json)
    with opened_ledger() as ledger:
        cleaned = delete_abandoned(load(options).storage(), ledger, steps)
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(cleaned, name) for name in cleaned.__struct_fields__}})
    else:
        for key in cleaned.deleted:
            print_text(f"deleted  {safe(key)}")
        for upload in cleaned.elsewhere:
            print_text(f"left     {safe(upload.key)} in {safe(upload.storage)}, a different storage")
        if not (cleaned.deleted or cleaned.failed or cleaned.elsewhere):
            print_text("no leftover uploads")
    return exit_with(Status.STORAGE if cleaned.failed else Status.DONE)


@command.command(
    "policy", short_help="print the permissions of the key", epilog="Example: onetake storage policy --bucket takes"
)
@setting_options("bucket", "prefix", "sse", "sse_kms_key_id")
@json_option
def policy(*, as_json: bool, **options: Any) -> None:
    """Print a minimal IAM policy for onetake's key, and lifecycle rules that delete old uploads."""
    from onetake.config.bucket_policy import key_policy, lifecycle

    settings = load(options)
    bucket, prefix = settings.text("bucket") or "BUCKET", settings.text("prefix") or ""
    kms_key = settings.text("sse_kms_key_id") or "*" if settings.text("sse") == "aws:kms" else None
    policy, rules = key_policy(bucket, prefix, kms_key), lifecycle(prefix)
    if as_json:
        print_json({"schema_version": 1, "policy": policy, "lifecycle": rules})
        return
    print_line("# IAM policy of the key:")
    print_json(policy)
    print_line("# lifecycle rules of the bucket (delete leftover uploads after one day):")
    print_json(rules)
