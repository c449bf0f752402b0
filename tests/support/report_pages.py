"""A page as a machine reads it, and recordings with malicious names and tags."""

from __future__ import annotations

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from tests.support.services import FIXTURES

HOSTILE = (
    b"<script>document.title='gone'<!--.wav",
    b"<img src=x onerror=alert(1)>.wav",
    b'"\' onfocus=alert(1) autofocus x=".wav',
    b"&lt;b&gt;&amp;#60;.wav",
    b"javascript:alert(1).wav",
    b"a b?c#d%41;e.wav",
    b"new\nline\tand\x07bell.wav",
    "right\u202eto\u2066left\u2028line.wav".encode(),
    b"not\xffutf8.wav",
    b"</title></style></script><svg onload=alert(1)>.wav".replace(b"/", b"\\"),
)
TAG = "<script>alert('tag')</script>\"'>"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def links_of(content: str) -> list[str]:
    """Everything that a browser might fetch or follow."""
    page = Page(content)
    named = ("src", "href", "xlink:href", "action", "data", "poster", "srcset", "formaction", "background", "ping")
    found = [value for _, attributes in page.elements for name, value in attributes.items() if name in named]
    return found + re.findall(r"url\((.*?)\)", content) + re.findall(r"@import[^;]*", content)


def require_self_contained(path: Path) -> list[Path]:
    """Nothing leads away from the page but to recordings on the same disk, which are returned."""
    linked = []
    for link in links_of(path.read_text("utf-8")):
        if not link.startswith(("#", "data:audio/", "data:image/png;base64,")):
            assert re.fullmatch(r"[\w./~%-]+", link, re.ASCII), link
            target = path.parent / os.fsdecode(_unquoted(link))
            assert target.is_file(), link
            linked.append(target)
    return linked


def _unquoted(link: str) -> bytes:
    return os.fsencode(unquote(link, errors="surrogateescape"))


def hostile_takes(folder: Path) -> list[Path]:
    """Recordings whose names mean harm, and one whose tags do."""
    folder.mkdir()
    paths = [Path(os.fsdecode(os.fsencode(folder) + b"/" + name)) for name in HOSTILE]
    for path in paths:
        shutil.copy(FIXTURES / "too-short.wav", path)
    text = b"\x03" + TAG.encode()
    frame = b"TIT2" + len(text).to_bytes(4, "big") + b"\0\0" + text
    head = b"ID3\x04\0\0" + bytes([0, 0, len(frame) >> 7, len(frame) & 127])
    tagged = folder / "tagged.mp3"
    tagged.write_bytes(head + frame + (FIXTURES / "good.mp3").read_bytes())
    return [*paths, tagged]
