"""The sandbox's storage starts, answers only with its keys, and always stops."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from onetake.sandbox.s3_server import SandboxStorage
from onetake.sandbox.seaweedfs import SandboxUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and the kernel's parent-death signal")

HOLD = """
import sys, time, pathlib
from onetake.sandbox.s3_server import SandboxStorage
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


def open_sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            name = str(fd.readlink())
            if name.startswith("socket:["):
                found.add(name[8:-1])
    return found


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of everything that listens for TCP."""
    inodes, found = open_sockets(pid), set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            column = line.split()
            if column[3] == "0A" and column[9] in inodes:
                address, _, port = column[1].partition(":")
                found.add((address, int(port, 16)))
    return found


def unix_sockets(pid: int) -> set[Path]:
    inodes = open_sockets(pid)
    lines = (line.split() for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:])
    # Flags: 10000 is __SO_ACCEPTCON, a socket that listens.
    return {Path(line[7]) for line in lines if line[3] == "00010000" and line[6] in inodes}


@linux_only
def test_the_storage_serves_and_stops(tmp_path: Path) -> None:
    with SandboxStorage(tmp_path / "new" / "folder") as storage:
        pid = storage.pid
        assert pid is not None
        assert os.getpgid(pid) == os.getpgid(0)
        assert {address for address, _ in listening(pid)} == {"0100007F"}  # 127.0.0.1 and nothing else
        assert storage.start() is storage
        client = boto3.client(
            "s3",
            endpoint_url=storage.endpoint,
            region_name=storage.region,
            aws_access_key_id=storage.access_key_id,
            aws_secret_access_key=storage.secret_access_key,
        )
        client.put_object(Bucket=storage.bucket, Key="a", Body=b"x")
        assert requests.get(f"{storage.endpoint}/{storage.bucket}/a", timeout=60).status_code == 403
        with pytest.raises(ClientError, match="NoSuchBucket"):
            client.put_object(Bucket="a-typo", Key="a", Body=b"x")
    assert not is_alive(pid)
    storage.stop()
    port = int(storage.endpoint.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{port}.sock"))
    assert (tmp_path / "new" / "folder" / "identities.json").stat().st_mode & 0o077 == 0


REQUESTS = (
    *("GET /", "GET /buckets/", "GET /buckets/onetake-sandbox/take.wav", "GET /dir/assign", "GET /dir/status"),
    *(
        "GET /dir/lookup?volumeId=1",
        "GET /status",
        "GET /ui/index.html",
        "GET /metrics",
        "GET /onetake-sandbox/take.wav",
    ),
    *("GET /onetake-sandbox/?list-type=2", "POST /buckets/onetake-sandbox/new.wav", "PUT /onetake-sandbox/new.wav"),
    *("DELETE /buckets/onetake-sandbox/take.wav", "DELETE /onetake-sandbox/take.wav", "POST /submit"),
    *("OPTIONS /onetake-sandbox/take.wav", "POST /"),
)


def answer_to(request: str, connection: socket.socket) -> bytes:
    """Return the answer to a request without keys, as a web page of another origin would send it."""
    lines = [f"{request} HTTP/1.1", "Host: localhost", "Origin: https://elsewhere.example", "Content-Length: 1"]
    with contextlib.suppress(OSError):
        connection.sendall("\r\n".join([*lines, "Connection: close", "", "x"]).encode())
    received = b""
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            received += part
    return received


def is_refused(answer: bytes) -> bool:
    """Whether it is a refusal by HTTP status, a TLS alert, or nothing."""
    return not answer.startswith(b"HTTP/") or answer.split()[1] in {b"400", b"401", b"403", b"404", b"405", b"501"}


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxStorage]:
    """A storage with the object ``take.wav``, all of whose servers are ready."""
    with SandboxStorage(tmp_path_factory.mktemp("seaweedfs")) as storage:
        s3(storage).put_object(Bucket=storage.bucket, Key="take.wav", Body=SECRET)
        deadline = time.monotonic() + 60
        while len(listening(storage.pid or 0)) < len(PARTS) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(listening(storage.pid or 0)) == len(PARTS)
        yield storage
        assert s3(storage).get_object(Bucket=storage.bucket, Key="take.wav")["Body"].read() == SECRET
        assert s3(storage).list_objects_v2(Bucket=storage.bucket)["KeyCount"] == 1


SECRET = b"private speech" * 100_000
PARTS = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3", "admin") for kind in ("", ".grpc")]


def s3(storage: SandboxStorage) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=storage.endpoint,
        region_name=storage.region,
        aws_access_key_id=storage.access_key_id,
        aws_secret_access_key=storage.secret_access_key,
    )


@linux_only
def test_no_port_answers_without_keys(holding: SandboxStorage) -> None:
    s3_port = int(holding.endpoint.rpartition(":")[2])
    for _, port in listening(holding.pid or 0):
        for request in REQUESTS:
            with socket.create_connection(("127.0.0.1", port), 10) as line:
                answer = answer_to(request, line)
            health = port == s3_port and request == "GET /status"  # an empty answer: the server is up
            assert (b"200 OK" in answer and answer.endswith(b"\r\n\r\n")) if health else is_refused(answer), request
            # SeaweedFS lets every origin see that it is up, and that it refuses to list its buckets
            if port != s3_port or request.split()[1].startswith("/onetake-sandbox/"):
                assert b"access-control-allow" not in answer.lower(), request
        if port != s3_port:
            with pytest.raises(ssl.SSLError, match=r"certificate required|bad certificate|handshake failure"):
                over_tls(port)


def over_tls(port: int) -> bytes:
    """Return the answer to a TLS request without a client certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as line, context.wrap_socket(line) as secured:
        secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return secured.recv(65536)


@linux_only
def test_sockets_are_private_and_need_keys(holding: SandboxStorage) -> None:
    found = unix_sockets(holding.pid or 0)
    assert found
    for path in found:
        assert path.stat().st_mode & 0o077 == 0
        for request in REQUESTS:
            if "grpc" not in path.name and request in {"GET /status", "GET /metrics"}:
                continue  # whether it is up, and counters
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(10)
                line.connect(str(path))
                assert is_refused(answer_to(request, line)), (path, request)


@linux_only
def test_aws_and_proxy_settings_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\ns3 =\n  use_accelerate_endpoint = true\n")
    foreign = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "gone", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    foreign |= {"AWS_CA_BUNDLE": "/gone.pem", "AWS_ACCESS_KEY_ID": "x", "AWS_SESSION_TOKEN": "x", "AWS_REGION": "mars"}
    foreign |= dict.fromkeys(("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    foreign |= dict.fromkeys(("ALL_PROXY", "all_proxy"), "socks5://127.0.0.1:9")
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    with SandboxStorage(tmp_path / "seaweedfs") as storage:
        pid = storage.pid
        environ = Path(f"/proc/{pid}/environ").read_text()
    assert not any(name in environ for name in foreign)


@linux_only
def test_the_storage_ends_with_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 120
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_stale_sockets_are_removed(tmp_path: Path) -> None:
    dead = Path(f"/tmp/seaweedfs-filer-{os.getpid()}0.sock")
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(dead))
    os.utime(dead, (1, 1))
    with SandboxStorage(tmp_path):
        assert not dead.exists()


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxUnavailable, match="folder"):
        SandboxStorage(tmp_path / "file").start()
