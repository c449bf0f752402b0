"""What can be drawn of a recording, kept while it was heard: a few kilobytes, however long it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waveform:
    """The envelope of each channel.

    Attributes:
        column_s: Seconds of one column.
        lows: Of each channel the lowest sample of each column, int16 in little-endian; 32767 is full scale.
        highs: Of each channel the highest sample of each column, likewise.
    """

    column_s: float
    lows: tuple[bytes, ...]
    highs: tuple[bytes, ...]


@dataclass(frozen=True)
class Spectrogram:
    """Levels by frequency, over time.

    Attributes:
        column_s: Seconds of one column.
        columns: How many there are.
        levels: Rows of one byte a column, the highest frequency first; 0 is `range_db` below the loudest, 255 that.
        low_hz: Lower edge of the lowest row; the rows are equally high in octaves.
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
        first_s: The middle of the window that the first column begins with.
        column_s: Seconds from one column to the next.
        lufs: The loudest window of each column.
    """

    first_s: float
    column_s: float
    lufs: tuple[float, ...]


@dataclass(frozen=True)
class Pictures:
    """Everything that can be drawn.

    Attributes:
        waveform: Of all that was decoded.
        spectrogram: Of what the meters heard; None where they heard nothing.
        momentary: Loudness in windows of 400 ms; None where they heard less.
        short_term: Loudness in windows of 3 s; None where they heard less.
    """

    waveform: Waveform
    spectrogram: Spectrogram | None = None
    momentary: LoudnessTrack | None = None
    short_term: LoudnessTrack | None = None
