"""What the meters find in sound that is made in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec.structs import replace

from preflight.analysis.analyze import measure
from preflight.media.probe import Probe
from preflight.profile import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

    Sound = NDArray[np.float32]

BLOCK: Final = 48_000


def analysis_of(
    sound: NDArray[Any],
    rate: int,
    *,
    codec: str = "pcm_f32le",
    bit_rate_bps: int | None = None,
    block: int = BLOCK,
    pictures: bool = False,
) -> Analysis:
    """What all meters find in `sound`, (frames,) or (frames, channels), given in blocks of `block` frames."""
    channels = np.atleast_2d(np.asarray(sound, np.float32).T).T
    facts = Probe("wav", codec, rate, channels.shape[1], bit_rate_bps=bit_rate_bps)
    found = measure(facts, _blocks(channels, block), pictures=pictures)
    return replace(found, suffix=".wav", size=1000)


def _blocks(sound: Sound, block: int) -> Iterator[Sound]:
    for start in range(0, len(sound), block):
        yield sound[start : start + block]


def measured(sound: NDArray[Any], rate: int) -> dict[str, float]:
    """Every measurement of `sound`."""
    return analysis_of(sound, rate).measurements


def judged(
    sound: NDArray[Any], rate: int, *, codec: str = "pcm_f32le", bit_rate_bps: int | None = None
) -> tuple[Analysis, dict[str, Finding]]:
    """What the meters find in `sound`, and by its rule what the default profile says of it."""
    analysis = analysis_of(sound, rate, codec=codec, bit_rate_bps=bit_rate_bps)
    return analysis, {finding.rule: finding for finding in DEFAULT.findings(analysis)}


def tone(dbfs: float, seconds: float, rate: int = 48_000, hz: float = 1000.0, phase: float = 0.0) -> Sound:
    """A sine with its peak at `dbfs`; `phase` in degrees."""
    time = np.arange(round(seconds * rate)) / rate
    return np.asarray(10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time + np.radians(phase)), np.float32)


def stereo(sound: Sound) -> Sound:
    """`sound` in both channels."""
    return np.stack((sound, sound), axis=1)
