"""`check`: analyze one recording in a worker process, judge the analysis by the rules, return a report."""

from __future__ import annotations

import codecs
import contextlib
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from preflight import limits
from preflight.analysis.analysis import Analysis
from preflight.errors import CannotOpen, DecoderFailed, NotARecording, NotExamined, PreflightError
from preflight.input.source import Source, display_name
from preflight.input.spool import as_path
from preflight.media.probe import empty_file, probe_plain_wav
from preflight.media.tags import leading_tags
from preflight.profile import DEFAULT, Profile
from preflight.report import FileFacts, Method, Report, Role, verdict_of, worst_quality
from preflight.worker.child import is_possible
from preflight.worker.pool import acquire, require_wanted
from preflight.worker.protocol import Job

if TYPE_CHECKING:
    from preflight.analysis.analyze import Progress
    from preflight.analysis.speakers.windows import Encoder
    from preflight.input.recording import Recording

_NEEDS_VOICES: Final = "several-speakers"


def check(
    recording: Recording,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    quick: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Report:
    """Identify a file by its content, and report whether the clone endpoint accepts it and how good it sounds.

    A worker process decodes and measures the file, and is kept for the next one. A decoder that crashes, hangs or
    takes too much memory costs one finding, and so does a bug in onetake (``not-examined``).

    Args:
        recording: A path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a `pydub.AudioSegment`; see
            `Recording`.
        role: ``recording`` for `audio_url`, ``prompt`` for the clip of `clone_prompt`, ``room`` for a few seconds of
            silence and a sentence that are not sent: they may be short, and mostly silent.
        prompt_text: The text spoken in a prompt clip.
        quick: Read headers only: no decoding and no SHA-256, and the report's `method` is ``headers``.
        profile: Severities and thresholds of the rules.
        on_progress: Called now and then with the seconds measured, and with the recording's where they are known.

    Returns:
        The report. A file that cannot be read gets a report with the finding ``unreadable``; nothing is raised for it.

    Raises:
        TypeError: It cannot be a recording, such as a number or text that was read.
        ValueError: Its samples or its file object cannot be used; see `Recording`.
        EngineMissing, BadSpeakerModel: The speaker model of the profile cannot be used.
    """
    analysis = analyze(
        recording,
        role=role,
        prompt_text=prompt_text,
        quick=quick,
        profile=profile,
        on_progress=on_progress,
    )
    return report_of(analysis, profile)


def analyze(
    recording: Recording,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    quick: bool = False,
    to_end: bool = False,
    pictures: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Analysis:
    """Decode and measure a recording once; `check` without the rules.

    Args:
        recording: As in `check`.
        role: As in `check`.
        prompt_text: As in `check`.
        quick: As in `check`.
        to_end: Measure all of a recording that is too long, to choose what to keep of it; else it is judged by the part
            that `fix` would keep.
        pictures: Keep what can be drawn, too: see `preflight.analysis.pictures`.
        profile: Where it does not reject a recording for its length, all of a long one is measured; it also decides
            whether voices are compared.
        on_progress: As in `check`; not called when `quick`.

    Returns:
        The analysis. Its `problem` says why a file could not be read.

    Raises:
        EngineMissing, BadSpeakerModel: As in `check`.
    """
    method: Method = "headers" if quick else "decoded"
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(as_path(recording))
        known = Analysis(name=display_name(path), role=role, prompt_text=prompt_text, method=method)
        try:
            source = stack.enter_context(Source.open(path))
        except CannotOpen as problem:
            return replace(known, problem=problem)
        known = replace(known, name=source.name, suffix=source.suffix, size=source.size)
        try:
            if quick and (facts := probe_plain_wav(source)):
                return replace(known, probe=facts)
            if not quick and not source.size:
                known = replace(known, sha256=source.sha256())
                raise empty_file()
            job = Job(
                name=source.name,
                suffix=source.suffix,
                headers_only=quick,
                measure_s=None if to_end or role == "recording" else _measured_s(profile),
                judge_part=not to_end and role == "recording" and profile.severity("too-long") == "error",
                pictures=pictures,
                speakers=profile.compares_voices,
            )
            chosen = profile.speaker_model if job.speakers and not quick else None
            model = None if chosen is None else stack.enter_context(chosen.open())
            if not is_possible():
                from preflight.worker.worker import run_job

                known = replace(known, sha256=None if quick else source.sha256())
                return _completed(known, run_job(source, job, on_progress, _encoder(model)), source)
            for is_fresh in (False, True):
                try:
                    with acquire(fresh=is_fresh) as process:
                        process.submit(job, source, model)
                        if not quick and known.sha256 is None:  # hashed while the worker decodes
                            known = replace(known, sha256=source.sha256(on_block=require_wanted))
                        return _completed(known, process.result(on_progress), source)
                except DecoderFailed as error:
                    if is_fresh or not error.retry_with_fresh_worker:
                        raise
            raise AssertionError("the second attempt returns or raises")
        except (CannotOpen, NotARecording, NotExamined) as error:
            return replace(known, problem=_explained(error, source))


def _encoder(model: Source | None) -> Encoder | None:
    if model is None:
        return None
    from preflight.analysis.speakers.onnx_encoder import OnnxEncoder

    return OnnxEncoder(model.read_at(0, model.size))


def _completed(known: Analysis, found: Analysis, source: Source) -> Analysis:
    """`found` with what only the caller knows.

    Raises:
        CannotOpen: The file was written to meanwhile.
    """
    if known.method == "decoded":
        source.require_unchanged()
    return replace(
        found,
        name=known.name,
        suffix=known.suffix,
        size=known.size,
        sha256=known.sha256,
        role=known.role,
        prompt_text=known.prompt_text,
        method=known.method,
    )


def _measured_s(profile: Profile) -> float | None:
    """How many seconds of a prompt clip to measure: all, or at most the maximum of a recording if it is too long."""
    return limits.MAX_DURATION_S if profile.severity("prompt-too-long") == "error" else None


_OTHER_FILES: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\3\4": "ZIP",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "XZ",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"%PDF-": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"MThd": "MIDI",
}
"""The first bytes of files that are taken for recordings."""


def _explained(error: PreflightError, source: Source) -> PreflightError:
    """Explain what the file seems to be instead, if its first bytes show that."""
    if type(error) is not NotARecording or not source.size:
        return error
    start = source.read_at(0, 512)
    kind = next((kind for magic, kind in _OTHER_FILES.items() if start.startswith(magic)), "")
    is_frame = source.read_at(leading_tags(source), 1) == b"\xff"
    is_page = start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))
    seen = (
        (is_page, "it is a web page, not a recording", "download the file itself, after signing in if necessary"),
        (bool(kind), f"it is a {kind} file, not a recording", "unpack it, or choose another file"),
        (not start.strip(b"\0"), "it starts with zeros, as after an incomplete download", "copy or download it again"),
        (_is_text(start), "it is a text file, not a recording", "choose another file"),
        (
            start[:3] == b"ID3" and not is_frame,
            "it holds an ID3 tag, but no audio after it",
            "copy it again from where it came",
        ),
        (
            start[4:8] == b"ftyp",
            "it is an M4A/MP4 whose index (moov) is missing or broken, as in a recording that was never finished",
            "copy it again, or recover it with the program that recorded it",
        ),
        (
            start[:4] == b"RIFF" and start[8:12] == b"WAVE",
            "it is a WAV whose header is broken",
            "export it again from the program that recorded it",
        ),
    )
    return next((NotARecording(message, hint) for is_seen, message, hint in seen if is_seen), error)


