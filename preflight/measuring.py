"""Listen to a recording once, with every meter."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from preflight.decode import scale_of
from preflight.decoded import Decoded, Heard
from preflight.meters.bridge import VoiceBridge, VoiceHeard, WaveBridge
from preflight.meters.grid import Grid, Rows
from preflight.meters.levels import LevelMeter
from preflight.meters.noise import speech_levels

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from preflight.decode import Stored
    from preflight.meters.bridge import WaveHeard
    from preflight.meters.grid import Chunk
    from preflight.passing import Pass
    from preflight.probe import Probe

    Progress = Callable[[float, float | None], None]

_HEARD_CHANNELS = 2
"""What is told of a mixture of more channels would be told of a recording that does not exist."""
_COARSE_CODECS = frozenset({"pcm_u8", "pcm_alaw", "pcm_mulaw"})


def listen(
    sound: Pass, listen_s: float | None = None, on_progress: Progress | None = None
) -> tuple[Decoded | None, LevelMeter | None]:
    """Decode all of it, and give it to the meters.

    Args:
        sound: The recording. Where it brings what the voice was heard to be, that is not done again.
        listen_s: Seconds after which only length, level and damage are followed; None for all.
        on_progress: Called after each block with the seconds heard, and the recording's by its headers.

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
    with one_thread():
        levels = LevelMeter(grid_of(facts))
        wave = Limited(WaveBridge(levels.grid, coarse=facts.codec in _COARSE_CODECS), facts, listen_s)
        voice = None if sound.hears_voice else VoiceListener(facts, listen_s)
        rows = Rows(levels.grid)
        for block in sound.blocks():
            if voice is not None:
                voice.add(block)
            heard = block if facts.channels <= _HEARD_CHANNELS else levels.fold(block)
            for chunk in rows.add(heard, scale_of(heard)):
                levels.add(chunk)
                wave.add(chunk)
            if on_progress is not None:
                on_progress(levels.seconds, facts.estimated_duration_s)
        for chunk in rows.end():
            levels.add(chunk)
            wave.add(chunk)
        voice_heard = sound.voice if voice is None else voice.result()
        return Decoded(sound.ending, levels.measurements(), _heard(levels, wave, voice_heard)), levels


def _heard(levels: LevelMeter, wave: Limited[WaveHeard], voice_heard: VoiceHeard | None) -> Heard | None:
    wave_heard = wave.result()
    if wave_heard is None or voice_heard is None:
        return None
    talk = speech_levels(levels, voice_heard.track, wave.seconds)
    return Heard(
        seconds=wave.seconds,
        measurements={**wave_heard.measurements, **voice_heard.measurements, **talk.measurements},
        speech=talk.speech,
        clipped=wave_heard.clipped,
        dropouts=wave_heard.dropouts,
        clicks=wave_heard.clicks,
    )


def grid_of(facts: Probe) -> Grid:
    """The grid for a recording: what has many channels is folded down to one."""
    return Grid.at(facts.sample_rate_hz, facts.channels if facts.channels <= _HEARD_CHANNELS else 1)


T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class _Bridge(Protocol[T_co]):
    def add(self, chunk: Chunk) -> None: ...

    def result(self) -> T_co: ...


class Limited(Generic[T]):
    """Meters that hear what is worth while: one or two channels, up to a time.

    Args:
        bridge: The meters.
        facts: Of the recording.
        listen_s: They hear no chunk that begins later; None for all.
    """

    def __init__(self, bridge: _Bridge[T], facts: Probe, listen_s: float | None) -> None:
        self._bridge = bridge
        self._rate = facts.sample_rate_hz
        self._until_s = float("inf") if listen_s is None else listen_s
        self._samples = 0
        self._is_able = facts.channels <= _HEARD_CHANNELS

    @property
    def seconds(self) -> float:
        """How much they have heard."""
        return self._samples / self._rate

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        if self._is_able and self.seconds < self._until_s:
            self._samples += chunk.filled
            self._bridge.add(chunk)

    def result(self) -> T | None:
        """What they found; None when they heard nothing."""
        return self._bridge.result() if self._samples else None


class VoiceListener:
    """The meters that listen to the mix of the channels, fed with blocks.

    Args:
        facts: Of the recording.
        listen_s: How much they hear; None for all.
    """

    def __init__(self, facts: Probe, listen_s: float | None) -> None:
        grid = grid_of(facts)
        self._is_able = facts.channels <= _HEARD_CHANNELS
        self._rows = Rows(grid)
        self._voice = Limited(VoiceBridge(grid), facts, listen_s)

    def add(self, block: Stored) -> None:
        """Take the next block of shape (frames, channels)."""
        if self._is_able:
            for chunk in self._rows.add(block, scale_of(block)):
                self._voice.add(chunk)

    def result(self) -> VoiceHeard | None:
        """What they found; None when they heard nothing."""
        for chunk in self._rows.end():
            self._voice.add(chunk)
        return self._voice.result()


def one_thread() -> AbstractContextManager[object]:
    """Keep linear algebra from spreading over all cores: on small matrices waiting takes longer than working."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited
