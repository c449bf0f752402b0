"""Pictures of one recording as inline SVG, with levels as PNG; x is time, stretched to the page."""

from __future__ import annotations

import base64
import struct
import zlib
from array import array
from sys import byteorder
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from onetake.console.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preflight.analysis.pictures import LoudnessTrack, Spectrogram, Waveform
    from preflight.report import Finding, Span

WIDTH: Final = 1000
"""Width of a recording in SVG units."""
_CHANNEL: Final = 200
"""Height of one channel in SVG units."""
_LOUDEST_LUFS: Final = 0
_QUIETEST_LUFS: Final = -60
_TENTHS: Final = 10
_ABOVE_WAVE: Final = 24
_MOST_MARKS: Final = 200
_LEAST_MARK: Final = 2.0
_STOPS: Final = ((10, 10, 28), (48, 18, 92), (132, 32, 107), (212, 72, 66), (250, 155, 40), (252, 250, 190))
"""Palette from silence to the maximum; brightness increases, so that it is readable in grayscale, too."""


def waveform(wave: Waveform, findings: Sequence[Finding], seconds: float, name: str) -> Markup:
    """The waveform of each channel, one below the other, with findings marked."""
    stretch = number(WIDTH * wave.column_s / seconds, 5)
    height = _CHANNEL * len(wave.highs)
    shapes = "".join(
        f'<path class="wave" transform="translate(0 {_CHANNEL * place}) scale({stretch} 1)" d="{_outline(low, high)}"/>'
        for place, (low, high) in enumerate(zip(wave.lows, wave.highs, strict=True))
    )
    label = f"Waveform of {name}, findings marked"
    marks = "".join(_marks(findings, seconds, height))  # behind the wave, and above it where nothing hides them
    return _picture("waveform", height, label, marks + shapes, above=_ABOVE_WAVE)


def speech(spans: Sequence[Span], seconds: float, name: str) -> Markup:
    """Spans with speech."""
    bars = "".join(f'<rect class="talk" {_across(span, seconds)} height="10"/>' for span in spans)
    return _picture("speech", 10, f"Speech in {name}: {len(spans)} spans", bars)


def spectrogram(picture: Spectrogram, seconds: float, name: str) -> Markup:
    """Levels by frequency."""
    width = number(WIDTH * picture.columns * picture.column_s / seconds, 2)
    source = data_url(png(picture.levels, picture.columns))
    image = f'<image width="{width}" height="100" preserveAspectRatio="none" href="{source}"/>'
    label = f"Spectrogram of {name}, {picture.low_hz:.0f} to {picture.high_hz:.0f} Hz"
    return _picture("spectrogram", 100, label, image)


def loudness(
    tracks: tuple[LoudnessTrack | None, LoudnessTrack | None],
    integrated_lufs: float | None,
    seconds: float,
    name: str,
) -> Markup:
    """Momentary and short-term loudness, from -60 to 0 LUFS."""
    parts = [f'<path class="grid" d="M0 {_depth(lufs)}H{WIDTH}"/>' for lufs in range(-50, 0, 10)]
    if integrated_lufs is not None:
        parts.append(f'<path class="integrated" d="M0 {_depth(integrated_lufs)}H{WIDTH}"/>')
    for kind, track in zip(("momentary", "short-term"), tracks, strict=True):
        if track is not None:
            parts.append(f'<path class="{kind}" d="{_line(track, seconds)}"/>')
    height = _TENTHS * (_LOUDEST_LUFS - _QUIETEST_LUFS)
    return _picture("loudness", height, f"Loudness of {name} over time", "".join(parts))


