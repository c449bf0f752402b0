"""The sandbox does not depend on proxies or AWS settings of the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from onetake.clones.dedupe import digest
from preflight import CannotOpen

ROOT = Path(__file__).resolve().parents[2]
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that never answers, and the first line of each request to it."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                connection = server.accept()[0]
                with connection:
                    if (request := connection.recv(100)) == b"end":
                        return
                    requests.append(request)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", requests
        with socket.create_connection(server.getsockname()) as end:
            end.sendall(b"end")
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_proxies_and_aws_settings_are_ignored(kind: str, proxy: tuple[str, list[bytes]], tmp_path: Path) -> None:
    address, requests = proxy
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\ns3 =\n  use_accelerate_endpoint = true\n")
    foreign = {"ALL_PROXY": f"socks5://{address}", "all_proxy": f"socks5://{address}"}
    if kind == "http":
        foreign |= dict.fromkeys(PROXIES, f"http://{address}")
    foreign |= {"AWS_PROFILE": "gone", "AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    foreign |= {"AWS_CA_BUNDLE": str(tmp_path / "gone.pem"), "AWS_ACCESS_KEY_ID": "x", "AWS_SESSION_TOKEN": "x"}
    kept = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    done = subprocess.run(
        [sys.executable, "-m", "onetake", "clone", "fixtures/good.m4a", "--sandbox"],
        cwd=ROOT,
        env={**kept, **foreign, "ONETAKE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, requests) == (0, []), done.stderr
    assert "voice_" in done.stdout + done.stderr


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.wav")
    with pytest.raises(CannotOpen, match="named pipe"):
        digest(tmp_path / "clip.wav")
