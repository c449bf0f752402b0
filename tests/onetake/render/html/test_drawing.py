"""The pictures of the page, decoded as PNG and parsed as SVG."""

from __future__ import annotations

import io
import re

import av
import numpy as np
import pytest

from onetake.render.html import drawing
from onetake.render.html.drawing import png
from preflight.analysis.pictures import LoudnessTrack, Waveform
from preflight.report import Finding


def test_a_png_shows_each_level_brighter_than_those_below() -> None:
    levels = bytes(range(256)) * 3 + bytes(256)
    with av.open(io.BytesIO(png(levels, 256)), "r", format="png_pipe") as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    assert frame.shape == (4, 256, 3)
    luminance = frame @ np.array([0.2126, 0.7152, 0.0722])
    assert (luminance[0] == luminance[2]).all()
    assert np.diff(luminance[0]).min() > -0.5
    assert luminance[0, -1] - luminance[0, 0] > 200
    assert (luminance[3] == luminance[0, 0]).all()


@pytest.mark.parametrize("columns", [0, 1, 2, 1200])
def test_a_wave_is_one_closed_line_that_stays_in_its_channel(columns: int) -> None:
    random = np.random.default_rng(columns)
    high = random.integers(0, 32768, columns).astype("<i2")
    low = (-random.integers(0, 32768, columns)).astype("<i2")
    svg = drawing.waveform(Waveform(0.01, (low.tobytes(),), (high.tobytes(),)), (), 12.0, "take")
    (path,) = re.findall(r' d="(.*?)"', svg)
    assert len(path) < 13 * columns + 30
    if not columns:
        assert path == ""
        return
    match = re.fullmatch(r"M0 (\d+)l(.*)V(\d+)l(.*)z", path)
    assert match
    for start, steps, samples in ((match[1], match[2], high), (match[3], match[4], low[::-1])):
        values = [int(value) for value in re.findall(r"-?\d+", steps)]
        assert len(values) == 2 * columns
        assert abs(sum(values[::2])) == columns
        heights = int(start) + np.cumsum([0, *values[1:-2:2]])
        assert heights.tolist() == [round(100 - 100 * int(sample) / 32768) for sample in samples]


def test_marks_too_close_to_distinguish_are_merged_and_stay_inside() -> None:
    spans = (*((start / 100, start / 100 + 0.001) for start in range(100, 300)), (299.9, 320.0))
    finding = Finding(rule="clipped", severity="warning", message="", spans=spans)
    svg = drawing.waveform(Waveform(0.01, (), ()), (finding,), 300.0, "take")
    marks = re.findall(r'data-at="(.*?)" x="(.*?)" width="(.*?)"', svg)
    assert [float(at) for at, _, _ in marks] == [1, 299.9]
    assert all(float(x) + float(width) <= drawing.WIDTH for _, x, width in marks)
    assert all(float(width) >= 2 for _, _, width in marks)


def test_loudness_stays_inside_its_picture() -> None:
    track = LoudnessTrack(0.2, 0.1, (-120.0, -60.0, -23.0, 0.0, 3.0))
    svg = drawing.loudness((track, None), -23.0, 1.0, "take")
    (line,) = re.findall(r'class="momentary" d="M(.*?)"', svg)
    assert [tuple(map(float, point.split())) for point in line.split("L")] == [
        (200, 600),
        (300, 600),
        (400, 230),
        (500, 0),
        (600, 0),
    ]
    assert "short-term" not in svg


def test_the_level_is_on_a_scale_of_its_own() -> None:
    svg = drawing.level(-30.0, (-45.0, -15.0), "take")
    assert 'x="250" width="500"' in svg
    assert 'd="M500 0V20"' in svg
    assert 'd="M0 0V20"' in drawing.level(-90.0, (-45.0, -15.0), "take")


def test_a_name_in_a_label_is_text() -> None:
    svg = drawing.speech(((0.0, 1.0),), 2.0, '"><script>\n')
    assert "<script" not in svg
    assert "&#34;&gt;&lt;script&gt;\\n" in svg
