"""Clone a folder of recordings, beside a simple script; and one large upload, beside curl."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import numpy as np
from botocore.config import Config

from benchmarks import recordings
from benchmarks.processes import cpu_s_of_family
from benchmarks.table import Promise, Row, Table
from benchmarks.timer import CHECKED, in_turn, onetake, process
from client import CloneClient
from onetake.sandbox.session import sandbox
from uploader import Storage, StorageSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.timer import Work
    from onetake.sandbox.session import Access

_FILES: Final = 200
_SECONDS: Final = 15
_RATE: Final = 44_100
_AT_ONCE: Final = 8
_ANSWER_S: Final = 0.1
_UPLOAD_BYTES: Final = 20_000_000
_NOTE: Final = (
    f"`onetake clone` of a folder of {_FILES} files of {_SECONDS} s (44.1 kHz, mono, a third each WAV, MP3, M4A) on "
    "the sandbox, which answers "
    f"after {1000 * _ANSWER_S:.0f} ms, {_AT_ONCE} calls at once; whole processes, a new ledger each time. Storage and "
    "stand-in endpoint, which decodes each recording, run on the same two cores. Beside it: the check alone "
    "(`onetake check --speakers --jobs 2`: a clone compares the voices in each recording, which takes more CPU time "
    "than all other measurements of 15 s), the calls alone (the same number of calls at the same concurrency, for "
    "recordings that are already stored), and a sequential script (pydub, `upload_file`, `requests.post`; "
    "benchmarks/sequential_clone.py)."
)


def tables(folder: Path) -> list[Table]:
    """Measure with recordings made in `folder`."""
    takes = folder / "takes"
    _fill(takes)
    with sandbox(answer_delay_s=_ANSWER_S) as access, settings_of(access):
        clone = _with_new_home(onetake("clone", takes, "--format", "jsonl", "--calls-at-once", str(_AT_ONCE)))
        check = process(onetake("check", takes, "--speakers", "--jobs", "2"), CHECKED)
        script = process([sys.executable, str(Path(__file__).with_name("sequential_clone.py")), str(takes)])
        scripts = [script] if shutil.which("ffmpeg") and shutil.which("ffprobe") else []  # pydub needs both
        with _calls(access, sorted(takes.iterdir())[: len(recordings.FORMS)]) as calls:
            ours, check_ms, calls_ms, *peers = in_turn(clone, check, calls, *scripts, rounds=3, warm_up=False)
        cpu_s = _cpu_s(clone)
        slower = "the check alone" if check_ms > calls_ms else "the calls alone"
        rows = [
            Row("a folder", ours, slower, max(check_ms, calls_ms), [Promise("within 1.3 times the slower", 1.3)]),
            Row("a folder", ours, "CPU time of all processes on two cores", 1e3 * cpu_s / 2),
            Row(
                "a folder",
                ours,
                "a sequential script",
                peers[0] if peers else None,
                [Promise("3 times as fast", 1 / 3)],
            ),
        ]
        return [Table("Cloning a folder", "ms", rows, _NOTE), _upload(access, folder)]


def _fill(folder: Path) -> None:
    """Write recordings with the same sound but different bytes, at the end of the file where a format permits some."""
    folder.mkdir()
    sound = recordings.stereo(_SECONDS, _RATE)[:, :1]
    originals = {form: recordings.stored(sound, form, _RATE) for form in recordings.FORMS}
    for number in range(_FILES):
        form = recordings.FORMS[number % len(recordings.FORMS)]
        name = f"{number:030}".encode()
        last = {
            "wav": b"",
            "mp3": b"TAG" + name + bytes(95),  # ID3v1
            "m4a": (8 + len(name)).to_bytes(4, "big") + b"free" + name,
        }[form]
        content = originals[form] if last else recordings.stored(sound * np.float32(1 - number / 1000), form, _RATE)
        (folder / f"{number:03}.{form}").write_bytes(content + last)


@contextlib.contextmanager
def settings_of(access: Access) -> Iterator[None]:
    """Point the environment of this process and its children to the sandbox."""
    before = dict(os.environ)
    os.environ.update({f"ONETAKE_{name.upper()}": value for name, value in access.settings().items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _cpu_s(work: Work) -> float:
    """Return the CPU seconds of a work, including the sandbox."""
    before = cpu_s_of_family()
    work()
    return cpu_s_of_family() - before


def _with_new_home(command: list[str]) -> Work:
    def work() -> None:
        home = tempfile.mkdtemp()
        os.environ["ONETAKE_HOME"] = home
        process(command)()
        shutil.rmtree(home)

    return work


def _storage(access: Access) -> Storage:
    return Storage(
        StorageSettings(
            bucket=access.bucket,
            provider=access.provider,
            endpoint=access.s3_endpoint,
            public_only=False,
            access_key_id=access.access_key_id,
            secret_access_key=access.secret_access_key,
        )
    )


@contextlib.contextmanager
def _calls(access: Access, takes: list[Path]) -> Iterator[Work]:
    """Yield the work of one call per recording, at the concurrency of `clone`, the formats in turn."""
    storage = _storage(access)
    uploads = [storage.upload(take, content_type="application/octet-stream", suffix=take.suffix) for take in takes]
    urls = [storage.presign(upload).url for upload in uploads]
    client = CloneClient(access.api_key, access.base_url)

    def work() -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda number: client.clone(urls[number % len(urls)]), range(_FILES)))

    yield work
    for upload in uploads:
        storage.delete(upload)


def _upload(access: Access, folder: Path) -> Table:
    """One large file, beside `curl -T` to a presigned URL."""
    recording = folder / "large.wav"
    recording.write_bytes(np.random.default_rng(1).bytes(_UPLOAD_BYTES))
    storage = _storage(access)
    client = boto3.client(
        "s3",
        endpoint_url=access.s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    where: dict[str, Any] = {"Bucket": access.bucket, "Key": "large.wav"}
    url = client.generate_presigned_url("put_object", Params=where, ExpiresIn=3600)
    works: list[Work] = [lambda: storage.upload(recording, content_type="audio/wav", suffix=".wav")]
    if shutil.which("curl"):
        works.append(lambda: subprocess.run(["curl", "-sSf", "-T", recording, url, "-o", "/dev/null"], check=True))
    ours, *peers = in_turn(*works, rounds=15)
    row = Row(
        "20 MB", ours, "curl -T", peers[0] if peers else None, [Promise("within 1.2 times", 1.2)]
    )  # fmt: skip
    note = "`Storage.upload`, which also hashes the file before and asks for the stored size after the upload."
    return Table("Upload", "ms", [row], note)
