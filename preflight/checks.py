"""`check`: facts, one decode, findings, verdict."""

from __future__ import annotations

import codecs
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from preflight import limits
from preflight.errors import CannotOpen, DecoderFailed, NotARecording, NotExamined, PreflightError
from preflight.input.as_path import as_path
from preflight.input.source import Source, display_name
from preflight.profile import DEFAULT, Profile
from preflight.report import FileFacts, Report, Role, verdict_of
from preflight.rules import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.analysis.analysis import Decoded
    from preflight.analysis.analyze import Progress
    from preflight.analysis.decode_session import Pass
    from preflight.analysis.meters.levels import LevelMeter
    from preflight.analysis.pictures import Pictures
    from preflight.input.types import Recording
    from preflight.media.probe import Probe

T = TypeVar("T")


@dataclass(frozen=True)
class Examination:
    """A report with what was seen on the way, for those who go on to mend the take.

    Attributes:
        report: What `check` returns.
        subject: What the rules were asked about.
        levels: The level over time; None when nothing was decoded, or in another process.
        profile: By which the rules judged.
    """

    report: Report
    subject: Subject
    levels: LevelMeter | None
    profile: Profile

    @property
    def pictures(self) -> Pictures | None:
        """What can be drawn; None where nobody asked for it, and where there was no sound."""
        return self.subject.decoded.pictures if self.subject.decoded else None


