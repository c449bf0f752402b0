"""Decode, process and encode a take, with enough headroom that no peak is cut off on the way."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from preflight.errors import CannotFix
from preflight.fixes.edits import HEADROOM_DBTP, gain_edit
from preflight.input.source import Source
from preflight.input.types import PathLike

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analyze import Progress
    from preflight.checks import Examination
    from preflight.fixes.options import FixOptions
    from preflight.fixes.plan import Plan
    from preflight.media.decoder import Block, Decoder

_BELOW_FULL_SCALE_DB: Final = -0.01
"""A measured peak below this, rounded to 0.01 dB, is below full scale."""
OVERSHOOT_MARGIN_DB: Final = 0.3
"""An encoder's overshoot changes a little with the level, so the second attempt goes lower than the first asks for."""


@dataclasses.dataclass(frozen=True)
class Take:
    """A take to be fixed.

    Attributes:
        path: Where it can be opened.
        examination: What `check` found, to its end.
        options: What is wanted.
        on_progress: Called as in `fix`.
    """

    path: PathLike
    examination: Examination
    options: FixOptions
    on_progress: Progress | None = None


def convert(source: Source, file: IO[bytes], take: Take, steps: Plan) -> None:
    """Decode `source`, process it as `steps` says, and encode it into `file`.

    Raises:
        CannotFix: The sound is not known, or has no loudness to change.
        OSError: The disk is full or the file cannot be written.
    """
    from preflight.fixes.encode import encode

    facts = take.examination.subject.probe
    if facts is None or steps.target is None:
        raise CannotFix("its sound is not known", "check it first")
    encode(_processed(source, take, steps), facts.sample_rate_hz, file, steps.container, steps.target)


def with_headroom(take: Take, steps: Plan) -> Plan:
    """`steps` with one gain where a peak would be cut off otherwise: integer PCM ends at full scale.

    A lossy encoder and a resampler overshoot, so what they get stays below `HEADROOM_DBTP`. Where the peaks of the
    whole take leave that much, nothing is decoded here.
    """
    facts = take.examination.subject.probe
    if steps.action != "convert" or steps.target is None or facts is None or steps.sound.loudness_lufs is not None:
        return steps
    measured = take.examination.report.measurements
    peak_db = max(measured["sample_peak_dbfs"], measured.get("true_peak_dbtp", -120.0))
    is_lossy = steps.container != "wav"
    if not steps.sound.filters and (
        peak_db <= HEADROOM_DBTP
        if is_lossy
        else _is_integer(facts.codec) or measured["sample_peak_dbfs"] < _BELOW_FULL_SCALE_DB
    ):
        return steps
    from preflight.fixes.dsp import peak_of

    with Source.open(take.path) as source:
        peak = peak_of(_processed(source, take, steps), facts.sample_rate_hz)
    highest = 1 - 2.0 ** (2 - steps.target.bits)
    if peak.dbtp <= HEADROOM_DBTP or not (is_lossy or peak.sample >= highest):
        return steps
    return lowered(steps, HEADROOM_DBTP - peak.dbtp, peak.dbtp)


def lowered(steps: Plan, gain_db: float, peak_db: float) -> Plan:
    """`steps` with so much gain more, for the peak at `peak_db`."""
    gain_db = steps.sound.gain_db + gain_db
    edits = tuple(edit for edit in steps.edits if edit.name != "gain")
    before = edits.index(next(edit for edit in edits if edit.name == "convert"))
    edit = gain_edit(gain_db, peak_db)
    sound = dataclasses.replace(steps.sound, gain_db=gain_db)
    return dataclasses.replace(steps, sound=sound, edits=(*edits[:before], edit, *edits[before:]))


def without_overshoot(steps: Plan, sample_peak_dbfs: float) -> Plan | None:
    """`steps` with a lower level where the encoded result decodes above full scale; None where it does not."""
    if steps.action != "convert" or steps.container == "wav" or sample_peak_dbfs <= 0:
        return None
    return lowered(steps, -sample_peak_dbfs - OVERSHOOT_MARGIN_DB, sample_peak_dbfs)


def _is_integer(codec: str) -> bool:
    return codec.startswith(("pcm_s", "pcm_u", "pcm_alaw", "pcm_mulaw")) or codec in ("flac", "alac")


def _processed(source: Source, take: Take, steps: Plan) -> Iterator[Block]:
    from preflight.fixes.dsp import processed

    facts = take.examination.subject.probe
    if facts is None:
        raise CannotFix("its sound is not known", "check it first")
    begin = steps.window[0] if steps.window else 0.0
    pauses = tuple((start - begin, end - begin) for start, end in steps.sound.pauses)
    sound = dataclasses.replace(steps.sound, pauses=pauses)
    return processed(partial(_kept, source, take, steps), facts.sample_rate_hz, sound)


def _kept(source: Source, take: Take, steps: Plan) -> Iterator[Block]:
    """The part that is kept, in as many channels as are written."""
    from preflight.fixes.cut import keep_window
    from preflight.media.decoder import Decoder

    facts, seconds = take.examination.subject.probe, take.examination.subject.duration_s
    if facts is None or seconds is None or steps.target is None:
        raise CannotFix("its sound is not known", "check it first")
    blocks = _with_progress(Decoder(source, facts), steps.window[1] if steps.window else seconds, take.on_progress)
    if steps.window is not None:
        # its own beginning and end are not faded
        is_cut = steps.window[0] > 0, steps.window[1] < seconds
        blocks = keep_window(blocks, facts.sample_rate_hz, steps.window, fades=is_cut)
    if steps.target.fold is None:
        return blocks
    weights = np.asarray(steps.target.fold, np.float32)
    return ((block @ weights)[:, np.newaxis] for block in blocks)


def _with_progress(decoder: Decoder, seconds: float, on_progress: Progress | None) -> Iterator[Block]:
    for block in decoder.blocks():
        yield block
        if on_progress is not None:
            on_progress(decoder.duration_s, seconds)
