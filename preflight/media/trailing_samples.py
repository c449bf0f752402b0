"""Detect samples after the end that a header declares.

A recorder that updates its header only now and then, and then loses power, leaves a valid file that ends early: its
sizes agree with each other, and the later samples follow them. Anything else may follow a recording as well: tags,
images, other files. Samples of speech change little from one to the next; other data does not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from preflight.media.tags import tag_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from preflight.input.source import Source

MIN_S: Final = 1.0
"""Fewer seconds after the declared end are ignored."""
_WINDOWS: Final = 16
_WINDOW_FRAMES: Final = 4096
_MIN_WINDOWS: Final = 2
"""Pauses and breaths are as random as other data, so most of the windows may be."""
_MIN_CORRELATION: Final = 0.5
"""Of each sample with the next one. Voiced speech has 0.8 or more at any rate; compressed data has 0."""
_MAX_SAMPLE: Final = 2.0**40
"""Above integers of 32 bits that are stored as floats."""
_TEXT: Final = bytes((9, 10, 13, *range(32, 127)))
_TEXT_SHARE: Final = 0.9
_OTHER_FILES: Final = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8|RIFF....WEBP|PK\x03\x04|\x1f\x8b\x08", re.DOTALL)
"""The first bytes of images and archives that are appended to recordings: not of other recordings, which are lost."""
_BLOCK_BYTES: Final = 1 << 20
_MAX_FILLER_BLOCKS: Final = 64


def end_of_samples(source: Source, begin: int, end: int, codec: str, frame_bytes: int, rate_hz: int) -> int:
    """Return where the samples end that follow the declared end of a recording; `begin` if none do.

    Args:
        source: The open recording.
        begin: The declared end of the samples.
        end: The offset after the last byte that may belong to a sample.
        codec: FFmpeg's name of the PCM format, such as ``pcm_s16le``.
        frame_bytes: The size of one sample of every channel.
        rate_hz: The sample rate in hertz.

    Raises:
        CannotOpen: Reading failed.
    """
    least = max(frame_bytes, round(MIN_S * rate_hz) * frame_bytes)
    if end - begin < least or not frame_bytes or tag_at(source, begin):
        return begin
    end = without_zeros(source, begin, end)
    return end if end - begin >= least and _are_samples(source, begin, end, codec, frame_bytes) else begin


def without_zeros(source: Source, begin: int, end: int) -> int:
    """Return the end without trailing zeros, as in space that was reserved in advance; `begin` if they exceed 64 MB.

    Raises:
        CannotOpen: Reading failed.
    """
    for _ in range(_MAX_FILLER_BLOCKS):
        start = max(begin, end - _BLOCK_BYTES)
        held = len(source.read_at(start, end - start).rstrip(b"\0"))
        if held or start == begin:
            return start + held
        end = start
    return begin


def is_other_data(source: Source, begin: int, end: int) -> bool:
    """Whether the bytes between two offsets are text, an image or an archive, not lost audio."""
    start = source.read_at(begin, min(_WINDOW_FRAMES, end - begin)).lstrip(b"\0")
    return _OTHER_FILES.match(start) is not None or (start != b"" and _is_text(start))


def _is_text(data: bytes) -> bool:
    return len(data.translate(None, _TEXT)) <= (1 - _TEXT_SHARE) * len(data)


def _are_samples(source: Source, begin: int, end: int, codec: str, frame: int) -> bool:
    """Whether the bytes between two offsets are samples of sound."""
    count, channels = (end - begin) // frame, frame // _sample_bytes(codec)
    step = max(1, count // _WINDOWS)
    size = min(_WINDOW_FRAMES, step) * frame
    windows = (source.read_at(begin + number * step * frame, size) for number in range(_WINDOWS))
    # indented text is correlated as well
    binary = (window for window in windows if not _is_text(window))
    return sum(_is_sound(_samples(window, codec, channels)) for window in binary) >= _MIN_WINDOWS


def _is_sound(samples: NDArray[np.float64]) -> bool:
    """Whether successive samples of any channel are correlated; shape (frames, channels)."""
    import numpy as np

    if len(samples) < 2 or not (np.abs(samples) < _MAX_SAMPLE).all():  # False for NaN as well
        return False
    centered = samples - samples.mean(axis=0)
    power = (centered**2).sum(axis=0)
    # a constant value is filler, not sound
    correlated = (centered[1:] * centered[:-1]).sum(axis=0) > _MIN_CORRELATION * power
    return bool((correlated & (power > 0)).any())


def _sample_bytes(codec: str) -> int:
    return next((bits // 8 for bits in (16, 24, 32, 64) if str(bits) in codec), 1)


def _samples(data: bytes, codec: str, channels: int) -> NDArray[np.float64]:
    """Return samples of any scale that rises with the level, of shape (frames, channels)."""
    import numpy as np

    size = _sample_bytes(codec)
    data = data[: len(data) // (size * channels) * size * channels]
    order = ">" if codec.endswith("be") else "<"
    values: NDArray[Any]
    if codec.startswith("pcm_f"):
        values = np.frombuffer(data, f"{order}f{size}")
    elif size == 1:
        values = _companded(np.frombuffer(data, np.uint8), codec)
    else:  # the upper 16 bits
        pairs = np.frombuffer(data, np.uint8).reshape(-1, size)
        values = np.ascontiguousarray(pairs[:, :2] if order == ">" else pairs[:, -2:]).view(f"{order}i2")
    with np.errstate(invalid="ignore"):  # signaling NaN
        return np.asarray(values.reshape(-1, channels), np.float64)


def _companded(data: NDArray[np.uint8], codec: str) -> NDArray[Any]:
    """Return 8-bit samples; of A-law and µ-law, the sign and the logarithmic size (ITU-T G.711, tables 1 and 2)."""
    import numpy as np

    if codec not in ("pcm_alaw", "pcm_mulaw"):
        return data
    # all bits of µ-law are inverted, and the even bits of A-law
    code = data ^ np.uint8(0xFF if codec == "pcm_mulaw" else 0x55)
    size = (code & 0x7F).astype(np.float64)
    is_positive = (code & 0x80 == 0) if codec == "pcm_mulaw" else (code & 0x80 != 0)
    return np.where(is_positive, size, -size)
