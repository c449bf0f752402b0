"""Decode a recording, edit and process it, and encode it, with enough headroom that no peak clips."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import IO, TYPE_CHECKING, Final, cast

import numpy as np

from preflight.errors import CannotFix
from preflight.fixes.edit_descriptions import HEADROOM_DBTP, gain_edit
from preflight.input.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.analysis.analyze import Progress
    from preflight.fixes.options import FixOptions
    from preflight.fixes.plan import Plan
    from preflight.input.recording import PathLike
    from preflight.media.decoder import Block, Decoder
    from preflight.media.probe import Probe
    from preflight.profile import Profile
    from preflight.report import Report

_BELOW_FULL_SCALE_DB: Final = -0.01
"""A measured peak is rounded to 0.01 dB; from here down it was below full scale before."""
_PEAK_MARGIN_DB: Final = 0.1
"""Added to the measured peak: it is rounded, and a downmix adds rounding errors."""
OVERSHOOT_MARGIN_DB: Final = 0.3
"""An encoder's overshoot varies a little with the level, so the next attempt goes lower than the last one asks for."""


@dataclasses.dataclass(frozen=True)
class FixJob:
    """A recording to fix.

    Attributes:
        path: Its path.
        analysis: Of the whole recording.
        report: Its report.
        profile: The profile of the report, and of the report of the result.
        options: What is requested.
        on_progress: As in `fix`.
    """

    path: PathLike
    analysis: Analysis
    report: Report
    profile: Profile
    options: FixOptions
    on_progress: Progress | None = None

    @property
    def facts(self) -> Probe:
        """Its format; raises `CannotFix` if that is unknown."""
        if self.analysis.probe is None:
            raise CannotFix("its format is unknown", "check it first")
        return self.analysis.probe

    def require_unchanged(self, source: Source) -> None:
        """Make sure that `source` is what was analyzed: a take that was replaced meanwhile may be another voice.

        Raises:
            CannotFix: Its content is different.
            CannotOpen: Reading failed.
        """
        if source.sha256() != self.report.file.sha256:
            raise CannotFix(
                f"{self.report.path} changed after its check", "wait until it is no longer written to, and try again"
            )

    @property
    def peak(self) -> float:
        """The highest sample of all channels, as a linear level; measured over the whole recording."""
        return float(10 ** ((self.analysis.measurements["sample_peak_dbfs"] + _PEAK_MARGIN_DB) / 20))


def convert(source: Source, file: IO[bytes], job: FixJob, plan: Plan) -> None:
    """Decode `source`, edit and process it by the plan, and encode it into `file`.

    Raises:
        CannotFix: The format is unknown, or the requested loudness cannot be reached.
        OSError: The disk is full or the file cannot be written.
    """
    from preflight.fixes.encode import encode

    if plan.target is None:
        raise ValueError(f"a plan to {plan.action} has no target")
    blocks = _unchanged(source, job) if _is_exact(job, plan) else _processed(source, job, plan)
    encode(blocks, job.facts.sample_rate_hz, file, plan.container, plan.target)


def add_headroom(job: FixJob, plan: Plan) -> Plan:
    """Return the plan with one gain if a peak would clip otherwise.

    Integer PCM ends at full scale; lossy encoders and resamplers overshoot, so their input stays below
    `HEADROOM_DBTP`. The recording is decoded here only if its measured peaks do not leave that much headroom.
    """
    if plan.action != "convert" or plan.target is None or plan.dsp.loudness_lufs is not None:
        return plan
    measured = job.analysis.measurements
    peak_db = max(measured["sample_peak_dbfs"], measured.get("true_peak_dbtp", -120.0))
    is_lossy = plan.container != "wav"
    if is_lossy:
        is_safe = peak_db <= HEADROOM_DBTP
    else:
        limit_db = 0.0 if plan.target.is_float else _BELOW_FULL_SCALE_DB
        is_safe = _is_integer(job.facts.codec) or measured["sample_peak_dbfs"] < limit_db
    if is_safe and not plan.dsp.filters:
        return plan
    from preflight.fixes.dsp import measure_peak

    # after all filters, as the encoder gets it
    with Source.open(job.path) as source:
        peak = measure_peak(_processed(source, job, plan), job.facts.sample_rate_hz)
    # two steps below full scale: dither adds up to one, rounding a half
    max_sample = 1 - 2.0 ** (2 - plan.target.bits)
    if peak.dbtp <= HEADROOM_DBTP or not (is_lossy or peak.sample >= max_sample):
        return plan
    is_found = any(finding.rule == "above-full-scale" for finding in job.report.findings)
    return _lowered(plan, HEADROOM_DBTP - peak.dbtp, peak.dbtp, "above-full-scale" if is_found else "")


