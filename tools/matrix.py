"""Run tests with the lowest and the newest versions of all dependencies, on each Python, and print a table.

    python tools/matrix.py [--pythons 3.11 3.13] [--versions lowest] [-- TESTS …]

Needs uv. The environments are kept in .venv/matrix. Without TESTS it runs a selection that uses every dependency, those
of the extras included.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14", "3.14t")  # t: free-threaded
SELECTION: Final = (
    *("tests/preflight/media", "tests/preflight/fixes/test_encode.py", "tests/preflight/fixes/test_fix.py"),
    *("tests/preflight/worker/test_worker.py", "tests/preflight/analysis/vad"),
    *("tests/client", "tests/uploader", "tests/onetake/sandbox", "tests/onetake/clones"),
    *("tests/onetake/ledger/test_ledger.py", "tests/onetake/cli/test_fix.py", "tests/onetake/cli/test_prompt.py"),
    *("tests/end_to_end/test_clone.py", "tests/end_to_end/test_voices.py", "tests/test_man_pages.py"),
    *("tests/onetake/studio", "tests/onetake/results", "tests/onetake/cluster", "tests/preflight/prompt"),
    *("tests/onetake/ledger/test_postgres.py", "tests/preflight/display"),
    *("tests/preflight/analysis/speakers/test_onnx_encoder.py", "tests/preflight/test_speaker_model.py"),
)
_PACKAGE: Final = ".[sandbox,studio,parquet,postgres,cluster,onnx]"  # the extra `transcribe` is pinned by the group dev
_COMPILED: Final = (
    "av",
    "cryptography",
    "markupsafe",
    "msgspec",
    "numpy",
    "onnxruntime",
    "psutil",
    "pyarrow",
    "psycopg-binary",
)
_RESOLUTION: Final = {"lowest": "lowest-direct", "newest": "highest"}


def main() -> int:
    """Print a row for each Python and set of versions; return 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pythons", nargs="+", default=PYTHONS)
    parser.add_argument("--versions", nargs="+", choices=tuple(_RESOLUTION), default=tuple(_RESOLUTION))
    parser.add_argument("tests", nargs="*", default=SELECTION)
    options = parser.parse_args()
    print(f"{'Python':8} {'versions':9} {'PyAV':8} result")
    failed = False
    for python in options.pythons:
        for versions in options.versions:
            status, pyav, result = _cell(python, versions, options.tests)
            failed |= status != 0
            print(f"{python:8} {versions:9} {pyav:8} {result}", flush=True)
    return 1 if failed else 0


def _cell(python: str, versions: str, tests: list[str]) -> tuple[int, str, str]:
    """Run one cell: exit status, version of PyAV, the last line of pytest, and which tests failed."""
    folder = ROOT / ".venv" / "matrix" / f"{python}-{versions}"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    env = {**os.environ, "VIRTUAL_ENV": str(folder), "UV_PYTHON_DOWNLOADS": "never"}
    interpreter = str(folder / "bin" / "python")
    of_pyenv = sorted(Path.home().glob(f".pyenv/versions/{python}.*/bin/python"))
    wanted = str(of_pyenv[-1]) if of_pyenv else python
    made = subprocess.run(
        [*uv, "venv", "--allow-existing", "--python", wanted, folder], capture_output=True, check=False
    )
    if made.returncode:
        return 0, "-", "not run: this Python is not installed"
    # the lowest versions that have a wheel for this Python
    wheels = [word for name in _COMPILED for word in ("--only-binary", name)]
    install = [*uv, "pip", "install", "--python", interpreter, *wheels]
    # the tools of the tests first, then what the package needs; --upgrade chooses again what the tools have brought
    for arguments in (["--group", "dev"], ["--resolution", _RESOLUTION[versions], "--editable", _PACKAGE]):
        command = [*install, "--upgrade", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            return 1, "-", f"cannot be installed: {' '.join(done.stderr.split())[:200]}"
    shown = subprocess.run(
        [interpreter, "-c", "import av; print(av.__version__)"], capture_output=True, text=True, check=False
    )
    command = [interpreter, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *tests]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = ran.stdout.strip().splitlines() or ["no output"]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return ran.returncode, shown.stdout.strip(), "\n  ".join((re.sub(r"^=+ | =+$", "", lines[-1]), *failed))


if __name__ == "__main__":
    sys.exit(main())
