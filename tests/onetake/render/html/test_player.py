"""Links to audio, by the rules of each system."""

from __future__ import annotations

import ntpath
import posixpath

import pytest

from onetake.render.html.player import link


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/takes/one.wav", "one.wav"),
        ("/takes/a b/c#d?.wav", "a%20b/c%23d%3F.wav"),
        ("/one.wav", "../one.wav"),
        ("/takes/javascript:x.wav", "javascript%3Ax.wav"),
        ("/takes/back\\slash.wav", "back%5Cslash.wav"),
    ],
)
def test_links_on_posix_systems(path: str, url: str) -> None:
    assert link(path, "/takes", posixpath) == url


@pytest.mark.parametrize(
    ("path", "url"),
    [
        (r"C:\takes\one.wav", "one.wav"),
        (r"C:\takes\more\o ne#1.wav", "more/o%20ne%231.wav"),
        (r"C:\other\Größe.wav", "../other/Gr%C3%B6%C3%9Fe.wav"),
        (r"c:\TAKES\one.wav", "one.wav"),
        (r"D:\takes\o ne#1.wav", "file:///D:/takes/o%20ne%231.wav"),
        (r"\\server\share\one.wav", "file://server/share/one.wav"),
    ],
)
def test_links_on_windows(path: str, url: str) -> None:
    assert link(path, r"C:\takes", ntpath) == url
