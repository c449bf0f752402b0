"""The real parts that the command is tried with: a storage, a stand-in endpoint, a process, an empty home."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.s3_server import SandboxStorage
from onetake.sandbox.seaweedfs import Identity
from tests.support.processes import HANGS_AFTER_S

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "sk-Top_Secret_0123456789"
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
PROMPT_TEXT = (FIXTURES / "prompt.txt").read_text().strip()
READER = Identity("reader", "READERREADERREADER", "reader-secret-0123456789", ("Read", "List"))


@dataclass(frozen=True)
class Services:
    """A storage and a stand-in endpoint that run for the whole session."""

    storage: SandboxStorage
    endpoint: StandInEndpoint

    def settings(self, **changes: str) -> dict[str, str]:
        """Environment variables that lead to them, with some replaced."""
        return {
            "ONETAKE_API_KEY": KEY,
            "ONETAKE_BASE_URL": self.endpoint.base_url,
            "ONETAKE_PROVIDER": "seaweedfs",
            "ONETAKE_S3_ENDPOINT": self.storage.endpoint,
            "ONETAKE_BUCKET": self.storage.bucket,
            "ONETAKE_ACCESS_KEY_ID": self.storage.access_key_id,
            "ONETAKE_SECRET_ACCESS_KEY": self.storage.secret_access_key,
            **changes,
        }

    def objects(self) -> dict[str, str]:
        """What is stored now, each with its content type."""
        client, bucket = self._client(), self.storage.bucket
        names = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {name: client.head_object(Bucket=bucket, Key=name)["ContentType"] for name in names}

    def empty(self) -> None:
        """Delete what a test left on purpose."""
        for name in self.objects():
            self._client().delete_object(Bucket=self.storage.bucket, Key=name)

    def _client(self) -> S3Client:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.storage.endpoint,
            region_name=self.storage.region,
            aws_access_key_id=self.storage.access_key_id,
            aws_secret_access_key=self.storage.secret_access_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, proxies={}),
        )


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with (
        SandboxStorage(tmp_path_factory.mktemp("seaweedfs"), identities=[READER]) as storage,
        StandInEndpoint(KEY) as endpoint,
    ):
        yield Services(storage, endpoint)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, a temporary folder of its own, and no settings; the working folder is empty too."""
    for name in list(os.environ):
        # PYTHON*: unbuffered streams, for one, hide what a full disk does to buffered ones
        if name.startswith(("ONETAKE_", "AWS_", "XDG_", "PYTHON")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    for made in (folder, tmp_path / "tmp", tmp_path / "work"):
        made.mkdir()
    for name, value in {
        "HOME": str(folder),
        "ONETAKE_HOME": str(folder / "onetake"),
        "TMPDIR": str(tmp_path / "tmp"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_COLOR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", None)  # it remembers the folder of the test before
    monkeypatch.chdir(tmp_path / "work")
    return folder


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


def onetake(
    *arguments: str | bytes, env: Mapping[str, str] | None = None, before: tuple[str, ...] = (), **more: object
) -> Ran:
    """Run the command in a process of its own; nothing that it says may be a traceback."""
    command = [*(before or (sys.executable, "-m", "onetake")), *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        capture_output=True,
        timeout=HANGS_AFTER_S,
        check=False,
        stdin=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.err
    assert "Exception ignored" not in ran.err
    return ran


def paid_calls(home: Path) -> list[dict[str, Any]]:
    """The attempts whose paid call was, or was about to be, sent, each with its voice, as the ledger holds them."""
    path = home / "onetake" / "ledger.sqlite3"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        if not connection.execute("SELECT 1 FROM pragma_table_info('attempts') WHERE name = 'voice_id'").fetchall():
            return []  # it is being made at this moment
        rows = connection.execute(
            "SELECT attempts.*, expires_at FROM attempts LEFT JOIN voices USING (base_url, voice_id) "
            "WHERE called_at IS NOT NULL ORDER BY claimed_at"
        )
        return [dict(row) for row in rows]


def ledger_dump(home: Path) -> str:
    """Everything that the ledger holds."""
    with contextlib.closing(sqlite3.connect(home / "onetake" / "ledger.sqlite3")) as connection:
        return "\n".join(connection.iterdump())