def level(rms_dbfs: float, target_dbfs: tuple[float, float], name: str) -> Markup:
    """The level on a scale from -60 to 0 dBFS RMS, over the range that the profile accepts."""
    low, high, at = (WIDTH - _depth(each) * WIDTH // 600 for each in (*target_dbfs, rms_dbfs))
    parts = f'<rect class="target" x="{low}" width="{max(0, high - low)}" height="20"/>'
    parts += f'<path class="level" d="M{at} 0V20"/>'
    return _picture("gauge", 20, f"Level of {name}: {number(rms_dbfs)} dBFS RMS", parts)


def _picture(kind: str, height: int, label: str, content: str, *, above: int = 0) -> Markup:
    """An SVG element. `content` is generated and holds only numbers; `label` can hold a file name and is escaped."""
    shape = Markup(
        '<svg class="{}" viewBox="0 {} {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    )
    return shape.format(kind, -above, WIDTH, height + above, safe(label), Markup(content))  # noqa: S704


def number(value: float, digits: int = 1) -> str:
    """`value` with at most `digits` decimals, without trailing zeros: ``3``, ``3.5``, ``-0.1``."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _outline(lows: bytes, highs: bytes) -> str:
    """The outline of a channel: along the highest samples and back along the lowest, one unit per column."""
    upper, lower = ([_height(sample) for sample in _samples(side)] for side in (highs, lows))
    if not upper:
        return ""
    there = "".join(_step("1", after - before) for before, after in zip(upper, [*upper[1:], upper[-1]], strict=True))
    lower.reverse()
    back = "".join(_step("-1", after - before) for before, after in zip(lower, [*lower[1:], lower[-1]], strict=True))
    return f"M0 {upper[0]}l{there.lstrip()}V{lower[0]}l{back.lstrip()}z"


def _step(across: str, down: int) -> str:
    lead = across if across.startswith("-") else f" {across}"
    return f"{lead}{down}" if down < 0 else f"{lead} {down}"


def _samples(content: bytes) -> array[int]:
    samples = array("h", content)
    if byteorder == "big":
        samples.byteswap()
    return samples


def _height(sample: int) -> int:
    return round(_CHANNEL / 2 * (1 - sample / 32768))


def _marks(findings: Sequence[Finding], seconds: float, height: int) -> Iterator[str]:
    """Marks of findings, the most severe in front."""
    for finding in reversed(findings):
        for span in _apart(finding.spans, _LEAST_MARK * seconds / WIDTH)[:_MOST_MARKS]:
            place = f'{_across(span, seconds, _LEAST_MARK)} y="{-_ABOVE_WAVE}" height="{height + _ABOVE_WAVE}"'
            yield f'<rect class="mark {finding.severity}" data-at="{number(span[0], 3)}" {place}/>'


def _apart(spans: Sequence[Span], gap_s: float) -> list[Span]:
    """Merge spans that are too close to be distinguished in the picture."""
    kept: list[Span] = []
    for start, end in sorted(spans):
        if kept and start <= kept[-1][1] + gap_s:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]))
        else:
            kept.append((start, end))
    return kept


def _across(span: Span, seconds: float, least: float = 0.0) -> str:
    start, end = (min(WIDTH, WIDTH * time / seconds) for time in span)
    start = min(start, WIDTH - least)
    return f'x="{number(start)}" width="{number(max(least, end - start))}"'


def _depth(lufs: float) -> int:
    """Tenths of a decibel below the top."""
    return round(_TENTHS * (_LOUDEST_LUFS - min(_LOUDEST_LUFS, max(_QUIETEST_LUFS, lufs))))


def _line(track: LoudnessTrack, seconds: float) -> str:
    places = (track.first_s + place * track.column_s for place in range(len(track.lufs)))
    across = (number(WIDTH * place / seconds) for place in places)
    return "M" + "L".join(f"{x} {_depth(lufs)}" for x, lufs in zip(across, track.lufs, strict=True))


def png(levels: bytes, columns: int) -> bytes:
    """Encode rows of one byte per column, top row first, as a PNG with a palette of 256 colors (ISO/IEC 15948)."""
    rows = len(levels) // columns
    lines = b"".join(b"\0" + levels[row * columns : (row + 1) * columns] for row in range(rows))
    # bit depth 8, color type 3 (palette), no interlacing (11.2.2); each row starts with its filter type, 0 (none)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", _palette()), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def data_url(content: bytes) -> str:
    """A PNG as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _palette() -> bytes:
    colors = bytearray()
    for level in range(256):
        position = level / 255 * (len(_STOPS) - 1)
        below = min(int(position), len(_STOPS) - 2)
        for low, high in zip(_STOPS[below], _STOPS[below + 1], strict=True):
            colors.append(round(low + (high - low) * (position - below)))
    return bytes(colors)
