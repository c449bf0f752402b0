"""`onetake upload`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from onetake.cli.command import Command
from onetake.cli.options.shared import (
    ANY_PATH,
    STORAGE,
    STORAGE_DETAILS,
    json_option,
    sandbox_option,
    services,
    setting_options,
)
from onetake.clones.prepare import prepare
from onetake.clones.uploads import UploadTracker, verified_link
from onetake.console.json_output import print_json
from onetake.console.steps import Steps
from onetake.console.streams import print_line
from onetake.io.scratch import scratch_folder
from onetake.ledger import Ledger

if TYPE_CHECKING:
    from datetime import datetime

    from onetake.clones.prepare import PreparedFile
    from uploader import Storage, Upload


@click.command("upload", cls=Command, epilog="Example: onetake upload take.m4a --bucket takes --region eu-west-1")
@click.argument("file", type=ANY_PATH, metavar="FILE")
@setting_options(*STORAGE)
@setting_options(*STORAGE_DETAILS, further=True)
@sandbox_option
@json_option
def command(file: str, *, sandbox: bool, as_json: bool, **flags: Any) -> Any:
    """Put a recording into storage and print a presigned URL that anybody can fetch until it expires.

    The recording is checked first, and fixed if necessary. The object stays until you delete it.
    """
    steps = Steps(quiet=as_json)
    with services(flags, sandbox=sandbox) as (settings, home), scratch_folder() as folder:
        storage = settings.storage()
        storage.require_public()
        take = prepare(file, folder, steps)
        with Ledger(home, warn=steps.warn) as ledger:
            upload, url, expires_at = _stored(storage, ledger, take, steps)
        steps.step("upload", f"{upload.bytes / 1e6:.1f} MB stored as {upload.key}, and its link verified")
    # after the sandbox has ended, so that nothing can fail any more once the one document is printed
    if as_json:
        facts = {"key": upload.key, "content_type": upload.content_type, "bytes": upload.bytes}
        print_json({"schema_version": 1, "url": url, "expires_at": expires_at, **facts, "changes": take.changes})
    else:
        print_line(url)
    if sandbox:
        steps.warn("the sandbox is gone, and the URL with it; `onetake sandbox` runs one that stays")


def _stored(storage: Storage, ledger: Ledger, take: PreparedFile, steps: Steps) -> tuple[Upload, str, datetime]:
    """Store it to stay; what fails, or is killed, on the way leaves nothing that is not deleted later."""
    deposits = UploadTracker(storage, ledger, steps.warn)
    try:
        upload = deposits.store(take, partial(steps.progress, "upload"))
        url, expires_at = verified_link(storage, upload, steps.warn)
    except BaseException:
        deposits.delete()
        raise
    deposits.keep()
    return upload, url, expires_at