def without_overshoot(plan: Plan, sample_peak_dbfs: float) -> Plan | None:
    """Return the plan at a lower level if the encoded result decodes above full scale; None if it does not."""
    if plan.action != "convert" or plan.container == "wav" or sample_peak_dbfs <= 0:
        return None
    return _lowered(plan, -sample_peak_dbfs - OVERSHOOT_MARGIN_DB, sample_peak_dbfs)


def _lowered(plan: Plan, gain_db: float, peak_db: float, rule: str = "") -> Plan:
    """Return the plan with an additional gain, because of a peak at `peak_db`; `rule` is the finding that it fixes."""
    gain_db = plan.dsp.gain_db + gain_db
    # one edit for the sum of all gains
    rule = next((edit.rule for edit in plan.edits if edit.name == "gain"), rule)
    edits = [edit for edit in plan.edits if edit.name != "gain"]
    encoding = next(number for number, edit in enumerate(edits) if edit.name == "convert")
    edits.insert(encoding, gain_edit(gain_db, peak_db, rule))
    return dataclasses.replace(plan, dsp=dataclasses.replace(plan.dsp, gain_db=gain_db), edits=tuple(edits))


def _is_integer(codec: str) -> bool:
    """Return whether a codec decodes to integers, which cannot lie above full scale."""
    return codec.startswith(("pcm_s", "pcm_u", "pcm_alaw", "pcm_mulaw")) or codec in ("flac", "alac")


def _is_exact(job: FixJob, plan: Plan) -> bool:
    """Whether the result has the samples of the recording in a format that float32 does not hold."""
    is_wide = plan.container == "wav" and plan.target is not None and plan.target.bits > 24
    is_whole = plan.window is None and not plan.dsp.pauses
    return is_wide and is_whole and plan.is_lossless and job.analysis.float_scale == 1.0


def _unchanged(source: Source, job: FixJob) -> Iterator[Block]:
    """Decode the recording to its stored samples: 32-bit integers, or 32- or 64-bit floats."""
    from preflight.media.decoder import Decoder

    decoder = Decoder(source, job.facts, exact=True)
    for block in decoder.stored_blocks():
        yield cast("Block", block)
        if job.on_progress is not None:
            job.on_progress(decoder.duration_s, job.analysis.duration_s or 0.0)


def _processed(source: Source, job: FixJob, plan: Plan) -> Iterator[Block]:
    from preflight.fixes.dsp import process

    # pauses are on the time line of the recording; processing starts at the window
    start = plan.window[0] if plan.window else 0.0
    pauses = tuple((begin - start, end - start) for begin, end in plan.dsp.pauses)
    settings = dataclasses.replace(plan.dsp, pauses=pauses)
    return process(partial(_kept, source, job, plan), job.facts.sample_rate_hz, settings, peak=job.peak)


def _kept(source: Source, job: FixJob, plan: Plan) -> Iterator[Block]:
    """Decode the part to keep, in the channels of the result."""
    from preflight.fixes.edit_buffer import cut
    from preflight.media.decoder import Decoder

    seconds = job.analysis.duration_s or 0.0
    blocks = _with_progress(Decoder(source, job.facts), plan.window[1] if plan.window else seconds, job)
    if plan.target is not None and plan.target.downmix is not None:
        blocks = downmix(blocks, plan.target.downmix)
    if plan.window is None:
        return blocks
    # the start and the end of the recording itself are not faded
    fades = plan.window[0] > 0, plan.window[1] < seconds
    return cut(blocks, job.facts.sample_rate_hz, plan.window, peak=job.peak, fades=fades)


def downmix(blocks: Iterator[Block], weights: tuple[float, ...]) -> Iterator[Block]:
    """Mix channels to one, each with its weight."""
    column = np.asarray(weights, np.float32)[:, np.newaxis]
    return (np.asarray(block @ column, np.float32) for block in blocks)


def _with_progress(decoder: Decoder, seconds: float, job: FixJob) -> Iterator[Block]:
    for block in decoder.blocks():
        yield block
        if job.on_progress is not None:
            job.on_progress(decoder.duration_s, seconds)
