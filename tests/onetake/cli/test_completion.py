"""Shell completion, in the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onetake.cli.main import COMMANDS
from tests.onetake.cli.test_start import IMPORTED
from tests.onetake.conftest import Say
from tests.support.processes import HANGS_AFTER_S

BIN = Path(sys.executable).parent
SET_UP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'PS1="> "; eval "$(onetake completion bash)"\n'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'PS1="> "; autoload -U compinit; compinit -D -u; eval "$(onetake completion zsh)"\n',
    ),
}


@pytest.fixture(autouse=True)
def found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def completed(words: str, **env: str) -> list[str]:
    """The answer to bash when it completes the last of `words`."""
    asked = {"_ONETAKE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run(
        ["onetake"],
        env={**os.environ, **asked, **env},
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("onetake ch", ["plain,check"]),
        ("onetake ", [f"plain,{name}" for name in COMMANDS]),
        ("onetake check --format ju", ["plain,junit"]),
        ("onetake check --fail-on ", ["plain,error", "plain,poor", "plain,warning"]),
        ("onetake check take", ["file,take"]),
        ("onetake rule too-l", ["plain,too-long", "plain,too-large", "plain,too-loud"]),
        ("onetake voices sett", ["plain,settle"]),
        ("onetake completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
        ("onetake nonesuch ", [f"plain,{name}" for name in COMMANDS]),
        ("onetake check --nonesuch x", ["file,x"]),
    ],
)
def test_completions(words: str, offered: list[str]) -> None:
    assert sorted(completed(words)) == sorted(offered)


def test_completion_imports_no_slow_modules() -> None:
    asked = {"_ONETAKE_COMPLETE": "zsh_complete", "COMP_WORDS": "onetake ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert "plain\ncheck\n" + COMMANDS["check"] in done.stdout
    names = done.stderr.split()
    assert "click" in names
    assert not {"numpy", "boto3", "requests", "av", "soundfile", "msgspec", "rich"} & set(names)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_accepts_its_script(say: Say, shell: str) -> None:
    needs(shell)
    ran = say("completion", shell)
    assert (ran.status, ran.err) == (0, "")
    assert subprocess.run([shell, "-n"], input=ran.out, text=True, capture_output=True, check=False).stderr == ""


@pytest.mark.parametrize("shell", SET_UP)
@pytest.mark.parametrize(("typed", "expected"), [("onetake chec", "check"), ("onetake check --quic", "--quick")])
def test_the_tab_key_completes_in_a_terminal(shell: str, typed: str, expected: str) -> None:
    needs(shell)
    command, set_up = SET_UP[shell]
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, {**os.environ, "TERM": "dumb"})
    try:
        os.write(terminal, set_up.encode() + b"echo ready$((1 + 1))\n")
        read_until(terminal, "ready2")
        os.write(terminal, typed.encode() + b"\t")
        read_until(terminal, expected)
        os.write(terminal, b"\x15exit\n")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def read_until(terminal: int, expected: str) -> None:
    shown, end = "", time.monotonic() + HANGS_AFTER_S
    while expected not in shown:
        assert time.monotonic() < end, f"{expected} was not shown: {shown!r}"
        if select.select([terminal], [], [], 0.5)[0]:
            shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(terminal, 4096).decode(errors="replace"))


def test_fish_completes() -> None:
    needs("fish")
    script = 'onetake completion fish | source; complete -C "onetake chec"; complete -C "onetake check --quic"'
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["check", "--quick"]


def test_an_unknown_shell_is_a_usage_error(say: Say) -> None:
    for words in ((), ("tcsh",)):
        ran = say("completion", *words)
        assert ran.status == 2
        assert "bash" in ran.err
        assert "\\n" not in ran.err
