"""Drawing data of a recording: a few kilobytes, for any duration. `meters.pictures` computes it.

Without numpy: the process that shows a report loads only this.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waveform:
    """The envelope of each channel.

    Attributes:
        column_s: Seconds from one column to the next.
        lows: The lowest sample in each column, for each channel: int16, little-endian; 32767 is full scale.
        highs: The highest sample in each column, likewise.
    """

    column_s: float
    lows: tuple[bytes, ...]
    highs: tuple[bytes, ...]


@dataclass(frozen=True)
class Spectrogram:
    """Level over time and frequency.

    Attributes:
        column_s: Seconds from one column to the next.
        columns: The number of columns.
        levels: One byte per column in each row, the highest frequency first: 255 is the loudest, 0 is `range_db` below.
        low_hz: Lower edge of the lowest row; all rows span the same number of octaves.
        high_hz: Upper edge of the highest row.
        range_db: Decibels from 0 to 255.
    """

    column_s: float
    columns: int
    levels: bytes
    low_hz: float
    high_hz: float
    range_db: float


@dataclass(frozen=True)
class LoudnessTrack:
    """Loudness over time.

    Attributes:
        first_s: The middle of the first column's first window, in seconds.
        column_s: Seconds from one column to the next.
        lufs: The loudest window in each column.
    """

    first_s: float
    column_s: float
    lufs: tuple[float, ...]


@dataclass(frozen=True)
class Pictures:
    """All drawing data.

    Attributes:
        waveform: Of everything that was decoded.
        spectrogram: Of the part that was measured; None where nothing was.
        momentary: Loudness in windows of 400 ms; None where less was measured.
        short_term: Loudness in windows of 3 s; None where less was measured.
    """

    waveform: Waveform
    spectrogram: Spectrogram | None = None
    momentary: LoudnessTrack | None = None
    short_term: LoudnessTrack | None = None