def _not_checked(analysis: Analysis, profile: Profile) -> tuple[str, ...]:
    is_asked = profile.severity(_NEEDS_VOICES) != "off"
    return (_NEEDS_VOICES,) if is_asked and analysis.is_measured and analysis.voices is None else ()


def _is_text(start: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # the last character may be incomplete
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text.removeprefix("\ufeff"))


def report_of(analysis: Analysis, profile: Profile = DEFAULT) -> Report:
    """Judge an analysis by the rules of `profile`."""
    facts, seconds = analysis.probe, analysis.duration_s
    rate = facts.bit_rate_bps if facts else None
    if facts and rate is None and seconds:
        rate = round(analysis.size * 8 / seconds)
    findings = profile.findings(analysis)
    report = Report(
        path=analysis.name,
        role=analysis.role,
        verdict=verdict_of(findings),
        quality=worst_quality(findings) if analysis.can_be_judged else None,
        method=analysis.method,
        file=FileFacts(
            container=facts.container if facts else "",
            codec=facts.codec if facts else "",
            bytes=analysis.size,
            duration_s=None if seconds is None else round(seconds, 6),
            sample_rate_hz=facts.sample_rate_hz if facts else 0,
            channels=facts.channels if facts else 0,
            bit_rate_bps=rate,
            sha256=analysis.sha256,
            audio_tracks=facts.audio_tracks if facts else 1,
            audio_track=facts.audio_track + 1 if facts else 1,
        ),
        measurements=analysis.measurements,
        judged=analysis.judged,
        speech=analysis.speech,
        findings=findings,
        not_checked=_not_checked(analysis, profile),
    )
    if analysis.method == "headers" or report.verdict != "fixable":
        return report
    from preflight.fixes.plan import mark_impossible_fixes

    return mark_impossible_fixes(analysis, report)
