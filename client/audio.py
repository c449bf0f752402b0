"""Audio in a field of an answer: hexadecimal, base64, a data: URI, or a link."""

from __future__ import annotations

import binascii
import re
from typing import Final
from urllib.parse import urljoin

from msgspec import Struct

from client.answers import Answer

_LONGEST_LINK: Final = 8000
"""Characters. RFC 9110, 4.1, recommends that URIs of at least 8000 octets are supported."""
_LINK: Final = re.compile(rf"https?://[^\s]{{1,{_LONGEST_LINK}}}", re.IGNORECASE)
# RFC 3986, 4.2: a reference without a scheme, or without a host. Base64 may begin with a slash too, but has no ending.
_RELATIVE_LINK: Final = re.compile(r"//?[\w.~%:@!$&'()*,;=/ -]+\.(mp3|wav|m4a|flac|aac|ogg|opus|pcm)(\?[^\s#]*)?", re.I)
# RFC 2397. What follows the comma is base64 only if it says so.
_DATA_URI: Final = re.compile(rb"data:[\w/+.;=-]{0,100},", re.IGNORECASE)
# First bytes: ID3v2; RIFF and RIFX; FLAC; Ogg; AIFF; Matroska; ADTS and MPEG audio frames (eleven set bits).
_MAGIC: Final = (b"ID3", b"RIFF", b"RIFX", b"fLaC", b"OggS", b"FORM", b"\x1a\x45\xdf\xa3")


class Candidate(Struct, frozen=True):
    """A string that may be the audio.

    Attributes:
        path: Where it is, such as ``data.audio``.
        value: The string, or the placeholder of a long one.
        is_contracted: Whether the contract puts the audio there.
    """

    path: str
    value: str
    is_contracted: bool


def decode_audio(candidate: Candidate, answer: Answer, requested_url: str = "") -> tuple[bytes | None, str | None, str]:
    """Decode one string: return the audio, the link, and what is unusual about it.

    Args:
        candidate: The string.
        answer: The answer that it is from.
        requested_url: The URL of the request, against which a link without a host is resolved; may be empty.
    """
    path, is_contracted = candidate.path, candidate.is_contracted
    elsewhere = "" if is_contracted else f"the audio is in {path}, a field that the contract does not name"
    value = candidate.value.strip()
    if _LINK.fullmatch(link := value.replace(" ", "%20")):  # a blank in a file's name that was not encoded
        return None, link, elsewhere
    if requested_url and len(value) <= _LONGEST_LINK and _RELATIVE_LINK.fullmatch(value):
        return None, urljoin(requested_url, link), elsewhere
    content = answer.document.long_strings.get(value)
    if content is None:
        try:
            content = memoryview(value.encode("ascii"))
        except UnicodeEncodeError:
            return None, None, ""
    elif b"\\" in content[:4096].tobytes():  # JSON escapes, which only base64 needs: slashes and line ends
        content = memoryview(bytes(content).replace(b"\\/", b"/").replace(b"\\r", b"").replace(b"\\n", b""))
    try:
        audio = binascii.unhexlify(content)  # reads the view; bytes.fromhex needs a str, which is a second copy
    except binascii.Error:
        audio = b""
    if audio and (is_contracted or begins_like_audio(audio)):
        return audio, None, elsewhere
    audio = _from_base64(content)
    if audio:
        return audio, None, f"the audio in {path} is base64, not hexadecimal as the contract says"
    return None, None, ""


def _from_base64(content: memoryview) -> bytes:
    if prefix := _DATA_URI.match(bytes(content[:200])):
        if prefix[0].lower().startswith(b"data:audio/") and prefix[0].endswith(b";base64,"):
            return _decode_base64(content[prefix.end() :])  # it names its type: that need not be a known one
        content = content[prefix.end() :]
    if not begins_like_audio(_decode_base64(content[:64])):  # cheap: spares decoding a long text
        return b""
    return _decode_base64(content)


def _decode_base64(content: memoryview) -> bytes:
    """Decode both alphabets of RFC 4648 (4 and 5), with padding or without, also in lines (RFC 2045, 6.8)."""
    try:
        # Without strict_mode, a2b_base64 ignores foreign characters, and any text would decode to something.
        return binascii.a2b_base64(content, strict_mode=True)
    except binascii.Error:
        compact = bytes(content).translate(bytes.maketrans(b"-_", b"+/"), b" \t\r\n=")
    try:
        return binascii.a2b_base64(compact + b"=" * (-len(compact) % 4), strict_mode=True)
    except binascii.Error:
        return b""


def begins_like_audio(data: bytes | bytearray | memoryview) -> bool:
    """Return whether the first bytes are those of a known audio format."""
    head = bytes(data[:12])
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0
    return head.startswith(_MAGIC) or is_frame or head[4:8] == b"ftyp"
