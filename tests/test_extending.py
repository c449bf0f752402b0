"""The patches in docs/extending.md apply to this tree, do what the page shows, and pass the project's own checks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import HANGS_AFTER_S

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
COPIED = ("preflight", "uploader", "client", "onetake", "tests", "docs", "README.md", "pyproject.toml")
RENEW = "see the end of docs/extending.md for how to update it"
ARCHITECTURE = "tests/test_architecture.py::test_files_are_short_documented_and_well_named"
REQUIRED_TESTS = {
    "A rule": (
        f"tests/test_docs.py::test_the_generated_pages_are_up_to_date {ARCHITECTURE}",
        "tests/preflight/test_profile.py -k thresholds_are_data_with_a_source",
    ),
    "A meter": (
        "tests/preflight/worker/test_same_results.py -k 'blocks and good.wav'",
        f"tests/onetake/render/test_json_schema.py {ARCHITECTURE} -k 'documents and words1 or short'",
    ),
    "A storage provider": (
        f"tests/test_docs.py {ARCHITECTURE} -k 'generated or pasted or short'",
        "tests/test_readme.py -k storage_preset",
    ),
    "An output format": (
        f"tests/test_docs.py {ARCHITECTURE} -k 'machine_format or short'",
        "tests/onetake/cli/test_start.py -k 'help_fits and check'",
    ),
}
"""The tests that every rule, meter, provider and format must pass. Each line is one run of pytest in the patched
tree, which fails if it selects no test."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed, which applies the patches"),
]


@dataclass(frozen=True)
class Example:
    """A section of the page: its patch, the files it shows, and its commands with their output."""

    title: str
    patch: str
    files: dict[str, str]
    commands: list[tuple[str, str]]


def examples() -> list[Example]:
    found = []
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
        if "diff" in blocks:
            named = re.search(r"as `(\S+)`:", section)
            files = {named[1]: blocks["toml"]} if named else {}
            commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks["console"], re.MULTILINE)
            found.append(Example(section.splitlines()[0], blocks["diff"], files, commands))
    return found


def test_each_kind_of_extension_has_an_example() -> None:
    assert [example.title for example in examples()] == list(REQUIRED_TESTS)
    assert all(len(example.commands) >= 2 for example in examples())


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `onetake` and `python` use the copy of the tree."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, words in (("python", ""), ("onetake", " -P -m onetake")):
        (bin_folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n', encoding="utf-8")
        (bin_folder / name).chmod(0o755)
    return {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path / "tree"),
        "GIT_CEILING_DIRECTORIES": str(tmp_path),  # git ignores a repository around tmp_path
    }


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.title.replace(" ", "-"))
def test_the_patch_does_what_the_page_shows(example: Example, environment: dict[str, str], tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, tree / name)
    (tree / "fixtures").symlink_to(ROOT / "fixtures")

    def run(command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            shell=True,
            cwd=tree,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=HANGS_AFTER_S,
            check=False,
        )

    applied = run("git apply --whitespace=error -", example.patch)
    assert applied.returncode == 0, f"the patch under {example.title!r} does not apply: {applied.stderr}{RENEW}"
    assert run('python -c "import onetake; print(onetake.__file__)"').stdout == f"{tree}/onetake/__init__.py\n"
    for name, content in example.files.items():
        (tree / name).write_text(content, encoding="utf-8")
    for command, shown in example.commands:
        done = run(command)
        assert masked(done.stdout) == masked(shown), f"{example.title}: $ {command}\n{done.stderr}\n{RENEW}"
    for selection in REQUIRED_TESTS[example.title]:
        done = run(f"python -m pytest -q -p no:cacheprovider {selection}")
        assert done.returncode == 0, f"{example.title}: {selection} fails\n{done.stdout}\n{RENEW}"
    files = " ".join(re.findall(r"^\+\+\+ b/(.*\.py)$", example.patch, re.MULTILINE))
    for style in ("check", "format --check"):
        done = run(f"python -m ruff {style} {files}")
        assert done.returncode == 0, f"{example.title}: {done.stdout}{done.stderr}"


def masked(output: str) -> str:
    """Remove what differs between runs: the time and the number of deselected tests."""
    return re.sub(r"(?:, \d+ deselected)? in [\d.]+s", "", output)
