"""From the answer to a T2A request to the speech, or to the error that stands in its place."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from client.answers import Answer, error_of, remarks_on
from client.errors import NonsenseAnswer, ServiceError
from client.speech_types import Speech

_LINK: Final = re.compile(r"https?://[^\s]{1,8000}", re.IGNORECASE)
_DATA_URI: Final = re.compile(rb"data:[\w/+.;=-]{0,100};base64,", re.IGNORECASE)
# First bytes: ID3v2; RIFF and RIFX; FLAC; Ogg; AIFF; Matroska; ADTS and MPEG audio frames (eleven set bits).
_MAGIC: Final = (b"ID3", b"RIFF", b"RIFX", b"fLaC", b"OggS", b"FORM", b"\x1a\x45\xdf\xa3")
# Fields that sibling services use instead of `audio` (their documentation and users' reports).
_OTHER_FIELDS: Final = ("audio_file", "audio_url", "audio_data", "audio_base64", "audio_content", "url", "file")


class _Place(Struct, frozen=True):
    """A string that may be the audio.

    Attributes:
        name: The member's path, such as ``data.audio``.
        value: The string, or the placeholder of a long one.
        contracted: Whether the contract puts the audio there.
    """

    name: str
    value: str
    contracted: bool


def speech_in(answer: Answer) -> Speech:
    """Read the answer to a T2A request.

    Audio where the contract puts it is paid for, whatever else the answer says, and so is audio elsewhere that
    begins like a known format: what is unusual becomes a warning.

    Raises:
        ServiceError: There is no audio; ``answer_body`` has what came.
    """
    if _is_raw_audio(answer):
        return _raw_speech(answer)
    for place in _places(answer.document.members):
        audio, link, remark = _audio_at(place, answer)
        if audio is None and link is None:
            continue
        extra = answer.document.members.get("extra_info")
        return Speech(
            audio=audio,
            audio_url=link,
            trace_id=answer.trace_id,
            raw=_without_audio(answer.document.without_long_strings(), place.value),
            extra=extra if isinstance(extra, dict) else {},
            warnings=(*([remark] if remark else []), *remarks_on(answer)),
        )
    raise _error(answer)


def _error(answer: Answer) -> ServiceError:
    document = answer.document
    has_some = any(place.contracted for place in _places(document.members))
    lacking = "has no audio and no error" if document.is_object else "is not a JSON object"
    error = error_of(answer, "has audio that is neither hexadecimal nor a link" if has_some else lacking)
    if isinstance(error, NonsenseAnswer):
        error.reports_success = _reports_success(answer)
    return error


def _reports_success(answer: Answer) -> bool:
    """Whether a complete answer says so in the maker's own field."""
    base = answer.document.members.get("base_resp")
    is_good = isinstance(base, dict) and base.get("status_code") in (0, "0")
    return is_good and 200 <= answer.status < 300 and not answer.missing


def _places(members: dict[str, Any]) -> Iterator[_Place]:
    """Yield the strings that may be the audio, those of the contract first."""
    data = members.get("data")
    holders = [("data.", data)] if isinstance(data, dict) else []
    holders.append(("", members))
    audios = members.get("audios")
    if isinstance(audios, list):
        holders += [(f"audios[{n}].", entry) for n, entry in enumerate(audios[:1]) if isinstance(entry, dict)]
    for contracted in (True, False):
        for prefix, holder in holders:
            for name in ("audio",) if contracted else _OTHER_FIELDS:
                value = holder.get(name)
                if isinstance(value, str) and value.strip():
                    yield _Place(prefix + name, value, contracted and not prefix.startswith("audios"))
    if isinstance(data, str) and data.strip():
        yield _Place("data", data, False)


def _audio_at(place: _Place, answer: Answer) -> tuple[bytes | None, str | None, str]:
    """Decode one string: the audio, or the link, and what is unusual about it."""
    elsewhere = "" if place.contracted else f"the audio is in {place.name}, where the contract does not put it"
    value = place.value.strip()
    if _LINK.fullmatch(value):
        return None, value, elsewhere
    content = answer.document.long_strings.get(value)
    if content is None:
        try:
            content = memoryview(value.encode("ascii"))
        except UnicodeEncodeError:
            return None, None, ""
    elif b"\\" in content[:4096].tobytes():  # JSON escapes, which only base64 needs: slashes and line ends
        content = memoryview(bytes(content).replace(b"\\/", b"/").replace(b"\\r", b"").replace(b"\\n", b""))
    try:
        audio = binascii.unhexlify(content)  # reads the view, and makes no copy of it
    except binascii.Error:
        audio = b""
    if audio and (place.contracted or _begins_like_audio(audio)):
        return audio, None, elsewhere
    audio = _from_base64(content)
    if _begins_like_audio(audio):
        return audio, None, f"the audio in {place.name} is base64, not hexadecimal as the contract says"
    return None, None, ""


def _from_base64(content: memoryview) -> bytes:
    head = bytes(content[:200])
    if prefix := _DATA_URI.match(head):
        content = content[prefix.end() :]
    if not _begins_like_audio(_decoded(content[:64])):  # spares the decoding of a long text
        return b""
    return _decoded(content)


def _decoded(content: memoryview) -> bytes:
    """Decode base64 in either alphabet, with padding or without, also in lines (RFC 4648, RFC 2045)."""
    try:
        return binascii.a2b_base64(content, strict_mode=True)
    except binascii.Error:
        compact = bytes(content).translate(bytes.maketrans(b"-_", b"+/"), b" \t\r\n=")
    try:
        return binascii.a2b_base64(compact + b"=" * (-len(compact) % 4), strict_mode=True)
    except binascii.Error:
        return b""


def _begins_like_audio(data: bytes | bytearray | memoryview) -> bool:
    head = bytes(data[:12])
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0
    return head.startswith(_MAGIC) or is_frame or head[4:8] == b"ftyp"


def _is_raw_audio(answer: Answer) -> bool:
    if answer.missing or not answer.body:
        return False  # an end that is missing may be paid for, too: the error carries what came
    if _begins_like_audio(answer.body):
        return not answer.body.startswith((b"\xff\xfe", b"\xfe\xff"))  # byte order marks of text
    is_text = answer.body[:64].lstrip()[:1] in (b"{", b"[", b"<")
    return 200 <= answer.status < 300 and answer.content_type.startswith("audio/") and not is_text


def _raw_speech(answer: Answer) -> Speech:
    remarks = [f"the answer is audio ({answer.content_type or 'without a content type'}), not JSON"]
    if not 200 <= answer.status < 300:
        remarks.append(f"the answer has the result, but also the status HTTP {answer.status}")
    return Speech(audio=bytes(answer.body), audio_url=None, trace_id=None, raw={}, extra={}, warnings=tuple(remarks))


def _without_audio(members: dict[str, Any], audio: str) -> dict[str, Any]:
    """Take the audio out of the members; long strings are lengths already."""
    kept: dict[str, Any] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            kept[name] = _without_audio(value, audio)
        elif isinstance(value, list):
            kept[name] = [_without_audio(entry, audio) if isinstance(entry, dict) else entry for entry in value]
        elif name != "audio" and value != audio:
            kept[name] = value
    return kept
