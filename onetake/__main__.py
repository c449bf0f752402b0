"""The entry point of the command `onetake`: what has to happen before its modules are imported."""

from __future__ import annotations

import os
import sys

from onetake import __version__

_PACKAGES = ("preflight", "uploader", "client", "onetake")


def _prefer_own_packages() -> None:
    """Import our packages even if the working folder has a `client.py`.

    With ``python -m onetake`` or PYTHONPATH the user's folder comes first in `sys.path`. The folder of our packages is
    inserted before the first one that has a module of the same name.
    """
    # os.path: importing pathlib takes 8 ms
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for index, entry in enumerate(sys.path):
        folder = os.path.abspath(entry or ".")
        if folder == home:
            return
        shadows = (os.path.join(folder, name) for name in _PACKAGES)
        if any(os.path.isdir(shadow) or os.path.isfile(f"{shadow}.py") for shadow in shadows):
            sys.path.insert(index, home)
            return


def _print_version(*, verbose: bool) -> bool:
    """Print the version without importing click, which takes three times as long as the rest."""
    text = f"onetake {__version__}"
    if verbose:
        from onetake.installation import component_versions

        text = "\n".join((text, *component_versions()))
    try:
        print(text, flush=True)  # noqa: T201 - console.streams is not imported yet
    except OSError:
        return False  # the normal path reports what is wrong with standard output
    except KeyboardInterrupt:
        os._exit(130)
    return True


def _open_closed_streams() -> None:
    """Open the null device as each of the descriptors 0 to 2 that is closed.

    Otherwise a file or a pipe that is opened later gets that number, and receives what is written to standard error, or
    is replaced by the streams of a child process.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _prepare_process() -> None:
    """Open closed streams and install the signal handlers. Signals are blocked until then, and delivered afterwards."""
    import _signal  # type: ignore[import-not-found]  # the built-in part: `signal` imports enum

    numbers = {_signal.SIGINT, _signal.SIGTERM, getattr(_signal, "SIGHUP", _signal.SIGTERM)}
    can_block = hasattr(_signal, "pthread_sigmask")  # not on Windows
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, numbers) if can_block else set()
    _open_closed_streams()
    from onetake.io.signals import install_handlers

    install_handlers()
    if can_block:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def _prepare_worker() -> None:
    """Start the worker process of `check` while the command line is imported: both take a third of a short check."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for arrays this small more threads only add start-up time
    elsewhere = {"--quick", "--on", "--help", "-h", "--schema"}
    if sys.argv[1:2] == ["check"] and not elsewhere & set(sys.argv):
        import contextlib

        from preflight.worker.child import is_possible, start_worker

        if is_possible():
            with contextlib.suppress(OSError):  # such as a limit on open files: the check itself reports it
                started = start_worker()  # before the next import, which takes as long as half of its start
                from preflight.worker.pool import prepare

                prepare(started)


def _require_own_packages() -> None:
    """Exit with status 2 where another distribution has replaced or removed files."""
    from onetake.installation import damage

    if problem := damage():
        message, _, hint = problem.partition(": ")
        print(f"onetake: {message}\n  {hint}", file=sys.stderr)  # noqa: T201 - the console needs the packages
        sys.exit(2)


def main() -> None:
    """Run the command and exit with its status."""
    is_verbose = sorted(sys.argv[1:]) in (["--verbose", "--version"], ["--version", "-v"])
    if (is_verbose or sys.argv[1:] == ["--version"]) and _print_version(verbose=is_verbose):
        os._exit(0)  # not sys.exit: Ctrl-C during the interpreter's shutdown would print a traceback
    _prepare_process()
    _prefer_own_packages()
    _require_own_packages()
    _prepare_worker()
    from onetake.cli.main import run
    from onetake.io.signals import keep_status

    status = run(sys.argv[1:])
    keep_status(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
