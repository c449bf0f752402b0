"""The man pages are up to date and valid, and show every option."""

from __future__ import annotations

import doctest
import shutil
import subprocess
import sys

import click
import pytest

from onetake.cli.main import COMMANDS, root
from tools import man_pages
from tools.man_pages import FOLDER, pages

NAMES = ("onetake.1", *(f"onetake-{name}.1" for name in COMMANDS))


def lint(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    paths = [str(FOLDER / name) for name in NAMES]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


def test_the_pages_are_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="ascii") for path in FOLDER.iterdir()}
    assert written == pages(), "run python tools/man_pages.py"
    assert set(written) == set(NAMES)


def test_a_page_shows_all_options_of_its_command() -> None:
    parent = click.Context(root, info_name="onetake")
    for name in COMMANDS:
        command = root.get_command(parent, name)
        assert command is not None
        page = pages()[f"onetake-{name}.1"].replace("\\-", "-")
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        options = [param for each in (command, *inner) for param in each.params if isinstance(param, click.Option)]
        assert len(options) >= 3
        for option in options:
            assert all(flag in page for flag in option.opts), (name, option.opts)
            assert option.help, (name, option.opts)


def test_texts_are_escaped() -> None:
    assert doctest.testmod(man_pages) == (0, 1)


def test_groff_accepts_the_pages() -> None:
    assert lint("groff", "-man", "-ww", "-Tutf8", "-z") == []


def test_mandoc_accepts_the_pages() -> None:
    messages = lint("mandoc", "-T", "lint", "-W", "warning")
    # the pages name a version instead of a date: they change only with the command line
    assert [line for line in messages if 'missing date, using ""' not in line] == []


def test_man_renders_a_page() -> None:
    if sys.platform != "linux" or shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("needs man-db and groff")
    done = subprocess.run(["man", "-l", str(FOLDER / "onetake-clone.1")], capture_output=True, text=True, check=False)
    if "minimized" in done.stdout + done.stderr:
        pytest.skip("a container image without manuals")
    assert done.returncode == 0, done.stderr
    assert "onetake-clone - clone the voice" in done.stdout
    assert "--volume-normalization" in done.stdout  # only --help-all shows it
