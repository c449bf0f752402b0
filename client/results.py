"""From the answer to a paid call to its result: the voice, the speech, or the error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from client.answers import Answer, contradictions, error_from
from client.audio import Candidate, begins_like_audio, decode_audio
from client.errors import NonsenseAnswer, ServiceError
from client.redaction import redact
from client.speech import Speech
from client.tolerant_json import Document, embedded_objects
from client.voice_clone import ClonedVoice

_LONGEST_VOICE_ID: Final = 256
"""Characters; the identifiers of the service have fewer (`ClonedVoice.voice_id`)."""
# Also with escaped quotes, as in a string that contains JSON, and as an element of XML.
_VOICE_ID_IN_TEXT: Final = re.compile(
    r"""voice[_ -]?id\\*["']?\s*[:=>]\s*[\\"'\[]*+((?:[^\\"'\s,;<>&{}\[\]]|\\(?!["'])){1,256})""", re.IGNORECASE
)
_NOTHING: Final = frozenset({"null", "none", "nil", "undefined", "nan", "true", "false"})
"""What some programs write as a string for a value that is missing."""
# Fields that sibling services use instead of `audio` (their documentation and users' reports).
_OTHER_FIELDS: Final = ("audio_file", "audio_url", "audio_data", "audio_base64", "audio_content", "url", "file")


# What the model's maker and resellers call the preview of a clone. `audio_url` may be the echo of the request's.
_DEMO_FIELDS: Final = ("demo_audio_url", "demo_audio", "demo_url", "demo_audio_data", "demo_audio_base64", "demo")

# --- clone ------------------------------------------------------------------------------------------------------------


def voice_from(answer: Answer, requested_url: str = "") -> ClonedVoice:
    """Read the answer to a clone request; links without a host are relative to `requested_url`.

    A top-level voice_id is a voice that exists and is paid for, even if the answer has an error status, error codes, a
    wrong encoding or no end. Contradictions become warnings.

    Raises:
        ServiceError: There is no top-level voice_id. If the answer has one elsewhere, the message contains it.
    """
    voice = _voice_in(answer, requested_url)
    if voice is None and (whole := answer.as_received()):
        voice = _voice_in(whole, requested_url)
    if voice is None:
        raise _clone_error(answer)
    return voice


def _voice_in(answer: Answer, requested_url: str) -> ClonedVoice | None:
    document = answer.document
    given = document.all_of("voice_id")
    valid = [voice for value in given if (voice := _voice_id(value, document)) is not None]
    if not valid:
        return None
    # RFC 8259, 4: duplicate names are not defined; most parsers keep the last one.
    others = [voice for voice in dict.fromkeys(valid) if voice != valid[-1]]
    warnings = (
        [f"the answer contains several voices: {', '.join(others)} may exist besides {valid[-1]}"] if others else []
    )
    if valid[-1] not in given:
        warnings.append("the voice_id in the answer is a number, or has blanks around it")
    demo, link, remarks = _demo_in(answer, requested_url)
    return ClonedVoice(
        voice_id=valid[-1],
        demo_audio_url=link,
        demo_audio=demo,
        answered_at=datetime.now(UTC),
        raw=document.without_long_strings(),
        warnings=(*warnings, *remarks, *contradictions(answer)),
        trace_id=answer.trace_id,
    )


def _demo_in(answer: Answer, requested_url: str) -> tuple[bytes | None, str | None, list[str]]:
    """Return the preview, the link to it, and what is unusual about them."""
    unread: list[str] = []
    long_strings = answer.document.long_strings
    for candidate in _demos(answer.document.members):
        audio, link, _ = decode_audio(candidate, answer, requested_url)
        if audio or link:
            return audio, link, [] if link else [f"the preview is in the answer ({candidate.path}), not at a link"]
        unread.append(candidate.value)
        if candidate.value in long_strings:
            what = f"the preview in {candidate.path} is in an unknown encoding"
            return bytes(long_strings[candidate.value]), None, [what]
    return None, None, [f"the preview is neither a link nor audio: {redact(unread[0])}"] if unread else []


def _demos(members: dict[str, Any]) -> Iterator[Candidate]:
    """Yield the strings that may be the preview or its link."""
    data = members.get("data")
    for prefix, holder in (("", members), ("data.", data)):
        if not isinstance(holder, dict):
            continue
        for name in _DEMO_FIELDS:
            value = holder.get(name)
            if isinstance(value, dict):
                inner = {f"{name}.{key}": value.get(key) for key in ("url", "audio", "data", "hex", "base64")}
            else:
                inner = {name: value}
            for path, text in inner.items():
                if isinstance(text, str) and text.strip() and text.strip().lower() not in _NOTHING:
                    yield Candidate(prefix + path, text, True)


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
    mentioned = _mentioned_voices([body, *document.embedded(), *(whole.document.embedded() if whole else ())])
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


def _mentioned_voices(value: Any) -> Iterator[str | int]:
    """Find voice_ids anywhere in a JSON value, also in strings that contain JSON."""
    waiting = [(value, False)]
    while waiting:
        entry, is_voice = waiting.pop()
        if is_voice and isinstance(entry, str | int) and entry:
            yield entry
        if isinstance(entry, str) and "{" in entry:
            waiting += [(inner, False) for inner in embedded_objects(entry)]
        elif isinstance(entry, list):
            waiting += [(inner, is_voice) for inner in entry]
        elif isinstance(entry, dict):
            waiting += [(inner, is_voice or _is_voice_id_field(name)) for name, inner in entry.items()]


def _is_voice_id_field(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) == "voiceid"


# --- speech -----------------------------------------------------------------------------------------------------------


def speech_from(answer: Answer, requested_url: str = "") -> Speech:
    """Read the answer to a T2A request; links without a host are relative to `requested_url`.

    Audio in a contracted field is paid for, even beside an error. So is audio in another field if it begins
    like a known format. Anything unusual becomes a warning.

    Raises:
        ServiceError: There is no audio; ``answer_body`` has the answer as it arrived.
    """
    if _is_raw_audio(answer):
        return _raw_speech(answer)
    if any(isinstance(further, dict) and any(_candidates(further)) for further in answer.document.embedded()):
        raise _speech_error(answer, "has the audio in several pieces")  # a stream, which was not requested
    speech = _speech_in(answer, requested_url)
    if speech is None and (whole := answer.as_received()):
        speech = _speech_in(whole, requested_url)
    if speech is None:
        raise _speech_error(answer)
    return speech


def _speech_in(answer: Answer, requested_url: str) -> Speech | None:
    for candidate in _candidates(answer.document.members):
        audio, link, remark = decode_audio(candidate, answer, requested_url)
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


def _candidates(members: dict[str, Any]) -> Iterator[Candidate]:
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
                    yield Candidate(prefix + name, value, is_contracted and not prefix.startswith("audios"))
    if isinstance(data, str) and data.strip():
        yield Candidate("data", data, False)


def _is_raw_audio(answer: Answer) -> bool:
    if answer.missing or not answer.body:
        return False  # a part of paid audio is not a result: the error keeps it
    if begins_like_audio(answer.body):
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
