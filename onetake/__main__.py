"""The command `onetake`."""

from __future__ import annotations

import os
import sys

from onetake import __version__

_PACKAGES = ("preflight", "uploader", "client", "onetake")


def _prefer_own_packages() -> None:
    """Find our packages even where the user has a `client.py` of their own.

    With ``python -m onetake`` or PYTHONPATH the user's folder comes first on the path. The folder that holds our
    packages is put in front of the first one that holds a stranger of the same name.
    """
    # os.path, because pathlib alone costs 8 ms of the time to start
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for index, entry in enumerate(sys.path):
        folder = os.path.abspath(entry or ".")
        if folder == home:
            return
        strangers = (os.path.join(folder, name) for name in _PACKAGES)
        if any(os.path.isdir(stranger) or os.path.isfile(f"{stranger}.py") for stranger in strangers):
            sys.path.insert(index, home)
            return


def _print_version() -> bool:
    """Answer without the command-line library, which takes three times as long to start as all this."""
    try:
        print(f"onetake {__version__}", flush=True)  # noqa: T201 - nothing else is loaded yet
    except OSError:
        return False  # the ordinary way says what is wrong with standard output
    except KeyboardInterrupt:
        os._exit(130)
    return True


def _install_handlers() -> None:
    """Install the signal handlers; a signal that comes while they are imported waits for them."""
    import _signal  # type: ignore[import-not-found]  # the built-in part; `signal` takes time to load

    numbers = {_signal.SIGINT, _signal.SIGTERM, getattr(_signal, "SIGHUP", _signal.SIGTERM)}
    can_block = hasattr(_signal, "pthread_sigmask")  # not on Windows
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, numbers) if can_block else set()
    from onetake.io.signals import install_handlers

    install_handlers()
    if can_block:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def _prepare_to_measure() -> None:
    """Let what a check needs start beside what the command line needs: together they take a third of a short check."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # more would wait for each other, and start later
    if sys.argv[1:2] == ["check"] and not {"--quick", "--help", "-h", "--schema"} & set(sys.argv):
        from preflight.worker.client import is_possible
        from preflight.worker.pool import prepare

        if is_possible():
            prepare()


def main() -> None:
    """Run the command and exit with its status."""
    if sys.argv[1:] == ["--version"] and _print_version():
        os._exit(0)  # nothing is left to do, and Ctrl-C would print a traceback meanwhile
    _install_handlers()
    _prefer_own_packages()
    _prepare_to_measure()
    from onetake.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
