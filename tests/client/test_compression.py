"""Compressed answers: no compression is requested, and what is compressed anyway is read or kept."""

from __future__ import annotations

import base64
import gzip
import json
import sys
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest

from client import CloneClient, OutcomeUnknown, SpeechRequest
from client.encoding import decompress
from client.results import voice_from
from tests.client.conftest import KEY, make_answer
from tests.support.scripted_service import ScriptedServer, http, says

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MP3 = b"ID3\x04" + bytes(range(256)) * 4


@pytest.mark.parametrize("encoding", ["gzip", "deflate", ""])
@pytest.mark.parametrize("is_truncated", [False, True])
def test_unrequested_compression(encoding: str, is_truncated: bool) -> None:
    plain = json.dumps({"audio": MP3.hex()}).encode() + b" " * 2000
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    packed = packed[:-8] if is_truncated else packed
    headers = [f"Content-Encoding: {encoding}"] if encoding else []
    with ScriptedServer(says(http(200, packed, *headers))) as server:
        speech = CloneClient(KEY, server.base_url).synthesize(SpeechRequest(voice_id="v", text="Hi."))
    assert speech.audio == MP3
    assert bool(speech.warnings) == is_truncated


LAYERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip twice": lambda data: gzip.compress(gzip.compress(data)),
    "deflate in gzip": lambda data: gzip.compress(zlib.compress(data)),
    "two members": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "zlib": zlib.compress,
    "wrong checksum": lambda data: gzip.compress(data)[:-8] + bytes(8),
}


@pytest.mark.parametrize("name", LAYERS)
def test_undeclared_compression(name: str) -> None:
    body, problem = decompress(bytearray(LAYERS[name](b'{"voice_id": "voice_1"}')), "", 1000)
    assert voice_from(make_answer(200, bytes(body))).voice_id == "voice_1"
    assert bool(problem) == (name == "wrong checksum")


VOICE = json.dumps({"message": "voice_7 is ready, voice_7", "voice_id": "voice_7"}).encode() + b" " * 5000
FOREIGN: dict[str, tuple[str, bytes]] = {
    "Brotli": ("br", brotli.compress(VOICE)),
    "Brotli in gzip": ("br, gzip", gzip.compress(brotli.compress(VOICE))),
    "gzip in Brotli": ("gzip, br", brotli.compress(gzip.compress(VOICE))),
    "Zstandard": ("zstd", zstd.compress(VOICE)),
    "Zstandard, undeclared": ("", zstd.compress(VOICE)),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_brotli_and_zstandard_are_read_where_their_packages_are_installed(name: str) -> None:
    encoding, packed = FOREIGN[name]
    body, problem = decompress(bytearray(packed), encoding, 10_000)
    assert (bytes(body), problem) == (VOICE, "")
    body, problem = decompress(bytearray(packed[:-3]), encoding, 10_000)
    assert VOICE.startswith(bytes(body)) or packed.startswith(bytes(body))  # the first block may be incomplete
    assert problem
    body, problem = decompress(bytearray(packed), encoding, 1000)
    assert (len(body) <= 1000, bool(problem)) == (True, True)
    body, problem = decompress(bytearray(VOICE), encoding, 10_000)  # declared, but not so
    assert (bytes(body), problem) == (VOICE, "")


@pytest.mark.parametrize("name", FOREIGN)
def test_brotli_and_zstandard_without_their_packages(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("brotli", "backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    encoding, packed = FOREIGN[name]
    headers = [f"Content-Encoding: {encoding}"] if encoding else []
    which = "Zstandard" if "Zstandard" in name else "Brotli"
    with ScriptedServer(says(http(200, packed, *headers))) as server:
        with pytest.raises(OutcomeUnknown, match=f"is compressed with {which}") as raised:
            CloneClient(KEY, server.base_url).clone("https://h/take.mp3")
        (request,) = server.requests
    assert b"accept-encoding: identity" in request.lower()
    kept = raised.value.answer_text(20_000, lambda text: text)
    assert kept.startswith("base64:")
    assert base64.b64decode(kept.removeprefix("base64:")) == raised.value.answer_body


def test_a_small_answer_cannot_decompress_into_a_large_one() -> None:
    data, problem = decompress(bytearray(gzip.compress(bytes(5_000_000))), "gzip", 1_000_000)
    assert len(data) == 1_000_000
    assert "larger" in problem
