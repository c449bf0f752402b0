"""Which Python interpreter child processes run, and where they find their modules."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def is_possible() -> bool:
    """Whether there is an interpreter to start: a program that embeds one has none."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def interpreter() -> str:
    """The interpreter to start.

    On Windows `sys.executable` of a virtual environment is a launcher, which would be killed and measured in place of
    the interpreter that it starts.
    """
    return getattr(sys, "_base_executable", sys.executable) if sys.platform == "win32" else sys.executable


def module_path() -> list[str]:
    """Where this process finds its modules, and `preflight` itself, however it was found."""
    entries = [entry for entry in sys.path if entry]
    if "" in sys.path:
        with contextlib.suppress(OSError):  # the working folder was removed, with what was in it
            entries.insert(sys.path.index(""), str(Path.cwd()))
    home = str(Path(__file__).resolve().parents[2])
    return entries if home in entries else [*entries, home]
