"""Start-up, help, rules, verbosity, and modules of the user with the names of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import onetake as package
from onetake.cli.main import AdvancedOption, root
from preflight import RULES
from tests.onetake.conftest import Say
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES, Services, onetake

GOOD = str(FIXTURES / "good.wav")
IMPORTED = """
import sys
from onetake.cli.main import run
status = run(sys.argv[1:])
print(status, *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def imported_by(*arguments: str) -> set[str]:
    ran = onetake("-c", IMPORTED, *arguments, before=(sys.executable,))
    status, *names = ran.err.splitlines()[-1].split()
    assert status == "0"
    return set(names)


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (
            ("--version",),
            {
                "moonshine_voice",
                "rapidfuzz",
                "numpy",
                "starlette",
                "uvicorn",
                "av",
                "boto3",
                "botocore",
                "requests",
                "soundfile",
                "pydub",
                "msgspec",
            },
        ),
        (("--help",), {"numpy", "av", "boto3", "botocore", "requests", "soundfile", "pydub"}),
        (
            ("config",),
            {"moonshine_voice", "rapidfuzz", "numpy", "av", "boto3", "botocore", "requests", "soundfile", "pydub"},
        ),
        (
            ("check", GOOD),
            {"starlette", "uvicorn", "moonshine_voice", "rapidfuzz", "av", "boto3", "botocore", "requests", "pydub"},
        ),
        (("check", "--schema"), {"numpy", "av", "boto3", "botocore", "requests", "soundfile", "pydub"}),
        (("completion", "zsh"), {"numpy", "av", "boto3", "botocore", "requests", "soundfile", "pydub", "msgspec"}),
        (("check", "--quick", GOOD), {"av", "boto3", "botocore", "requests", "pydub"}),
        (("fix", GOOD, "-o", "out.wav"), {"boto3", "botocore", "requests"}),
    ],
)
def test_no_unneeded_module_is_imported(home: Path, arguments: tuple[str, ...], spared: set[str]) -> None:
    assert imported_by(*arguments) & spared == set()


