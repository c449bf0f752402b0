"""`check`: facts, one decode, findings, verdict."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight.errors import CannotOpen, NotARecording, PreflightError
from preflight.probe import Probe, probe
from preflight.report import FileFacts, Report, Role, verdict_of
from preflight.rules import Decoded, Subject, judge
from preflight.source import PathLike, Source, display_name

if TYPE_CHECKING:
    from preflight.meters.levels import LevelMeter


@dataclass(frozen=True)
class Examination:
    """A report with what was seen on the way, for those who go on to mend the take.

    Attributes:
        report: What `check` returns.
        subject: What the rules were asked about.
        levels: The level over time; None when nothing was decoded.
    """

    report: Report
    subject: Subject
    levels: LevelMeter | None


def check(path: PathLike, *, role: Role = "recording", prompt_text: str | None = None, quick: bool = False) -> Report:
    """Tell what a file is by its content, and whether the clone endpoint would take it.

    Args:
        path: The file.
        role: ``recording`` for `audio_url`, ``prompt`` for the clip of `clone_prompt`.
        prompt_text: The text spoken in a prompt clip.
        quick: Read headers only: no decoding and no SHA-256, and the report's `method` is ``headers``.

    Returns:
        The report. A file that cannot be read gets a report with the finding ``unreadable``; nothing is raised.
    """
    return examine(path, role=role, prompt_text=prompt_text, quick=quick).report


def examine(
    path: PathLike, *, role: Role = "recording", prompt_text: str | None = None, quick: bool = False
) -> Examination:
    """Like `check`, with what was seen on the way."""
    try:
        source = Source.open(path)
    except CannotOpen as problem:
        name = display_name(path)
        return _examination(name, Subject("", 0, role, prompt_text, problem), None, None, quick=quick)
    with source:
        subject, levels, sha256 = _look(source, role, prompt_text, quick=quick)
        return _examination(source.name, subject, levels, sha256, quick=quick)


def _look(
    source: Source, role: Role, prompt_text: str | None, *, quick: bool
) -> tuple[Subject, LevelMeter | None, str | None]:
    sha256 = None
    levels: LevelMeter | None = None
    facts: Probe | None = None
    decoded: Decoded | None = None
    problem: PreflightError | None = None
    try:
        sha256 = None if quick else source.sha256()
        facts = probe(source, quick=quick)
        if not quick and facts.is_plausible and not facts.protected:
            decoded, levels = _decode(source, facts)
    except (CannotOpen, NotARecording) as error:
        problem, facts = _explained(error, source), None
    return Subject(source.suffix, source.size, role, prompt_text, problem, facts, decoded), levels, sha256


def _decode(source: Source, facts: Probe) -> tuple[Decoded, LevelMeter]:
    from preflight.decode import Decoder
    from preflight.meters.levels import LevelMeter

    decoder = Decoder(source, facts)
    levels = LevelMeter(facts.sample_rate_hz, facts.channels)
    for block in decoder.blocks():
        levels.add(block)
    decoded = Decoded(
        duration_s=decoder.duration_s,
        damage=tuple(decoder.damage),
        changes=tuple(decoder.changes),
        stopped=decoder.stopped,
        sample_peak_dbfs=levels.measurements()["sample_peak_dbfs"],
    )
    return decoded, levels


def _explained(error: PreflightError, source: Source) -> PreflightError:
    """Say what the file seems to be instead, where that can be seen at once."""
    if not isinstance(error, NotARecording) or not source.size:
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
    name: str, subject: Subject, levels: LevelMeter | None, sha256: str | None, *, quick: bool
) -> Examination:
    facts = subject.probe
    seconds = subject.duration_s
    rate = facts.bit_rate_bps if facts else None
    if facts and rate is None and seconds:
        rate = round(subject.size * 8 / seconds)
    findings = judge(subject)
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
        ),
        measurements=levels.measurements() if levels and seconds else {},
        findings=findings,
    )
    return Examination(report, subject, levels)
