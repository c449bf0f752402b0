"""The sandbox's storage comes up, keeps to itself, and is gone whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from onetake.sandbox.storage import SandboxStorage
from onetake.sandbox.weed import SandboxUnavailable

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and the kernel's parent-death signal")

HOLD = """
import sys, time, pathlib
from onetake.sandbox.storage import SandboxStorage
storage = SandboxStorage(pathlib.Path(sys.argv[1])).start()
print(storage.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def listening_addresses(pid: int) -> set[str]:
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(fd.readlink()))
        except FileNotFoundError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            column = line.split()
            if column[3] == "0A" and f"socket:[{column[9]}]" in inodes:
                found.add(column[1].partition(":")[0])
    return found


@linux_only
def test_it_serves_and_stops(tmp_path: Path) -> None:
    with SandboxStorage(tmp_path / "new" / "folder") as storage:
        pid = storage.pid
        assert pid is not None
        assert os.getpgid(pid) == os.getpgid(0)
        assert listening_addresses(pid) == {"0100007F"}  # 127.0.0.1 and nothing else
        assert storage.start() is storage
        client = boto3.client(
            "s3",
            endpoint_url=storage.endpoint,
            region_name=storage.region,
            aws_access_key_id=storage.access_key_id,
            aws_secret_access_key=storage.secret_access_key,
        )
        client.put_object(Bucket=storage.bucket, Key="a", Body=b"x")
        assert requests.get(f"{storage.endpoint}/{storage.bucket}/a", timeout=5).status_code == 403
        with pytest.raises(ClientError, match="NoSuchBucket"):
            client.put_object(Bucket="a-typo", Key="a", Body=b"x")
    assert not is_alive(pid)
    storage.stop()
    port = int(storage.endpoint.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{port}.sock"))
    assert (tmp_path / "new" / "folder" / "identities.json").stat().st_mode & 0o077 == 0


@linux_only
def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_sockets_of_the_dead_are_removed(tmp_path: Path) -> None:
    dead = Path(f"/tmp/seaweedfs-filer-{os.getpid()}0.sock")
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(dead))
    os.utime(dead, (1, 1))
    with SandboxStorage(tmp_path):
        assert not dead.exists()


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxUnavailable, match="folder"):
        SandboxStorage(tmp_path / "file").start()
