"""The hook for pre-commit, and what docs/ci.md says to GitHub, GitLab and Jenkins, run as far as they run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from preflight import recordings_in
from preflight.input.discovery import EXTENSIONS
from tests.support.selection import parametrize_some
from tests.test_readme import ROOT, blocks, newcomer, run

__all__ = ["newcomer"]

Newcomer = tuple[Path, dict[str, str]]
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def snippets() -> list[dict[str, Any]]:
    """The YAML of the page: GitHub's, GitLab's, pre-commit's."""
    return [yaml.load(block, yaml.BaseLoader) for block in blocks("yaml", "docs/ci.md")]


def spoil(folder: Path) -> None:
    shutil.copy(ROOT / "fixtures" / "too-short.wav", folder / "takes")


def steps_of_a_pipeline(name: str) -> tuple[list[str], str | None]:
    """The commands that it runs, and where it looks for the JUnit document."""
    github, gitlab, _ = snippets()
    if name == "github":
        return [step["run"] for step in github["jobs"]["check"]["steps"] if "run" in step], None
    if name == "gitlab":
        return gitlab["recordings"]["script"], gitlab["recordings"]["artifacts"]["reports"]["junit"]
    (pipeline,) = blocks("groovy", "docs/ci.md")
    assert pipeline.count("{") == pipeline.count("}")
    (document,) = re.findall(r"junit '([^']+)'", pipeline)
    return [command.replace(".venv/bin/", "") for command in re.findall(r"sh '([^']+)'", pipeline)], document


@parametrize_some("name", ["github", "gitlab", "jenkins"], fast=1)
@pytest.mark.parametrize("status", [0, 1])
def test_pipeline(name: str, status: int, newcomer: Newcomer) -> None:
    """Its steps, but for those that install what is installed here already."""
    commands, document = steps_of_a_pipeline(name)
    (check,) = (command for command in commands if command.startswith("onetake"))
    assert all(re.match(r"pip install|python3 -m venv", command) for command in commands if command != check)
    if status:
        spoil(newcomer[0])
    done = run(check, *newcomer)
    assert done.returncode == status, done.stderr
    if document is None:
        assert done.stdout.splitlines()[-1].startswith("::notice")
        assert ("::error" in done.stdout) == bool(status)
    else:
        suite = ET.parse(newcomer[0] / document).getroot()[0]
        assert (suite.get("tests"), suite.get("failures")) == (str(2 + status), str(status))


def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    found: dict[str, Any] = only
    return found


def test_the_hook_takes_what_a_folder_s_check_takes() -> None:
    wanted = re.compile(hook()["files"])
    for name in (*(f"a{ending}" for ending in EXTENSIONS), "takes/A.WAV"):
        assert wanted.search(name), name
    for path in (ROOT / "fixtures").iterdir():
        assert bool(wanted.search(path.name)) == (str(path) in set(recordings_in(str(ROOT / "fixtures"))))
    assert not wanted.search("wav")
    assert not wanted.search("a.wav.txt")


def test_the_hook_is_the_one_of_the_page() -> None:
    (repository,) = snippets()[2]["repos"]
    assert [entry["id"] for entry in repository["hooks"]] == [hook()["id"]]
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(HOOKS)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_hook_runs(newcomer: Newcomer) -> None:
    """In a real repository, by pre-commit itself; only the environment is that of the tests instead of a new one."""
    work, environment = newcomer
    (entry,) = snippets()[2]["repos"][0]["hooks"]
    config = {"repos": [{"repo": "local", "hooks": [{**hook(), **entry, "language": "system"}]}]}
    (work / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment["PATH"] += f"{os.pathsep}{os.environ['PATH']}"
    assert run("git init -q . && git add takes .pre-commit-config.yaml", *newcomer).returncode == 0
    command = f"{sys.executable} -m pre_commit run --verbose"
    done = run(command, *newcomer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ready") == 2
    spoil(work)
    assert run("git add takes", *newcomer).returncode == 0
    done = run(command, *newcomer)
    assert done.returncode == 1
    assert "too-short" in done.stdout
