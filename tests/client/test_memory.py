"""Reading an answer uses at most three times its size in memory."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.scripted_service import ScriptedServer, take_request

MEGABYTE = 1_000_000
CHILD = """
import json, resource, sys
from client import CloneClient, ServiceError, SpeechRequest

def peak():
    # ru_maxrss of a new process includes what its parent used before it was replaced; VmHWM does not
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

service = CloneClient("k", sys.argv[1], retry_budget_s=0)
service.clone  # loaded before the measurement begins
import client.post, stamina
before = peak()
try:
    speech = service.synthesize(SpeechRequest(voice_id="v", text="Hi."))
    found = [len(speech.audio), list(speech.warnings)]
except ServiceError as error:
    found = [len(error.answer_body), error.state]
print(json.dumps({"before": before, "peak": peak(), "found": found}))
"""


def streams(begin: bytes, piece: bytes, times: int, end: bytes, headers: bytes = b"") -> Callable[..., None]:
    def behave(line: socket.socket, server: ScriptedServer) -> None:
        take_request(line, server)
        line.settimeout(60)
        line.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + b"\r\n" + begin)
        for _ in range(times):
            line.sendall(piece)
        line.sendall(end)

    return behave


HEX = b"00ff" * 250_000  # a megabyte


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
@pytest.mark.parametrize(
    ("behaviour", "found"),
    [
        (streams(b'{"data": {"audio": "', HEX, 64, b'"}, "base_resp": {"status_code": 0}}'), [32 * MEGABYTE, []]),
        (streams(b'{"base_resp": {"status_msg": "\xb3\xc9"}, "audio": "', HEX, 64, b'"}'), [32 * MEGABYTE, []]),
        (streams(b'{"data": {"audio": "', HEX, 64, b""), [64 * MEGABYTE + 20, "unknown"]),
        (streams(b"\xab\xcd", b"\x80\x00\xff\xc3" * 250_000, 64, b""), [64 * MEGABYTE + 2, "unknown"]),
        (streams(b'{"a": [', b"[1,2]," * 166_666, 6, b"1]}"), [6 * 166_666 * 6 + 10, "unknown"]),
    ],
    ids=["hexadecimal", "hexadecimal-and-GBK", "cut", "binary", "many-values"],
)
def test_the_peak_of_a_large_speech_answer(behaviour: Callable[..., None], found: list[object]) -> None:
    with ScriptedServer(behaviour) as server:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, server.base_url], capture_output=True, text=True, check=True, timeout=240
        )
    measured = json.loads(done.stdout)
    assert measured["found"] == found
    assert measured["peak"] < 250 * MEGABYTE, measured
