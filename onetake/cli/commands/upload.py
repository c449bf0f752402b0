"""`onetake upload`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from onetake.cli.main import Command
from onetake.cli.options import (
    ANY_PATH,
    STORAGE,
    STORAGE_DETAILS,
    json_option,
    sandbox_option,
    services,
    setting_options,
)
from onetake.clones.prepare import analyze_take, prepare, require_readable
from onetake.clones.uploads import UploadTracker, verified_link
from onetake.console.progress import Steps
from onetake.console.streams import print_json, print_line
from onetake.io.inputs import require_files
from onetake.io.temporary_folders import scratch_folder
from onetake.ledger import Ledger

if TYPE_CHECKING:
    from datetime import datetime

    from onetake.clones.prepare import PreparedFile
    from uploader import Storage, Upload


@click.command("upload", cls=Command, epilog="Example: onetake upload take.m4a --bucket takes --region eu-west-1")
@click.argument("file", type=ANY_PATH, metavar="FILE")
@setting_options(*STORAGE)
@setting_options(*STORAGE_DETAILS, advanced=True)
@sandbox_option
@json_option
def command(file: str, *, sandbox: bool, as_json: bool, **options: Any) -> Any:
    """Upload a recording and print a presigned URL, which anyone can download until it expires.

    The recording is checked first, and fixed if necessary. It stays in the bucket until you delete it.
    """
    require_files([file])
    require_readable(file)
    steps = Steps(quiet=as_json)
    with services(options, sandbox=sandbox) as (settings, home), scratch_folder() as folder:
        storage = settings.storage()
        storage.require_public()
        take = prepare(file, analyze_take(file, steps), folder, steps)
        with Ledger(home, warn=steps.warn) as ledger:
            upload, url, expires_at = _store(storage, ledger, take, steps)
        steps.step("upload", f"{upload.bytes / 1e6:.1f} MB stored as {upload.key}, and its link verified")
    # after the sandbox has stopped: nothing can fail after the document has been printed
    if as_json:
        facts = {"key": upload.key, "content_type": upload.content_type, "bytes": upload.bytes}
        print_json({"schema_version": 1, "url": url, "expires_at": expires_at, **facts, "changes": take.changes})
    else:
        print_line(url)
    if sandbox:
        steps.warn("the sandbox has stopped, and the URL with it; `onetake sandbox` runs one until you stop it")


def _store(storage: Storage, ledger: Ledger, take: PreparedFile, steps: Steps) -> tuple[Upload, str, datetime]:
    """Upload, verify the link and keep the object; after a failure or a kill the object is deleted, now or later."""
    uploads = UploadTracker(storage, ledger, steps.warn)
    try:
        upload = uploads.store(take, partial(steps.progress, "upload"))
        url, expires_at = verified_link(storage, upload, steps.warn)
    except BaseException:
        uploads.delete()
        raise
    uploads.keep()
    return upload, url, expires_at
