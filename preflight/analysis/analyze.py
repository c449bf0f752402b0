"""Decode a recording once and measure it, in one thread.

Threads were measured: one for the decoder, one for the meters and one for the detector; and two that share the meters
of each chunk. The second way takes 17 to 40 % more CPU time (two cores that share their execution units, and waits for
the interpreter lock), and is done 7 to 20 % sooner. Many recordings use all cores anyway, with a process each.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from preflight.analysis.analysis import Analysis
from preflight.analysis.meter_chain import MAX_CHANNELS, MeterChain
from preflight.analysis.vad.speech import SpeechMeter
from preflight.media.decoder import Decoder, scale_of
from preflight.media.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from preflight.analysis.speakers.windows import Encoder
    from preflight.input.source import Source
    from preflight.media.decoder import Stored
    from preflight.media.probe import Probe
    from preflight.report import Span

    Progress = Callable[[float, float | None], None]
    """Called with the seconds done, and the seconds of the whole recording as far as they are known."""


_KEPT_BYTES: Final = 8 << 20


def keep_memory() -> None:
    """Let glibc keep the memory of arrays for the next ones: giving it back with each takes a quarter of the time.

    It learns from what is freed: beyond the largest array that a program freed, and twice that much at the end of its
    memory, it gives back (mallopt(3), M_MMAP_THRESHOLD). This one is freed at once, and never touched.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def one_thread() -> AbstractContextManager[object]:
    """Keep linear algebra from spreading over all cores: on small matrices waiting takes longer than working."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited


def analyze_source(
    source: Source,
    *,
    measure_s: float | None = None,
    part: Span | None = None,
    pictures: bool = False,
    speakers: bool = False,
    encoder: Encoder | None = None,
    on_progress: Progress | None = None,
) -> Analysis:
    """Read the headers of a recording, decode it and measure it, in this process.

    Args:
        source: The open recording.
        measure_s: Seconds after which only levels, channel layout and damage are followed; None for all.
        part: The only part to measure, as (start, end) in seconds; all times in the result then count from its start.
        pictures: Keep what can be drawn, too.
        speakers: Embed the voices, too: see `preflight.analysis.speakers`.
        encoder: Embeds them; by default GE2E.
        on_progress: Called after each block.

    Returns:
        What the headers say and what was decoded and measured; the headers alone where they describe no sound.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
        BadSpeakerModel: The encoder cannot be used.
    """
    facts = probe(source)
    if not facts.has_sound:
        return Analysis(probe=facts)
    decoder = Decoder(source, facts)
    blocks = decoder.stored_blocks()
    found = measure(
        facts,
        blocks if part is None else _within(blocks, *(round(at * facts.sample_rate_hz) for at in part)),
        measure_s=measure_s,
        pictures=pictures,
        speakers=speakers,
        encoder=encoder,
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


def _within(blocks: Iterable[Stored], start: int, end: int) -> Iterator[Stored]:
    """Yield the samples from `start` to `end` (exclusive)."""
    at = 0
    for block in blocks:
        if at >= end:
            return
        wanted = block[max(0, start - at) : end - at]
        at += len(block)
        if len(wanted):
            yield wanted


def measure(
    facts: Probe,
    blocks: Iterable[Stored],
    *,
    measure_s: float | None = None,
    pictures: bool = False,
    speakers: bool = False,
    encoder: Encoder | None = None,
    on_progress: Progress | None = None,
) -> Analysis:
    """Measure blocks of sound.

    Args:
        facts: The sample rate, the channels and the codec of the blocks.
        blocks: Of shape (frames, channels), see `Decoder.stored_blocks`.
        measure_s: As in `analyze_source`.
        pictures: As in `analyze_source`.
        speakers: As in `analyze_source`.
        encoder: As in `analyze_source`.
        on_progress: As in `analyze_source`.
    """
    keep_memory()
    with one_thread():
        is_measured = facts.channels <= MAX_CHANNELS
        speech = SpeechMeter(facts.sample_rate_hz, speakers=speakers, encoder=encoder) if is_measured else None
        meters = MeterChain(facts, speech, measure_s=measure_s, pictures=pictures)
        for block in blocks:
            meters.add(block, scale_of(block))
            if on_progress is not None:
                on_progress(meters.seconds, facts.estimated_duration_s)
        return msgspec.structs.replace(meters.analysis(), probe=facts)
