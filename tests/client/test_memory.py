"""Reading an answer takes at most three times its size in memory."""

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
    # ru_maxrss of a new process includes that of its parent before exec; VmHWM does not
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

service = CloneClient("k", sys.argv[1], retry_budget_s=0)
# loaded before the measurement begins
import client.transport, stamina
before = peak()
try:
    speech = service.synthesize(SpeechRequest(voice_id="v", text="Hi."))
    result = [len(speech.audio), list(speech.warnings)]
except ServiceError as error:
    result = [len(error.answer_body), error.state]
print(json.dumps({"before": before, "peak": peak(), "result": result}))
"""


def streams(begin: bytes, piece: bytes, times: int, end: bytes, headers: bytes = b"") -> Callable[..., None]:
    def behave(sock: socket.socket, server: ScriptedServer) -> None:
        take_request(sock, server)
        sock.settimeout(60)
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + b"\r\n" + begin)
        for _ in range(times):
            sock.sendall(piece)
        sock.sendall(end)

    return behave


HEX = b"00ff" * 250_000  # a megabyte
SIZE = 24 * MEGABYTE
OVERHEAD = 10 * MEGABYTE  # modules that the first call loads


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
@pytest.mark.parametrize(
    ("behaviour", "result"),
    [
        (streams(b'{"data": {"audio": "', HEX, 24, b'"}, "base_resp": {"status_code": 0}}'), [SIZE // 2, []]),
        (streams(b'{"base_resp": {"status_msg": "\xb3\xc9"}, "audio": "', HEX, 24, b'"}'), [SIZE // 2, []]),
        (streams(b'{"data": {"audio": "', HEX, 24, b""), [SIZE + 20, "unknown"]),
        (streams(b"\xab\xcd", b"\x80\x00\xff\xc3" * 250_000, 24, b""), [SIZE + 2, "unknown"]),
        (streams(b'{"a": [', b"[1,2]," * 400_000, 1, b"1]}"), [2_400_010, "unknown"]),
    ],
    ids=["hexadecimal", "hexadecimal-and-GBK", "truncated", "binary", "many-values"],
)
def test_the_peak_of_a_large_speech_answer(behaviour: Callable[..., None], result: list[object]) -> None:
    with ScriptedServer(behaviour) as server:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, server.base_url], capture_output=True, text=True, check=True, timeout=240
        )
    measured = json.loads(done.stdout)
    assert measured["result"] == result
    assert measured["peak"] - measured["before"] < 3 * SIZE + OVERHEAD, measured