def test_the_version_is_printed(home: Path) -> None:
    script = Path(sys.executable).parent / "onetake"
    for before in ((str(script),), (sys.executable, "-m", "onetake")):
        assert onetake("--version", before=before).out == f"onetake {package.__version__}\n"


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand."""
    found: list[tuple[str, ...]] = []
    for name in root.list_commands(click.Context(root)):
        command = root.get_command(click.Context(root), name)
        inner = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
        found += [(name,), *((name, part) for part in inner)]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_fits_a_terminal_and_has_an_example(say: Say, command: tuple[str, ...]) -> None:
    ran = say(*command, "--help")
    lines = ran.out.splitlines()
    assert ran.status == 0
    assert len(lines) <= 23  # and the next prompt is the 24th
    assert max(len(line) for line in lines) <= 80
    assert f"onetake {' '.join(command)}" in ran.out.partition("Example: ")[2]
    assert "-q, -v, --no-color" in ran.out
    assert "..." not in ran.out.partition("Commands:")[2]  # click cuts long texts of subcommands
    assert command[0] in say("--help").out


def test_help_all_shows_every_option(say: Say) -> None:
    hidden = 0
    for names in commands():
        command: click.Command | None = root
        for name in names:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), name)
        assert command is not None
        usual = say(*names, "--help").out
        options = [param.opts[0] for param in command.params if isinstance(param, AdvancedOption)]
        assert not any(f" {option} " in usual for option in options)
        if options:
            every = say(*names, "--help-all").out
            assert all(f"  {option}" in every for option in options)
            assert "Example: " in every
        hidden += len(options)
    assert hidden > 30


def test_every_rule_is_explained(say: Say) -> None:
    listed = say("rule").out.splitlines()
    assert [line.split()[0] for line in listed] == list(RULES)
    for name in RULES:
        ran = say("rule", name)
        assert ran.status == 0
        title, *rest = ran.out.splitlines()
        assert title.startswith(f"{name} (")
        assert [line.split(":")[0] for line in rest if line[:1].isupper()] == ["What", "Why", "Source", "Fix"]
    unknown = say("rule", "nonesuch")
    assert unknown.status == 2
    assert "too-short" in unknown.err


@pytest.fixture
def crowded(home: Path) -> Path:
    """A working folder with modules that have the names of ours."""
    trap = "raise SystemExit('the module of the user was imported')\n"
    for name in ("client", "preflight", "onetake_settings", "errors", "settings"):
        Path(f"{name}.py").write_text(trap)
    Path("uploader").mkdir()
    Path("uploader/__init__.py").write_text(trap)
    shutil.copy(GOOD, "take.wav")
    return Path.cwd()


@parametrize_some("path", [None, ".", "", "nowhere:."], fast=1)
@pytest.mark.parametrize("as_module", [True, False])
def test_modules_of_the_same_names_in_the_working_folder_are_not_imported(
    crowded: Path, path: str | None, *, as_module: bool
) -> None:
    before = (sys.executable, "-m", "onetake") if as_module else (str(Path(sys.executable).parent / "onetake"),)
    env = {} if path is None else {"PYTHONPATH": path}
    ran = onetake("clone", "take.wav", "--dry-run", "--sandbox", "--json", before=before, env=env)
    assert ran.status == 0, ran.err


@pytest.mark.slow
def test_the_sandbox_does_not_import_them_either(crowded: Path) -> None:
    ran = onetake("clone", "take.wav", "--sandbox", "--json", env={"PYTHONPATH": "."})
    assert ran.status == 0, ran.err
    assert json.loads(ran.out)["voice_id"]


def test_without_seaweedfs_the_extra_to_install_is_named(home: Path, tmp_path: Path) -> None:
    """An interpreter whose folder has no `weed`, and a PATH without one."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", bare], check=True)
    paths = subprocess.run(
        [sys.executable, "-c", "import sys; print(':'.join(path for path in sys.path if path))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": paths}
    ran = onetake("clone", GOOD, "--sandbox", "--json", before=(str(bare / "bin/python"), "-m", "onetake"), env=env)
    error = json.loads(ran.out)["error"]
    assert (ran.status, error["kind"]) == (2, "sandbox-unavailable")
    assert "onetake[sandbox]" in error["hint"]


@pytest.mark.skipif(sys.platform != "linux", reason="how many files Python itself needs")
def test_a_low_limit_of_open_files_is_named(home: Path) -> None:
    limited = ("sh", "-c", 'ulimit -n 8; exec "$0" -m onetake "$@"', sys.executable)
    ran = onetake("check", GOOD, before=limited)
    assert (ran.status, "too many open files" in ran.err) == (2, True)
    assert "allow more open files: ulimit -n 1024" in ran.err


def test_quiet_and_verbose(say: Say) -> None:
    short = str(FIXTURES / "too-short.wav")
    assert say("check", GOOD, "-q").out == ""
    alone = say("check", short, "--speakers").out
    assert say("-q", "check", GOOD, short).out == alone
    assert say("check", short, "-q", "--exit-zero").out == alone
    doubtful = ("check", short, "--ignore", "too-short,several-speakers")
    assert "warning" in say(*doubtful).out
    assert say(*doubtful, "-q").out == ""
    assert say(*doubtful, "-q", "--fail-on", "warning").out == say(*doubtful).out
    output = say("check", GOOD, "-v").out
    measured = say("check", GOOD, "--format", "json").out
    assert {line.split()[0] for line in output.splitlines() if line.startswith("    ")} == set(
        json.loads(measured)["takes"][0]["measurements"]
    )
    both = say("check", GOOD, "-q", "-v")
    assert both.status == 2
    assert "contradict" in both.err


@pytest.mark.slow
def test_verbose_prints_requests_without_secrets(say: Say, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services.settings().items():
        monkeypatch.setenv(name, value)
    talkative, usual, silent = (say("clone", GOOD, "--again", *more) for more in (("-v",), (), ("-q",)))
    for line in ("PutObject: 200", "public GET from", "POST 127.0.0.1/v3/minimax-voice-cloning: 200"):
        assert line in talkative.err
        assert line not in usual.err
    assert "X-Amz" not in talkative.err
    assert "PutObject: 200" in say("doctor", "-v").err
    assert say("doctor").err == ""
    assert "upload" in usual.err
    assert silent.err == ""
    assert silent.out.startswith("voice_id  voice_")
