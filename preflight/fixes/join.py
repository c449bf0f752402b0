"""`join`: join short takes of one voice into a recording that is long enough."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec
import numpy as np

from preflight import limits
from preflight.analysis.speakers.voices import Voices, odd_ones
from preflight.checks import analyze, check, report_of
from preflight.display.text import clock, number_beside
from preflight.errors import BadOutput, CannotFix
from preflight.fixes.convert import OVERSHOOT_MARGIN_DB, FixJob, downmix
from preflight.fixes.edit_descriptions import HEADROOM_DBTP
from preflight.fixes.encoding_target import choose_target, downmix_weights
from preflight.fixes.join_parts import Part, arrange, window_of
from preflight.fixes.options import MINIMAL
from preflight.fixes.write import CONTAINERS, is_folder, require_output, write_verified
from preflight.input.recording import PathLike, Recording
from preflight.input.source import Source, display_name
from preflight.input.spool import as_path
from preflight.media.probe import Probe
from preflight.profile import DEFAULT, Profile
from preflight.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from preflight.analysis.analyze import Progress
    from preflight.fixes.encoding_target import Target
    from preflight.fixes.options import Container
    from preflight.media.decoder import Block
    from preflight.report import Span

_MAX_NOISE_DBFS: Final = -60.0
_MAX_ENCODER_RUNS: Final = 4
_NOISE_SEED: Final = 1
"""Constant, so that the same takes always become the same file."""
_FIXED_BY_JOINING: Final = frozenset(
    {
        *("too-short", "too-large", "unsupported-format", "extension-mismatch", "too-many-channels"),
        *("header-mismatch", "above-full-scale"),
    }
)
"""Errors of a take that the result does not have."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `join`.

    Attributes:
        path: The file that was written.
        parts: The takes, in order.
        after: The report of the result.
        warnings: The takes that are given twice, or do not have the voice of the others.
    """

    path: str
    parts: tuple[Part, ...]
    after: Report
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Format:
    """What the takes are converted to: the highest sample rate and word length, and stereo only if all are stereo."""

    sample_rate_hz: int
    channels: int
    bits: int

    @classmethod
    def of(cls, takes: Sequence[FixJob]) -> _Format:
        facts = [take.facts for take in takes]
        return cls(
            min(48_000, max(fact.sample_rate_hz for fact in facts)),
            2 if all(fact.channels == 2 for fact in facts) else 1,
            max(fact.bits or 16 for fact in facts),
        )


def join(
    recordings: Sequence[Recording],
    out: PathLike,
    *,
    force: bool = False,
    profile: Profile = DEFAULT,
    on_progress: Progress | None = None,
) -> Joined:
    """Join takes of one voice, in order, to a recording that is ready to be sent.

    One gain per take makes all equally loud, with true peaks of at most -1 dBTP. Silence at their ends is trimmed to
    pauses of 0.6 s. A take that does not have the voice of the others is a warning.

    Args:
        recordings: Two or more takes, each as in `fix`.
        out: The file to write, ending in .wav, .mp3 or .m4a.
        force: Replace `out` if it exists.
        profile: Severities and thresholds of the rules; those of the service's contract cannot be changed.
        on_progress: As in `fix`: the seconds start again with each take, and when the result is checked.

    Raises:
        TypeError, ValueError: As in `check`.
        BadProfile: The profile changes rules of the service's contract.
        CannotFix: A take cannot be used, or together they are too short or too long.
        BadOutput: `out` has another suffix, is a folder, or is one of the takes.
        OutputExists: `out` exists and `force` is not set.
        CannotWrite: The disk is full, a permission is missing, …; `out` was not created.
    """
    profile.require_contract()
    output = Path(os.fsdecode(out))
    if is_folder(output):
        raise BadOutput("the output is a folder", "choose a file in it")
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(as_path(recording)) for recording in recordings]
        for path in paths:
            require_output(path, output, force=force)
        if len(paths) < 2:
            raise CannotFix("there is only one take to join", "add another take")
        # all before the first byte is written: one bad take stops the whole command
        takes = [_analyzed(path, profile, on_progress) for path in paths]
        joined = _join(takes, output, partial(check, profile=profile, on_progress=on_progress), force=force)
        return msgspec.structs.replace(joined, warnings=(*_repeated(takes), *joined.warnings))


def _repeated(takes: Sequence[FixJob]) -> Iterator[str]:
    """Yield a warning for each take with the same content as an earlier one."""
    paths: dict[str | None, str] = {}
    for path, digest in ((take.report.path, take.report.file.sha256) for take in takes):
        if digest in paths:
            same = "is given twice" if paths[digest] == path else f"has the content of {paths[digest]}"
            yield f"{path} {same}: leave one out"
        paths.setdefault(digest, path)


def _analyzed(path: PathLike, profile: Profile, on_progress: Progress | None) -> FixJob:
    analysis = analyze(path, profile=profile.with_speakers(), on_progress=on_progress)
    report = report_of(analysis, profile)
    errors = [finding for finding in report.errors if finding.rule not in _FIXED_BY_JOINING]
    if (problem := analysis.problem) is not None and problem.hint:
        raise CannotFix(f"{report.path}: {problem.message}", problem.hint)
    if errors:
        raise CannotFix(f"{report.path}: {errors[0].message}", "leave it out, or record it again")
    return FixJob(path, analysis, report, profile, MINIMAL, on_progress)


def _join(takes: list[FixJob], output: Path, verify: Callable[[Path], Report], *, force: bool) -> Joined:
    form = _Format.of(takes)
    parts = arrange(takes, _gains(takes, form.channels))
    seconds = parts[-1].at_s + parts[-1].end_s - parts[-1].start_s
    container = CONTAINERS[output.suffix.lower()]
    _require_length(seconds, limits.MAX_DURATION_S if container == "wav" else limits.WRITE_BELOW_S)
    facts = Probe("wav", "pcm_s16le", form.sample_rate_hz, form.channels, bits=form.bits)
    # gains are computed, so the result has more bits than its sources, and is dithered
    container, target = choose_target(facts, seconds, container, None, is_processed=True)
    produce = partial(_write, takes, parts, container, target, verify)
    parts, after = write_verified(output, container, produce, force=force)
    return Joined(
        path=os.fspath(output),
        parts=parts,
        after=msgspec.structs.replace(after, path=display_name(output)),
        warnings=tuple(_other_voices(takes)),
    )


def _other_voices(takes: Sequence[FixJob]) -> Iterator[str]:
    """Yield a warning for each take that holds several voices, or not the voice of the others."""
    for take in takes:
        for finding in take.report.findings:
            if finding.rule == "several-speakers":
                yield f"{take.report.path}: {finding.message}"
    others = "that of the other take" if len(takes) == 2 else "those of the other takes"
    limit = takes[0].profile.same_voice_cosine
    for at, cosine in odd_ones([take.analysis.voices or Voices() for take in takes], limit).items():
        yield (
            f"{takes[at].report.path}: its voice differs from {others} (likeness {number_beside(cosine, limit, 2)}, "
            f"below {limit:g}): leave it out if another person speaks"
        )


def _require_length(seconds: float, longest: float) -> None:
    if seconds < limits.WRITE_ABOVE_S:
        raise CannotFix(
            f"the takes are {clock(seconds)} long together, below the {clock(limits.WRITE_ABOVE_S)} minimum",
            "add another take",
        )
    if seconds > longest:
        raise CannotFix(
            f"the takes are {clock(seconds)} long together, above the {clock(longest)} maximum", "leave one out"
        )


def _gains(takes: Sequence[FixJob], channels: int) -> list[float]:
    """Return the gains to the median loudness, or to less if a peak would exceed `HEADROOM_DBTP`."""
    measured = [_loudness(take, channels) for take in takes]
    # the median: one very quiet or loud take does not move it
    reachable = [lufs + HEADROOM_DBTP - peak for lufs, peak in measured]
    target = min(float(np.median([lufs for lufs, _ in measured])), *reachable)
    return [round(target - lufs, 2) for lufs, _ in measured]


def _loudness(take: FixJob, channels: int) -> tuple[float, float]:
    """Return integrated loudness and true peak of a take in the channels of the result."""
    from preflight.fixes.dsp import measure_loudness

    with Source.open(take.path) as source:
        found = measure_loudness(_kept(source, take, window_of(take), channels), take.facts.sample_rate_hz)
    if found.lufs is None:
        raise CannotFix(
            f"{take.report.path}: its loudness cannot be measured: it is too quiet or too short", "leave it out"
        )
    return found.lufs, found.dbtp


def _write(
    takes: Sequence[FixJob],
    parts: tuple[Part, ...],
    container: Container,
    target: Target,
    verify: Callable[[Path], Report],
    file: IO[bytes],
    temporary: Path,
) -> tuple[tuple[Part, ...], Report]:
    """Write and verify the result; encode it again at a lower level while it decodes above full scale."""
    from preflight.fixes.encode import encode

    for run in range(_MAX_ENCODER_RUNS):
        file.seek(0)
        file.truncate()
        encode(_timeline(takes, parts, target), target.sample_rate_hz, file, container, target)
        file.flush()
        after = verify(temporary)
        if after.verdict != "ready":
            reasons = "; ".join(finding.message for finding in after.errors)
            raise CannotFix(f"the result would be rejected: {reasons}", "use other takes")
        over_db = after.measurements["sample_peak_dbfs"]
        if over_db <= 0 or run == _MAX_ENCODER_RUNS - 1:
            break
        parts = tuple(
            msgspec.structs.replace(part, gain_db=round(part.gain_db - over_db - OVERSHOOT_MARGIN_DB, 2))
            for part in parts
        )
    return parts, after


def _timeline(takes: Sequence[FixJob], parts: Sequence[Part], target: Target) -> Iterator[Block]:
    """Yield the parts one after another, with noise in the pauses, at the sample rate and channels of the target."""
    from preflight.fixes.dsp import resample
    from preflight.fixes.edit_buffer import amplify, prepend

    position, generator = 0, np.random.default_rng(_NOISE_SEED)
    # digital silence between takes would sound like a dropout, so the pauses get the noise of the quietest take
    noise_dbfs = min(_noise_dbfs(take, part) for take, part in zip(takes, parts, strict=True))
    for take, part in zip(takes, parts, strict=True):
        missing = max(0, round(part.at_s * target.sample_rate_hz) - position)
        # not pydub's WhiteNoise generator: it has no seed, and computes each sample in Python
        noise = generator.standard_normal((missing, target.channels)) * 10 ** (noise_dbfs / 20)
        with Source.open(take.path) as source:
            blocks = amplify(_kept(source, take, (part.start_s, part.end_s), target.channels), part.gain_db)
            # the gain comes first: with true peaks of at most -1 dBTP the resampler has headroom
            blocks = resample(blocks, take.facts.sample_rate_hz, target.sample_rate_hz)
            for block in prepend(noise.astype(np.float32), blocks):
                yield block
                position += len(block)
            take.require_unchanged(source)


def _noise_dbfs(take: FixJob, part: Part) -> float:
    """Return the level of a take's background noise in the result."""
    floor = take.report.measurements.get("noise_floor_dbfs", _MAX_NOISE_DBFS)
    return min(_MAX_NOISE_DBFS, floor + part.gain_db)


def _kept(source: Source, take: FixJob, window: Span, channels: int) -> Iterator[Block]:
    """Decode the part of a take to keep, faded at its ends, in the channels of the result."""
    from preflight.fixes.edit_buffer import cut
    from preflight.media.decoder import Decoder

    blocks = Decoder(source, take.facts).blocks()
    # before the cut: half the channels, half the work
    if channels != take.facts.channels:
        if take.analysis.channels is None:
            raise CannotFix(f"{take.report.path}: it was not decoded", "check it first")
        blocks = downmix(blocks, downmix_weights(take.analysis.channels))
    return cut(blocks, take.facts.sample_rate_hz, window, peak=take.peak, fades=(True, True))