def check(
    recording: Recording,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    quick: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Report:
    """Tell what a file is by its content, and whether the clone endpoint would take it, and how it sounds.

    The file is decoded by another process, which is kept for the next file: a decoder that crashes, hangs or takes
    too much memory costs one finding, and so does a bug of ours there (``not-examined``).

    Args:
        recording: A path, `bytes`, a binary file object, ``(samples, sample_rate_hz)`` or a `pydub.AudioSegment`; see
            `Recording`.
        role: ``recording`` for `audio_url`, ``prompt`` for the clip of `clone_prompt`.
        prompt_text: The text spoken in a prompt clip.
        quick: Read headers only: no decoding and no SHA-256, and the report's `method` is ``headers``.
        profile: Severities and thresholds of the rules.
        on_progress: Called now and then with the seconds heard, and with the recording's as far as they are known.

    Returns:
        The report. What cannot be read gets a report with the finding ``unreadable``; nothing is raised for it.

    Raises:
        TypeError: It can be no recording, such as a number or text that was read.
        ValueError: Its samples or its file object cannot be used; see `Recording`.
    """
    examination = examine(
        recording, role=role, prompt_text=prompt_text, quick=quick, profile=profile, on_progress=on_progress
    )
    return examination.report


def examine(  # noqa: PLR0913 - each is a question of its own
    recording: Recording,
    *,
    role: Role = "recording",
    prompt_text: str | None = None,
    quick: bool = False,
    whole: bool = False,
    to_its_end: bool = False,
    pictures: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Examination:
    """Like `check`, with what was seen on the way.

    Args:
        recording: As in `check`.
        role: As in `check`.
        prompt_text: As in `check`.
        quick: As in `check`.
        whole: Have the other process measure, too. It takes longer for one file, and less for many at a time.
        to_its_end: Have all of a recording heard that is too long, to choose what to keep of it.
        pictures: Keep what can be drawn, too: see `preflight.analysis.pictures`.
        profile: As in `check`.
        on_progress: As in `check`; not called when `whole` or `quick`.
    """
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(as_path(recording))
        try:
            source = stack.enter_context(Source.open(path))
        except CannotOpen as problem:
            name = display_name(path)
            return _examination(name, Subject("", 0, role, prompt_text, problem), None, None, profile, quick=quick)
        listen_s = None if to_its_end else _listening_time(role, profile)
        seen = _headers(source) if quick else _sound(_Task(source, listen_s, on_progress, whole, pictures))
        subject = Subject(source.suffix, source.size, role, prompt_text, seen.problem, seen.probe, seen.decoded)
        return _examination(source.name, subject, seen.levels, seen.sha256, profile, quick=quick)


def for_role(examination: Examination, role: Role, prompt_text: str | None) -> Examination:
    """The same take held against the limits of another role: nothing is decoded again."""
    report = examination.report
    subject = replace(examination.subject, role=role, prompt_text=prompt_text)
    is_quick = report.method == "headers"
    return _examination(
        report.path, subject, examination.levels, report.file.sha256, examination.profile, quick=is_quick
    )


def _listening_time(role: Role, profile: Profile) -> float | None:
    """How much is worth listening to: of what is too long in any case, no more than could be kept."""
    rule = "too-long" if role == "recording" else "prompt-too-long"
    return limits.MAX_DURATION_S if profile.severity(rule) == "error" else None


@dataclass(frozen=True)
class _Seen:
    problem: PreflightError | None = None
    probe: Probe | None = None
    decoded: Decoded | None = None
    levels: LevelMeter | None = None
    sha256: str | None = None


def _headers(source: Source) -> _Seen:
    from preflight.media.probe import probe, probe_plain_wav

    try:
        if facts := probe_plain_wav(source):
            return _Seen(probe=facts)
        from preflight.worker.client import headers_apart, is_possible

        if not is_possible():
            return _Seen(probe=probe(source, quick=True))
        return _Seen(probe=_retried(lambda fresh: headers_apart(source, fresh=fresh)))
    except (CannotOpen, NotARecording, NotExamined) as error:
        return _Seen(problem=_explained(error, source))


def _retried(attempt: Callable[[bool], T]) -> T:
    """Make an attempt, and, where a recording before may have harmed the other process, one with a fresh process."""
    try:
        return attempt(False)
    except DecoderFailed as error:
        if not error.retry_with_fresh_worker:
            raise
    return attempt(True)


@dataclass(frozen=True)
class _Task:
    source: Source
    listen_s: float | None
    on_progress: Progress | None
    whole: bool
    pictures: bool


def _sound(task: _Task) -> _Seen:
    from preflight.worker.pool import require_wanted

    source, sha256 = task.source, None
    try:
        sha256 = source.sha256(on_block=require_wanted)
        if not source.size:
            raise NotARecording("the file is empty")
        seen = _retried(lambda fresh: _heard(task, fresh=fresh))
        source.require_unchanged()
    except (CannotOpen, NotARecording, NotExamined) as error:
        return _Seen(problem=_explained(error, source), sha256=sha256)
    return replace(seen, sha256=sha256)


def _heard(task: _Task, *, fresh: bool) -> _Seen:
    from preflight.worker.client import is_possible, measured_apart

    if task.whole and is_possible():
        facts, decoded = measured_apart(task.source, task.listen_s, fresh=fresh, pictures=task.pictures)
        return _Seen(None, facts, decoded)
    with _pass(task.source, fresh=fresh) as sound:
        from preflight.analysis.analyze import listen  # imported while the other process starts and decodes

        facts = sound.probe
        return _Seen(None, facts, *listen(sound, task.listen_s, task.on_progress, pictures=task.pictures))


@contextlib.contextmanager
def _pass(source: Source, *, fresh: bool) -> Iterator[Pass]:
    from preflight.worker.client import is_possible, pass_apart

    if is_possible():
        with pass_apart(source, fresh=fresh) as sound:
            yield sound
    else:
        from preflight.analysis.decode_session import DecodeSession

        yield DecodeSession(source)


def _explained(error: PreflightError, source: Source) -> PreflightError:
    """Say what the file seems to be instead, where that can be seen at once."""
    if type(error) is not NotARecording or not source.size:
        return error
    start = source.read_at(0, 512)
    if _is_text(start):
        return NotARecording("it is a text file, not a recording", "choose another file")
    if start[:3] == b"ID3":
        return NotARecording("it holds an ID3 tag, but no audio behind it", "copy it again from where it came")
    if start[4:8] == b"ftyp":
        message = "it is an M4A/MP4 whose index (moov) is missing or broken, as in a recording that was never finished"
        return NotARecording(message, "copy it again, or recover it with the program that recorded it")
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return NotARecording("it is a WAV whose header is broken", "export it again from the program that recorded it")
    return error


def _is_text(start: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # a character may be cut in two at the end
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text.removeprefix("\ufeff"))


def _examination(
    name: str,
    subject: Subject,
    levels: LevelMeter | None,
    sha256: str | None,
    profile: Profile,
    *,
    quick: bool,
) -> Examination:
    facts = subject.probe
    seconds = subject.duration_s
    rate = facts.bit_rate_bps if facts else None
    if facts and rate is None and seconds:
        rate = round(subject.size * 8 / seconds)
    findings = profile.findings(subject)
    report = Report(
        path=name,
        role=subject.role,
        verdict=verdict_of(findings),
        method="headers" if quick else "decoded",
        file=FileFacts(
            container=facts.container if facts else "",
            codec=facts.codec if facts else "",
            bytes=subject.size,
            duration_s=None if seconds is None else round(seconds, 6),
            sample_rate_hz=facts.sample_rate_hz if facts else 0,
            channels=facts.channels if facts else 0,
            bit_rate_bps=rate,
            sha256=sha256,
            audio_tracks=facts.audio_tracks if facts else 1,
            audio_track=facts.audio_track + 1 if facts else 1,
        ),
        measurements=subject.decoded.measurements if subject.decoded else {},
        speech=subject.heard.speech if subject.heard else (),
        findings=findings,
    )
    examination = Examination(report, subject, levels, profile)
    if quick or report.verdict != "fixable":
        return examination
    from preflight.fixes.fixability import without_impossible_fixes

    return without_impossible_fixes(examination)
