"""Decode a recording once and measure it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from preflight.analysis.analysis import Analysis
from preflight.analysis.meter_chain import MAX_CHANNELS, MeterChain
from preflight.analysis.numpy_runtime import keep_memory, one_thread
from preflight.analysis.threads import SpeechThread, read_ahead
from preflight.analysis.vad.speech import SpeechMeter
from preflight.media.decoder import Decoder, scale_of
from preflight.media.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from preflight.analysis.vad.speech import SpeechDetector
    from preflight.input.source import Source
    from preflight.media.decoder import Stored
    from preflight.media.probe import Probe

    Progress = Callable[[float, float | None], None]
    """Called with the seconds done, and the seconds of the whole recording as far as they are known."""


def analyze_source(
    source: Source,
    *,
    measure_s: float | None = None,
    pictures: bool = False,
    threads: bool = False,
    on_progress: Progress | None = None,
) -> Analysis:
    """Read the headers of a recording, decode it and measure it, in this process.

    Args:
        source: The open recording.
        measure_s: Seconds after which only levels, channel layout and damage are followed; None for all.
        pictures: Keep what can be drawn, too.
        threads: Decode and detect speech in threads of their own.
        on_progress: Called after each block.

    Returns:
        What the headers say and what was decoded and measured; the headers alone where they describe no sound.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
    """
    facts = probe(source)
    if not facts.has_sound:
        return Analysis(probe=facts)
    decoder = Decoder(source, facts)
    found = measure(
        facts,
        decoder.stored_blocks(),
        measure_s=measure_s,
        pictures=pictures,
        threads=threads,
        on_progress=on_progress,
    )
    return msgspec.structs.replace(
        found,
        decoded_s=decoder.duration_s,
        padded_s=decoder.padded_s,
        damage=decoder.all_damage,
        changes=tuple(decoder.changes),
        stopped=decoder.stopped,
        float_scale=decoder.float_scale or 1.0,
    )


def measure(
    facts: Probe,
    blocks: Iterable[Stored],
    *,
    measure_s: float | None = None,
    pictures: bool = False,
    threads: bool = False,
    on_progress: Progress | None = None,
) -> Analysis:
    """Measure blocks of sound.

    Args:
        facts: The sample rate, the channels and the codec of the blocks.
        blocks: Of shape (frames, channels), see `Decoder.stored_blocks`.
        measure_s: As in `analyze_source`.
        pictures: As in `analyze_source`.
        threads: As in `analyze_source`.
        on_progress: As in `analyze_source`.
    """
    keep_memory()
    with one_thread(), contextlib.ExitStack() as stack:
        detector: SpeechDetector | None = SpeechMeter(facts.sample_rate_hz) if facts.channels <= MAX_CHANNELS else None
        if threads:
            blocks = stack.enter_context(read_ahead(blocks))
            detector = stack.enter_context(SpeechThread(detector)) if detector else None
        meters = MeterChain(facts, detector, measure_s=measure_s, pictures=pictures)
        for block in blocks:
            meters.add(block, scale_of(block))
            if on_progress is not None:
                on_progress(meters.seconds, facts.estimated_duration_s)
        return msgspec.structs.replace(meters.analysis(), probe=facts)
