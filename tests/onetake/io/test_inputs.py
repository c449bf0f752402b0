"""Input paths and standard input."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetake.errors import InputFailed, UsageError
from onetake.io.inputs import open_inputs, read_names, recordings_of, store_stdin
from preflight.input.small_text import is_wide
from tests.support.processes import HANGS_AFTER_S
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Ran

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff"), min_size=1).filter(str.strip),
    min_size=1,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("takes/b.wav", "takes/a.mp3", "takes/notes.txt", "empty/notes.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"RIFF")
    return tmp_path


def test_a_folder_is_replaced_by_its_recordings(folder: Path) -> None:
    assert list(recordings_of(["x.wav", "takes"])) == ["x.wav", "takes/a.mp3", "takes/b.wav"]


def test_a_folder_without_recordings_and_a_missing_file_are_kept(folder: Path) -> None:
    assert list(recordings_of(["empty", "missing.wav"])) == ["empty", "missing.wav"]


def test_files_come_before_those_of_the_list(folder: Path) -> None:
    Path("list.txt").write_text("takes\n")
    with open_inputs(["x.wav"], "list.txt") as takes:
        assert takes == ["x.wav", "takes/a.mp3", "takes/b.wav"]


@pytest.mark.parametrize("inputs", [(["-", "-"], None), (["-"], "-")])
def test_standard_input_is_named_once(inputs: tuple[list[str], str | None]) -> None:
    with pytest.raises(UsageError, match="standard input"), open_inputs(*inputs):
        pass


@given(names=NAMES, separator=st.sampled_from(["\n", "\r\n", "\0"]), with_bom=st.booleans())
def test_a_list_is_read_in_every_form(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], separator: str, with_bom: bool
) -> None:
    path = tmp_path_factory.mktemp("list") / "list.txt"
    content = "".join(name + separator for name in names).encode()
    is_lines = separator != "\0"
    path.write_bytes((codecs.BOM_UTF8 if with_bom and is_lines else b"") + content)
    assert read_names(str(path)) == names


@pytest.mark.parametrize("content", [b"", b"\n\n", "a.wav\n".encode("utf-16"), "a.wav\n".encode("utf-32")])
def test_an_empty_list_and_utf_16_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_names(str(path))


GOOD, SHORT = FIXTURES / "good.m4a", FIXTURES / "too-short.wav"
CHECK = (sys.executable, "-m", "onetake", "check")


def fed(content: bytes, *arguments: str | bytes, **more: Any) -> Ran:
    """Run a check with `content` in a pipe; the temporary folder must be empty afterwards."""
    done = subprocess.run(
        [*CHECK, *arguments], input=content, capture_output=True, timeout=HANGS_AFTER_S, check=False, **more
    )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.err
    assert left() == []
    return ran


def left() -> list[Path]:
    return list(Path(os.environ["TMPDIR"]).iterdir())


def takes(ran: Ran) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ran.out)["takes"]
    return found


@parametrize_some("words", [(), ("--quick",)], fast=1)
def test_standard_input_is_checked_like_a_file(home: Path, words: tuple[str, ...]) -> None:
    (piped,) = takes(fed(GOOD.read_bytes(), "-", "--format", "json", *words))
    (on_disk,) = takes(fed(b"", str(GOOD), "--format", "json", *words))
    assert piped["path"] == "<stdin>"
    assert piped == on_disk | {"path": "<stdin>"}


def test_standard_input_can_be_one_of_several_inputs(home: Path) -> None:
    ran = fed(GOOD.read_bytes(), str(SHORT), "-", str(SHORT), "--format", "json", "--jobs", "2")
    assert [take["path"] for take in takes(ran)] == [str(SHORT), "<stdin>", str(SHORT)]
    assert [take["verdict"] for take in takes(ran)] == ["rejected", "ready", "rejected"]


@pytest.mark.parametrize(("content", "rule"), [(b"", "unreadable"), (b"no sound", "unreadable")])
def test_standard_input_that_is_not_a_recording_is_a_finding(home: Path, content: bytes, rule: str) -> None:
    ran = fed(content, "-", "--format", "json")
    assert ran.status == 1
    assert takes(ran)[0]["findings"][0]["rule"] == rule


def test_a_pipe_that_ends_early_is_reported(home: Path) -> None:
    """The writer dies: what was received is checked and reported as truncated."""
    whole = (FIXTURES / "good.wav").read_bytes()
    writer = f"import os, sys; os.write(1, open({str(FIXTURES / 'good.wav')!r}, 'rb').read({len(whole) // 2})); "
    with subprocess.Popen([sys.executable, "-c", writer + "os.kill(os.getpid(), 9)"], stdout=subprocess.PIPE) as dying:
        done = subprocess.run([*CHECK, "-"], stdin=dying.stdout, capture_output=True, text=True, check=False)
    assert "truncated" in done.stdout
    assert left() == []


def test_a_slow_pipe_is_read_to_its_end(home: Path) -> None:
    with subprocess.Popen([*CHECK, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False) as waiting:
        assert waiting.stdin is not None
        content = GOOD.read_bytes()
        for start in range(0, len(content), len(content) // 3):
            waiting.stdin.write(content[start : start + len(content) // 3])
            waiting.stdin.flush()
        out, _ = waiting.communicate(timeout=HANGS_AFTER_S)
    assert out.startswith(b"<stdin>: ready")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stop_removes_the_stored_input(home: Path, number: signal.Signals) -> None:
    with subprocess.Popen([*CHECK, "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdin is not None
        reading.stdin.write(bytes(3_000_000))  # far more than a pipe holds: when it is written, most of it was read
        reading.stdin.flush()
        reading.send_signal(number)
        reading.communicate(timeout=HANGS_AFTER_S)
    assert reading.returncode == (128 + number if number != signal.SIGKILL else -number)
    assert left() == []


def test_an_endless_pipe_is_not_read_beyond_the_limit(home: Path) -> None:
    with (
        endless() as stream,
        pytest.raises(InputFailed, match=r"more than 3.0 MB") as caught,
        store_stdin(stream, 3_000_000),
    ):
        pass
    assert caught.value.hint
    assert left() == []


@contextlib.contextmanager
def endless() -> Iterator[Any]:
    """A real pipe whose writer stops only when it is closed."""
    ending, beginning = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), open(beginning, "wb", buffering=0) as file:  # noqa: PTH123
            while True:
                file.write(bytes(65_536))

    writer = threading.Thread(target=write)
    writer.start()
    with open(ending, "rb") as stream:  # noqa: PTH123
        yield stream
    writer.join(timeout=HANGS_AFTER_S)
    assert not writer.is_alive()


def test_a_full_disk_is_reported(home: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ran = fed(GOOD.read_bytes(), "-", "--format", "json", preexec_fn=limit)
    assert ran.status == 2
    assert json.loads(ran.out)["error"]["kind"] == "input-failed"
    assert "cannot be stored: file too large" in ran.err


def test_unreadable_standard_input_is_reported(home: Path) -> None:
    closed = subprocess.run(["bash", "-c", f"{' '.join(CHECK)} - <&-"], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stdout) == (2, "")
    assert closed.stderr.startswith("onetake: standard input is closed\n")
    for words in (("-", "-"), ("-", "--files-from", "-")):
        ran = fed(b"", *words)
        assert ran.status == 2
        assert "only once" in ran.err


ODD_NAMES = (b"a b.wav", b"\xff\xfe.wav", "ж.wav".encode(), b"-.wav", b"-")


@parametrize_some("after", [b"\n", b"\r\n", b"\0"], fast=1)
@pytest.mark.parametrize("where", ["-", "list.txt", "/dev/fd"])
def test_a_list_of_names_on_standard_input(home: Path, after: bytes, where: str) -> None:
    """Names of any bytes, including the one that means standard input on the command line."""
    names = (*ODD_NAMES, b"line\nbreak.wav") if after == b"\0" else ODD_NAMES
    for name in names:
        Path(os.fsdecode(name)).write_bytes(SHORT.read_bytes())
    content = b"".join(name + after for name in names)
    more: dict[str, Any] = {}
    if where == "/dev/fd":  # what a shell's <(…) passes
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        where, more = f"/dev/fd/{reading}", {"pass_fds": [reading]}
    elif where != "-":
        Path(where).write_bytes(content)
    ran = fed(content, "--quick", "--files-from", where, "--format", "json", str(GOOD), **more)
    expected = [str(GOOD), *(name.decode("utf-8", "backslashreplace") for name in names)]
    assert [take["path"] for take in takes(ran)] == expected
    assert {finding["rule"] for take in takes(ran) for finding in take["findings"]} == {"too-short"}


def test_a_list_can_name_folders(home: Path) -> None:
    Path("takes").mkdir()
    Path("takes/a.m4a").write_bytes(GOOD.read_bytes())
    assert [take["path"] for take in takes(fed(b"takes", "--quick", "--files-from", "-", "--format", "json"))] == [
        "takes/a.m4a"
    ]


@pytest.mark.parametrize(
    ("listed", "content"), [("gone.txt", b""), (".", b""), ("-", b""), ("-", b"\n\n"), ("a\0", b"")]
)
def test_an_empty_list_is_a_usage_error(home: Path, listed: str, content: bytes) -> None:
    if "\0" in listed:
        with pytest.raises(Exception, match="cannot be read"):
            read_names(listed)
        return
    ran = fed(content, "--files-from", listed)
    assert ran.status == 2
    assert len(ran.err.splitlines()) == 2


@pytest.mark.parametrize("after", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_blank_lines_are_skipped(home: Path, after: bytes) -> None:
    content = codecs.BOM_UTF8 + after.join([str(SHORT).encode(), b"  ", b"", b"\t", b" b.wav", b""])
    ran = fed(content, "--files-from", "-", "--format", "json")
    assert [take["path"] for take in takes(ran)] == [str(SHORT), " b.wav"]
    Path("list.txt").write_bytes(b" \0a.wav\0")
    assert read_names("list.txt") == [" ", "a.wav"]


@pytest.mark.parametrize("coding", ["utf-16", "utf-32"])
def test_a_list_in_utf_16_or_utf_32_is_refused(home: Path, coding: str) -> None:
    Path("there.wav").write_bytes(SHORT.read_bytes())
    Path("list.txt").write_text("there.wav\n./there.wav\n", encoding=coding)
    ran = fed(b"", "--files-from", "list.txt")
    assert (ran.status, ran.out) == (2, "")
    assert "list.txt is UTF-16 or UTF-32 text\n  save it as UTF-8" in ran.err


@given(
    names=st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name), min_size=1).filter(
        lambda names: not is_wide(names[0])
    )
)
def test_any_names_are_read_back_from_a_list(names: list[bytes]) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(name + b"\0" for name in names))
        file.flush()
        assert [os.fsencode(name) for name in read_names(file.name)] == names
