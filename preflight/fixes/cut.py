"""Keep a window of decoded sound, with short fades where it was cut."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.media.decoder import Block
    from preflight.report import Span

_FADE_MS = 10
"""Enough to keep a cut in noise from clicking, too short to be heard as a fade."""
_FULL_SCALE = 2**31


def keep_window(
    blocks: Iterator[Block], sample_rate_hz: int, window: Span, *, fades: tuple[bool, bool]
) -> Iterator[Block]:
    """Yield the blocks of `window`.

    Args:
        blocks: Float32 arrays of shape (frames, channels).
        sample_rate_hz: Frames a second.
        window: (start, end) in seconds.
        fades: Whether its beginning and its end are faded.
    """
    first, last = (round(moment * sample_rate_hz) for moment in window)
    fade = round(sample_rate_hz * _FADE_MS / 1000)
    head_end, tail_start = first + fade * fades[0], last - fade * fades[1]
    head: list[Block] = []
    tail: list[Block] = []
    position = 0
    for block in blocks:
        for store, start, end in (
            (head, first, head_end),
            (None, head_end, tail_start),
            (tail, tail_start, last),
        ):
            part = block[max(0, start - position) : max(0, end - position)]
            if store is not None:
                store.extend([part] if len(part) else [])
            elif len(part):
                if head:
                    yield _faded(head, sample_rate_hz, fade_in=True)
                    head = []
                yield part
        position += len(block)
        if position >= last:
            break
    if tail:
        yield _faded(tail, sample_rate_hz, fade_in=False)


def _faded(parts: list[Block], sample_rate_hz: int, *, fade_in: bool) -> Block:
    with warnings.catch_warnings():
        # pydub warns at import about a missing ffmpeg command and a deprecated module: no concern of the user's
        warnings.simplefilter("ignore")
        from pydub import AudioSegment

    sound = np.concatenate(parts).astype(np.float64)
    # pydub works on integers: float samples beyond full scale are scaled down for it, and back afterwards
    scale = _FULL_SCALE / max(1.0, float(np.abs(sound).max(initial=0)))
    whole = np.clip(np.rint(sound * scale), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i4")
    segment = AudioSegment(whole.tobytes(), sample_width=4, frame_rate=sample_rate_hz, channels=whole.shape[1])
    segment = segment.fade_in(_FADE_MS) if fade_in else segment.fade_out(_FADE_MS)
    back = np.frombuffer(segment.raw_data, "<i4").reshape(-1, whole.shape[1])
    return np.asarray(back / scale, dtype=np.float32)
