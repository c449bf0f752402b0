"""What the tests see of the machine they run on: the same everywhere."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from types import FrameType
from typing import Final

_KEPT: Final = {"PATH", "PATHEXT", "COMSPEC", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USER", "LOGNAME", "SHELL"}
_KEPT_PREFIXES: Final = ("LD_", "DYLD_", "PYENV_", "PYTEST_", "COVERAGE_", "HYPOTHESIS_")
_HANGUP_IGNORED: Final = "PYTEST_HANGUP_IGNORED"


def clean_environment() -> str:
    """Leave of the environment what programs need to start, and return the new, empty HOME.

    Gone are the user's settings, credentials and proxies, the locale and time zone, what CI systems set, and what
    changes how Python, click or a terminal behaves (PYTHON*, COLUMNS, NO_COLOR, FORCE_COLOR).
    """
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="onetake-tests-home-")
    os.environ.update(
        {
            "HOME": home,
            "LC_ALL": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
            "TERM": "dumb",
            "TZ": "UTC",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    if hasattr(time, "tzset"):
        time.tzset()
    os.umask(0o022)
    return home


def remove_home(home: str) -> None:
    """Remove what `clean_environment` made."""
    shutil.rmtree(home, ignore_errors=True)


def restore_signals() -> None:
    """Let every process that a test starts begin with the default dispositions.

    An ignored signal stays ignored in every child: a shell's background ignores SIGINT, nohup ignores SIGHUP. A handler
    does not: so it is handled here, by doing nothing, where it was ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, _do_nothing)
    if hasattr(signal, "SIGHUP"):
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            os.environ[_HANGUP_IGNORED] = "1"  # for the workers of pytest-xdist, which are such children
        if _HANGUP_IGNORED in os.environ:
            signal.signal(signal.SIGHUP, _do_nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass
