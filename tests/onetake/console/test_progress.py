"""Progress in a pseudo-terminal: rate and time left, no flicker, and no output elsewhere."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from onetake.console.progress import AUDIO, BYTES, TAKES, Progress, Unit, format_seconds
from onetake.sandbox.endpoint import StandInEndpoint
from tests.support.services import FIXTURES, KEY, Services, onetake
from tests.support.terminal import COLOUR, Window

pytestmark = pytest.mark.slow

TAKE = str(FIXTURES / "good.m4a")
DRAWN = re.compile(r"\r([^\r\n\x1b]+)\x1b\[K")
ERASED = "\r\x1b[K"


def drawn(window: Window) -> list[str]:
    """Every status that was drawn."""
    return DRAWN.findall(window.raw)


def has_flickered(window: Window) -> bool:
    """Whether the line was erased without other output in between, or redrawn without a change."""
    parts = re.split(r"(\r[^\r\n]*\x1b\[K)", window.raw)
    pieces = [part for part in parts if part]
    return any((one == ERASED and DRAWN.match(other)) or one == other for one, other in pairwise(pieces))


@pytest.fixture(scope="module")
def two_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of noise that takes a while to check."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    noise = np.random.default_rng(1).integers(-8000, 8000, 8000 * 60, np.int16)
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(120):
            file.write(noise)
    return path


@pytest.fixture
def long_take(home: Path, two_hours: Path) -> str:
    Path("long.wav").symlink_to(two_hours)
    return "long.wav"


@pytest.fixture
def slow(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of a slow service."""
    with StandInEndpoint(KEY, answer_delay_s=0.8) as endpoint:
        for name, value in services.settings(ONETAKE_BASE_URL=endpoint.base_url).items():
            monkeypatch.setenv(name, value)
        yield


@contextmanager
def narrow_line(upstream: str, bytes_a_second: int) -> Iterator[str]:
    """A proxy to the server with a limited rate."""
    target = (urlsplit(upstream).hostname or "", urlsplit(upstream).port or 0)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    ended = threading.Event()

    def relay(source: socket.socket, sink: socket.socket, pause_s: float) -> None:
        try:
            while data := source.recv(16384):
                sink.sendall(data)
                ended.wait(pause_s)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one of them has closed it

    def accept() -> None:
        while not ended.is_set():
            try:
                near, _ = listening.accept()
            except OSError:
                return  # closed below
            far = socket.create_connection(target)
            for source, sink, pause_s in ((near, far, 16384 / bytes_a_second), (far, near, 0.0)):
                threading.Thread(target=relay, args=(source, sink, pause_s), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        ended.set()
        listening.close()


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_a_long_check_shows_rate_and_time_left_and_erases_its_line(long_take: str, columns: int) -> None:
    window = Window(columns).show("check", long_take)
    assert window.status == 1
    statuses = drawn(window)
    rate = r"( {2}\d+x real time)" + ("?" if columns == 60 else "")  # a narrow line has room for a low rate only
    assert any(re.search(rf"of 2:00:00\.0{rate} {{2}}\d+:\d\d left$", status) for status in statuses)
    assert any("of 2:00:00.0" in status for status in statuses)
    assert (columns == 60) != any("[####" in status for status in statuses)
    assert max(map(len, statuses)) < columns
    assert not has_flickered(window)
    assert not any("checking" in line for line in window.frames[-1])
    assert window.bare_lines[0].startswith(f"{long_take}: rejected, and poor: no voice found")


def test_a_batch_shows_how_many_takes_are_cloned(home: Path, slow: None) -> None:
    for number in range(6):
        sound, rate = soundfile.read(FIXTURES / "good.wav")
        soundfile.write(f"take {number}.wav", sound * (1 - number / 50), rate)
    window = Window(80).show("clone", ".", "--yes", "--calls-at-once", "2")
    assert window.status == 0
    statuses = drawn(window)
    pattern = re.compile(r"cloning {2}\[#+-*\] {2}[1-5] of 6 {2}.* a (second|minute) {2}0:0\d left$")
    assert any(map(pattern.match, statuses))
    assert not has_flickered(window)
    assert len([line for line in window.bare_lines if line.startswith("cloned ")]) == 6
    assert not any(line.startswith("cloning") for line in window.frames[-1])
    assert window.bare_lines[-1] == "6 cloned"


def test_an_upload_shows_its_rate_and_the_call_its_duration(home: Path, slow: None, services: Services) -> None:
    speech, rate = soundfile.read(FIXTURES / "good.wav", dtype="int16")
    # the kernel's buffers take the first of it at once
    soundfile.write("take.wav", np.tile(np.repeat(speech, 3), (2, 4)).T, 3 * rate)
    with narrow_line(services.storage.endpoint, 3_000_000) as address:
        window = Window(90).show("clone", "take.wav", ONETAKE_S3_ENDPOINT=address)
    assert window.status == 0
    statuses = drawn(window)
    pattern = re.compile(r"uploading {2}\[#+-+\] {2}\d\.\d of 8\.\d MB {2}\d\.\d MB/s {2}0:0\d left$")
    assert any(map(pattern.match, statuses))
    assert "waiting for the service to clone  0:00" in statuses
    assert not has_flickered(window)
    steps = [line.split()[2] for line in window.bare_lines if re.match(r" +\d+\.\d s ", line)]
    assert steps == ["check", "upload", "verify", "clone", "clean"]


def test_lines_fit_after_the_terminal_was_resized(home: Path, slow: None) -> None:
    for number in range(4):
        sound, rate = soundfile.read(FIXTURES / "good.wav")
        soundfile.write(f"a take with a long name {number}.wav", sound * (1 - number / 50), rate)
    resized: list[int] = []

    def react(window: Window) -> None:
        if not resized and any(line.startswith("cloned ") for line in window.bare_lines):
            window.resize(50)
            resized.append(len(window.raw))

    window = Window(120).show("clone", ".", "--yes", "--calls-at-once", "1", react=react)
    assert window.status == 0
    after = window.raw[resized[0] :]
    later = [COLOUR.sub("", line) for line in re.split(r"[\r\n]+|\x1b\[K", after)]
    assert any(line.startswith("cloning") for line in later)
    assert max(map(len, later[3:])) < 50  # the first may have been written before the signal arrived
    assert window.bare_lines[-1] == "4 cloned"


def test_ctrl_c_erases_the_status_line(long_take: str) -> None:
    pressed: list[bool] = []

    def react(window: Window) -> None:
        if not pressed and "real time" in window.raw:
            window.press_ctrl_c()
            pressed.append(True)

    window = Window(80).show("check", long_take, react=react)
    assert window.status == 130
    assert [line for line in window.frames[-1] if line] == ["onetake: interrupted"]


@pytest.mark.parametrize("how", ["quiet", "dumb", "piped"])
def test_no_progress_when_quiet_dumb_or_piped(long_take: str, how: str) -> None:
    if how == "piped":
        ran = onetake("check", long_take)
        assert ran.err == ""
        assert "\r" not in ran.out
        return
    window = Window(80)
    if how == "quiet":
        window.show("check", long_take, "-q")
    else:
        window.show("check", long_take, TERM="dumb")
    assert window.status == 1
    assert not drawn(window)
    assert "checking" not in window.raw


@given(
    st.sampled_from([TAKES, BYTES, AUDIO]),
    st.floats(0, 1e12),
    st.one_of(st.none(), st.floats(0, 1e12)),
    st.integers(0, 300),
    st.floats(0, 1e7),
)
def test_every_state_is_rendered_in_one_line(
    unit: Unit, done: float, total: float | None, columns: int, ago: float
) -> None:
    progress = Progress("checking", unit)
    progress._started -= ago
    progress.update(done, total)
    text = progress.render(columns)
    assert text.startswith("checking  ")
    assert text.isprintable()
    assert text.isascii()
    if columns >= 120:
        assert len(text) <= 120


def test_durations_are_in_whole_seconds() -> None:
    assert [format_seconds(seconds) for seconds in (0, 0.6, 59.9, 60, 3600, 360_000)] == [
        *("0:00", "0:00", "0:59", "1:00", "1:00:00", "100:00:00"),
    ]
