"""Measure the part of a recording that `fix` would keep: a recording that is too long is judged by that part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from preflight import limits
from preflight.analysis.analyze import analyze_source
from preflight.errors import CannotFix
from preflight.fixes.window import choose_window, trim_silence
from preflight.media.probe import probe

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis
    from preflight.analysis.analyze import Progress
    from preflight.analysis.speakers.windows import Encoder
    from preflight.input.source import Source
    from preflight.report import Span


def analyze_kept_part(
    source: Source,
    *,
    pictures: bool = False,
    speakers: bool = False,
    encoder: Encoder | None = None,
    on_progress: Progress | None = None,
) -> Analysis:
    """Measure a recording; one that is too long for a clone is decoded again, and only the part to keep measured.

    Levels, pauses, channels, damage and pictures are those of the whole recording, everything else is that of the part.

    Args:
        source: The open recording.
        pictures: As in `analyze_source`.
        speakers: As in `analyze_source`; of a recording that is too long, for the part only.
        encoder: As in `analyze_source`.
        on_progress: As in `analyze_source`.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
    """
    # once only: for a short take, the embeddings take more CPU time than everything else
    is_long = speakers and (probe(source).estimated_duration_s or 0.0) > limits.MAX_DURATION_S
    whole = analyze_source(
        source, pictures=pictures, speakers=speakers and not is_long, encoder=encoder, on_progress=on_progress
    )
    part = kept_part(whole)
    if part is None:
        return whole
    found = analyze_source(source, part=part, speakers=speakers, encoder=encoder, on_progress=on_progress)
    return replace(
        whole,
        judged=part,
        measured_s=found.measured_s,
        measurements=found.measurements,
        voices=found.voices.moved(part[0]) if found.voices is not None else None,
        **{
            name: _moved(getattr(found, name), part[0])
            for name in ("speech", "clipped", "dropouts", "clicks", "splices", "plosives")
        },
    )


def kept_part(analysis: Analysis) -> Span | None:
    """Return the part that `fix` keeps of a recording that is too long, in seconds; None where it keeps all or none."""
    seconds = analysis.duration_s or 0.0
    if seconds <= limits.MAX_DURATION_S or analysis.stopped or not analysis.is_measured:
        return None
    try:
        window = choose_window(analysis, limits.WRITE_BELOW_S, "best", is_damaged=bool(analysis.damage))
    except CannotFix:
        return None
    return trim_silence(analysis.pauses, window, seconds)


def _moved(spans: tuple[Span, ...], by_s: float) -> tuple[Span, ...]:
    return tuple((start + by_s, end + by_s) for start, end in spans)
