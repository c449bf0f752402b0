"""The command in a window: a pseudo-terminal, and what a terminal would show of what comes out of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass, field

import pyte

_OF_OTHER_WINDOWS = {"NO_COLOR", "COLUMNS", "LINES"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Window:
    """A window with the command in it.

    Attributes:
        columns: Its width.
        raw: Everything that was written to it.
        frames: Each screen that could be seen, as lines without trailing blanks.
        status: How the command ended.
    """

    columns: int
    raw: str = ""
    frames: list[list[str]] = field(default_factory=list)
    status: int = -1
    _line: int = -1

    @property
    def lines(self) -> list[str]:
        """What was printed to stay, line by line, with its colours."""
        text = self.raw.replace("\r\n", "\n").replace("\x1b[K", "")
        return [line.rpartition("\r")[2] for line in text.rstrip("\n").split("\n")]

    @property
    def bare_lines(self) -> list[str]:
        """The same without colours."""
        return [COLOUR.sub("", line) for line in self.lines]

    def resize(self, columns: int) -> None:
        """As if a user dragged its edge; the command gets SIGWINCH."""
        self.columns = columns
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def press_ctrl_c(self) -> None:
        """As at a keyboard."""
        os.write(self._line, b"\x03")

    def show(self, *arguments: str, react: Callable[[Window], None] | None = None, **variables: str) -> Window:
        """Run the command to its end.

        Args:
            arguments: Of the command line.
            react: Called with this window whenever what it shows has changed.
            variables: Of the environment.
        """
        pid, self._line = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self.columns, 0, 0))
            # not what os.execv would hand on: readline puts COLUMNS where os.environ does not see it
            usual = {name: value for name, value in os.environ.items() if name not in _OF_OTHER_WINDOWS}
            environment = {**usual, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **variables}
            os.execve(sys.executable, [sys.executable, "-m", "onetake", *arguments], environment)
        screen = pyte.Screen(self.columns, 40)
        stream, shown = pyte.ByteStream(screen), b""
        while piece := self._read():
            shown += piece
            stream.feed(piece)
            self.raw = shown.decode(errors="replace")
            frame = [line.rstrip() for line in screen.display]
            if not self.frames or frame != self.frames[-1]:
                self.frames.append(frame)
                if react is not None:
                    react(self)
            if screen.columns != self.columns:
                screen.resize(40, self.columns)
        self.status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(self._line)
        return self

    def _read(self) -> bytes:
        try:
            return os.read(self._line, 65536)
        except OSError:  # the command has ended
            return b""
