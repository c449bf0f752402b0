"""Write a report of an unexpected exception to a file that users can attach to an issue."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path


def write_bug_report(error: BaseException) -> str:
    """Write the stack of an exception to a temporary file; return what the user can do with it.

    The report has no messages and no values, because they may contain keys, URLs or names: only versions, the type of
    the exception, and the lines of code in the stack.
    """
    from onetake import __version__

    lines = [f"onetake {__version__}, Python {sys.version.split()[0]}, {sys.platform}", type(error).__name__]
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}: {frame.line}")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="onetake-bug-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write("\n".join(lines) + "\n")
    except OSError:
        return "please report it: " + " / ".join(lines[-2:])
    return f"please report it with {log.name}"
