"""From the answer to a paid call to its result: the voice, the speech, or the error."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from client.answers import Answer, contradictions, error_from, mentioned_voices
from client.document import Document
from client.errors import NonsenseAnswer, ServiceError
from client.redaction import redact
from client.types import ClonedVoice, Speech

_LONGEST_VOICE_ID: Final = 256
# Also with escaped quotes, as in a string that contains JSON, and as an element of XML.
_VOICE_ID_IN_TEXT: Final = re.compile(
    r"""voice[_ -]?id\\*["']?\s*[:=>]\s*[\\"'\[]*+((?:[^\\"'\s,;<>&{}\[\]]|\\(?!["'])){1,256})""", re.IGNORECASE
)
_NOTHING: Final = frozenset({"null", "none", "nil", "undefined", "nan", "true", "false"})
"""What some programs write as a string for a value that is missing."""
_LINK: Final = re.compile(r"https?://[^\s]{1,8000}", re.IGNORECASE)
_DATA_URI: Final = re.compile(rb"data:[\w/+.;=-]{0,100};base64,", re.IGNORECASE)
# First bytes: ID3v2; RIFF and RIFX; FLAC; Ogg; AIFF; Matroska; ADTS and MPEG audio frames (eleven set bits).
_MAGIC: Final = (b"ID3", b"RIFF", b"RIFX", b"fLaC", b"OggS", b"FORM", b"\x1a\x45\xdf\xa3")
# Fields that sibling services use instead of `audio` (their documentation and users' reports).
_OTHER_FIELDS: Final = ("audio_file", "audio_url", "audio_data", "audio_base64", "audio_content", "url", "file")


# --- clone ------------------------------------------------------------------------------------------------------------


def voice_from(answer: Answer) -> ClonedVoice:
    """Read the answer to a clone request.

    A top-level voice_id is a voice that exists and is paid for, even if the answer has an error status, error codes, a
    wrong encoding or no end. Contradictions become warnings.

    Raises:
        ServiceError: There is no top-level voice_id. If the answer has one elsewhere, the message contains it.
    """
    voice = _voice_in(answer)
    if voice is None and (whole := answer.as_received()):
        voice = _voice_in(whole)
    if voice is None:
        raise _clone_error(answer)
    return voice


def _voice_in(answer: Answer) -> ClonedVoice | None:
    document = answer.document
    given = document.all_of("voice_id")
    valid = [voice for value in given if (voice := _voice_id(value, document)) is not None]
    if not valid:
        return None
    # RFC 8259, 4: duplicate names are not defined; most parsers keep the last one.
    demo = document.members.get("demo_audio_url")
    if not isinstance(demo, str) or demo in document.long_strings:
        demo = ""
    others = [voice for voice in dict.fromkeys(valid) if voice != valid[-1]]
    warnings = (
        [f"the answer contains several voices: {', '.join(others)} may exist besides {valid[-1]}"] if others else []
    )
    if valid[-1] not in given:
        warnings.append("the voice_id in the answer is a number, or has blanks around it")
    return ClonedVoice(
        voice_id=valid[-1],
        demo_audio_url=demo.strip().replace(" ", "%20") or None,
        answered_at=datetime.now(UTC),
        raw=document.without_long_strings(),
        warnings=(*warnings, *contradictions(answer)),
        trace_id=answer.trace_id,
    )


def _voice_id(value: object, document: Document) -> str | None:
    """Return the voice_id that a value is, without blanks around it; None if it is not one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value > 0 else None
    voice = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(voice) <= _LONGEST_VOICE_ID or voice.lower() in _NOTHING or voice in document.long_strings:
        return None
    # U+FFFD stands for a byte that could not be decoded: the real name is another.
    return voice if voice.isprintable() and "\ufffd" not in voice else None


def _clone_error(answer: Answer) -> ServiceError:
    document = answer.document
    body: Any = document.members if document.is_object else document.other
    lacking = "has no voice_id and no error" if document.is_object else "is not a JSON object"
    if any(document.all_of("voice_id")):
        lacking = "has a voice_id that is not valid"
    # The request contains no voice_id, so the server cannot have echoed this one.
    whole = answer.as_received()
    mentioned = mentioned_voices([body, *document.embedded(), *(whole.document.embedded() if whole else ())])
    in_json = [voice for value in mentioned if (voice := _voice_id(value, document)) is not None]
    # Text may quote an example of the documentation, so only JSON, or what may be half of it, makes a refusal doubtful.
    texts = [read.text[:1_000_000] for read in (whole.document if whole else None, document) if read]
    # What is in JSON is complete; in text, it may be the beginning of it.
    in_text = [voice for text in texts for voice in _VOICE_ID_IN_TEXT.findall(text)]
    found = [voice for voice in in_json or in_text if voice not in document.long_strings]
    error = error_from(answer, lacking, is_doubtful=bool(in_json or (in_text and answer.missing)))
    shown = dict.fromkeys(redact(voice, answer.secrets, longest=_LONGEST_VOICE_ID) for voice in found)
    if voices := [voice for voice in shown if voice not in {"", "***"} and voice.lower() not in _NOTHING][:3]:
        error.message = f"the answer mentions the voice_id {' and '.join(voices)}: {error.message}"
        error.args = (error.message,)
    return error


# --- speech -----------------------------------------------------------------------------------------------------------


class _Candidate(Struct, frozen=True):
    """A string that may be the audio.

    Attributes:
        path: Where it is, such as ``data.audio``.
        value: The string, or the placeholder of a long one.
        is_contracted: Whether the contract puts the audio there.
    """

    path: str
    value: str
    is_contracted: bool


def speech_from(answer: Answer) -> Speech:
    """Read the answer to a T2A request.

    Audio in a contracted field is paid for, even beside an error. So is audio in another field if it begins
    like a known format. Anything unusual becomes a warning.

    Raises:
        ServiceError: There is no audio; ``answer_body`` has the answer as it arrived.
    """
    if _is_raw_audio(answer):
        return _raw_speech(answer)
    if any(isinstance(further, dict) and any(_candidates(further)) for further in answer.document.embedded()):
        raise _speech_error(answer, "has the audio in several pieces")  # a stream, which was not requested
    speech = _speech_in(answer)
    if speech is None and (whole := answer.as_received()):
        speech = _speech_in(whole)
    if speech is None:
        raise _speech_error(answer)
    return speech


def _speech_in(answer: Answer) -> Speech | None:
    for candidate in _candidates(answer.document.members):
        audio, link, remark = _decode(candidate, answer)
        if audio is None and link is None:
            continue
        extra = answer.document.members.get("extra_info")
        return Speech(
            audio=audio,
            audio_url=link,
            trace_id=answer.trace_id,
            raw=_without_audio(answer.document.without_long_strings(), candidate.value),
            extra=extra if isinstance(extra, dict) else {},
            warnings=(*([remark] if remark else []), *contradictions(answer)),
        )
    return None


def _speech_error(answer: Answer, lacking: str = "") -> ServiceError:
    document = answer.document
    if any(candidate.is_contracted for candidate in _candidates(document.members)):
        lacking = lacking or "has audio that is neither hexadecimal nor a link"
    lacking = lacking or ("has no audio and no error" if document.is_object else "is not a JSON object")
    error = error_from(answer, lacking)
    if isinstance(error, NonsenseAnswer):
        base = document.members.get("base_resp")
        says_success = isinstance(base, dict) and base.get("status_code") in (0, "0")
        error.reports_success = says_success and 200 <= answer.status < 300 and not answer.missing
    return error


def _candidates(members: dict[str, Any]) -> Iterator[_Candidate]:
    """Yield the strings that may be the audio, those in contracted fields first."""
    data = members.get("data")
    holders = [("data.", data)] if isinstance(data, dict) else []
    holders.append(("", members))
    audios = members.get("audios")
    if isinstance(audios, list):
        holders += [(f"audios[{n}].", entry) for n, entry in enumerate(audios[:1]) if isinstance(entry, dict)]
    for is_contracted in (True, False):
        for prefix, holder in holders:
            for name in ("audio",) if is_contracted else _OTHER_FIELDS:
                value = holder.get(name)
                if isinstance(value, str) and value.strip():
                    yield _Candidate(prefix + name, value, is_contracted and not prefix.startswith("audios"))
    if isinstance(data, str) and data.strip():
        yield _Candidate("data", data, False)


def _decode(candidate: _Candidate, answer: Answer) -> tuple[bytes | None, str | None, str]:
    """Decode one string: return the audio, the link, and what is unusual about it."""
    path, is_contracted = candidate.path, candidate.is_contracted
    elsewhere = "" if is_contracted else f"the audio is in {path}, a field that the contract does not name"
    value = candidate.value.strip()
    if _LINK.fullmatch(link := value.replace(" ", "%20")):  # a blank in a file's name that was not encoded
        return None, link, elsewhere
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
    if audio and (is_contracted or _begins_like_audio(audio)):
        return audio, None, elsewhere
    audio = _from_base64(content)
    if _begins_like_audio(audio):
        return audio, None, f"the audio in {path} is base64, not hexadecimal as the contract says"
    return None, None, ""


def _from_base64(content: memoryview) -> bytes:
    if prefix := _DATA_URI.match(bytes(content[:200])):
        content = content[prefix.end() :]
    if not _begins_like_audio(_decode_base64(content[:64])):  # cheap: spares decoding a long text
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


def _begins_like_audio(data: bytes | bytearray | memoryview) -> bool:
    head = bytes(data[:12])
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] >= 0xE0
    return head.startswith(_MAGIC) or is_frame or head[4:8] == b"ftyp"


def _is_raw_audio(answer: Answer) -> bool:
    if answer.missing or not answer.body:
        return False  # a part of paid audio is not a result: the error keeps it
    if _begins_like_audio(answer.body):
        return not answer.body.startswith((b"\xff\xfe", b"\xfe\xff"))  # byte order marks look like MPEG frames
    is_text = answer.body[:64].lstrip()[:1] in (b"{", b"[", b"<")
    return 200 <= answer.status < 300 and answer.content_type.startswith("audio/") and not is_text


def _raw_speech(answer: Answer) -> Speech:
    remarks = [f"the answer is audio ({answer.content_type or 'without a content type'}), not JSON"]
    if not 200 <= answer.status < 300:
        remarks.append(f"the answer has the result, but also the status HTTP {answer.status}")
    return Speech(
        audio=bytes(answer.body),
        audio_url=None,
        trace_id=answer.trace_id,
        raw={},
        extra={},
        warnings=tuple(remarks),
    )


def _without_audio(members: dict[str, Any], audio: str) -> dict[str, Any]:
    """Remove the audio from the members; long strings have been replaced by their lengths already."""
    kept: dict[str, Any] = {}
    for name, value in members.items():
        if isinstance(value, dict):
            kept[name] = _without_audio(value, audio)
        elif isinstance(value, list):
            kept[name] = [_without_audio(entry, audio) if isinstance(entry, dict) else entry for entry in value]
        elif name != "audio" and value != audio:
            kept[name] = value
    return kept
