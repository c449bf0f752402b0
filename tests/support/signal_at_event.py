"""Run onetake, and send this process a signal at the n-th event that Python's audit hooks see.

    python tests/support/signal_at_event.py EVENT NUMBER ARGUMENTS...

Events are imports, opened files, started processes and threads, and the like: so a signal hits each stage of a command
at will, on any machine. EVENT 0 sends none, and prints on standard error how many there were; -1 sends it at exit.
"""

from __future__ import annotations

import atexit
import itertools
import os
import sys

from onetake.__main__ import main


def run(event: int, number: int, arguments: list[str]) -> None:
    """Run the command with these arguments."""
    sys.argv = ["onetake", *arguments]
    events = itertools.count(1)

    def hook(_name: str, _arguments: tuple[object, ...]) -> None:
        if next(events) == event:
            os.kill(os.getpid(), number)

    def count() -> None:
        os.write(2, f"events: {next(events)}\n".encode())

    if event == 0:
        atexit.register(count)
    if event < 0:
        atexit.register(os.kill, os.getpid(), number)
    sys.addaudithook(hook)
    main()


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
