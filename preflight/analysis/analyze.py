"""Listen to a recording once, with every meter."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from preflight.analysis.analysis import Decoded
from preflight.analysis.framing import ChunkCutter, Grid
from preflight.analysis.meter_chain import MeterChain
from preflight.analysis.meters.channel_layout import LayoutMeter
from preflight.analysis.meters.levels import LevelMeter
from preflight.analysis.numpy_runtime import keep_memory, one_thread
from preflight.analysis.pauses import pauses_between_speech
from preflight.analysis.picture_meters import PictureMeters
from preflight.media.decoder import scale_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.analysis.decode_session import Pass
    from preflight.analysis.framing import Chunk

    Progress = Callable[[float, float | None], None]

_HEARD_CHANNELS: Final = 2
"""What is told of a mixture of more channels would be told of a recording that does not exist."""
_COARSE_CODECS: Final = frozenset({"pcm_u8", "pcm_alaw", "pcm_mulaw"})


def listen(
    sound: Pass, listen_s: float | None = None, on_progress: Progress | None = None, *, pictures: bool = False
) -> tuple[Decoded | None, LevelMeter | None]:
    """Decode all of it, and give it to the meters.

    Args:
        sound: The recording.
        listen_s: Seconds after which only length, level and damage are followed; None for all.
        on_progress: Called after each block with the seconds heard, and the recording's by its headers.
        pictures: Keep what can be drawn, too.

    Returns:
        What was found, and the level over time; None and None where headers describe no sound that can exist.

    Raises:
        NotARecording: It cannot be decoded.
    """
    facts = sound.probe
    if not facts.has_sound:
        for _ in sound.blocks():
            raise RuntimeError("sound came where there was to be none")
        return None, None
    keep_memory()
    with one_thread():
        is_folded = facts.channels > _HEARD_CHANNELS
        grid = Grid.at(facts.sample_rate_hz, facts.channels)
        levels, layout, rows = LevelMeter(grid), LayoutMeter(grid), ChunkCutter(grid)
        bridge = None if is_folded else MeterChain(grid, sound.ear, coarse=facts.codec in _COARSE_CODECS)
        sketch = PictureMeters(dataclasses.replace(grid, channels=1) if is_folded else grid) if pictures else None

        def take(chunks: Iterator[Chunk]) -> None:
            for chunk in chunks:
                levels.add(chunk)
                layout.add(chunk)
                heard = bridge is not None and (listen_s is None or bridge.seconds < listen_s)
                if bridge is not None and heard:
                    bridge.add(chunk)
                if sketch is not None:
                    sketch.add(chunk.folded() if is_folded else chunk, measured=heard)

        for block in sound.blocks():
            take(rows.add(block, scale_of(block)))
            if on_progress is not None:
                on_progress(levels.seconds, facts.estimated_duration_s)
        take(rows.end())
        drawn = sketch.pictures(bridge.loudness if bridge else None) if sketch else None
        found = bridge.heard(levels) if bridge else None
        pauses = tuple(pauses_between_speech(levels, found.speech if found else ()))
        return Decoded(sound.ending, levels.measurements(), found, drawn, layout.facts(), pauses), levels
