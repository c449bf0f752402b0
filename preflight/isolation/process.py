"""The decoding process as its caller sees it: started once, used for one recording after the other."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from preflight.errors import DecoderFailed
from preflight.isolation import wire

if TYPE_CHECKING:
    from preflight.decode import Stored

_SILENT_S: Final = 60.0
"""A process that neither computes without end nor says anything waits for a disk that does not answer."""
_PIPE_BYTES: Final = 1 << 20
_SET_PIPE_SIZE: Final = 1031
"""F_SETPIPE_SZ of Linux: sound passes in few large pieces."""
_START: Final = "import sys; sys.path[:] = sys.argv[1:]; from preflight.isolation.child import main; main()"
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}
"""One thread; and glibc would give memory back and take it again with every block."""


class Process:
    """A decoding process. One caller at a time; what it receives as sound is overwritten by the next message."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-s", "-S", "-c", _START, *_path()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, **_ENVIRONMENT},
            process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the caller
        )
        self._room = bytearray()
        self._jobs = 0
        self.is_free = True
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # over the user's share of pipe memory: smaller pieces then
                fcntl.fcntl(self._answers, _SET_PIPE_SIZE, _PIPE_BYTES)

    @property
    def _answers(self) -> int:
        assert self._child.stdout is not None  # noqa: S101 - it is a pipe
        return self._child.stdout.fileno()

    def send(self, job: wire.Job) -> None:
        """Give it a job.

        Raises:
            DecoderFailed: It crashed.
        """
        assert self._child.stdin is not None  # noqa: S101 - it is a pipe
        self.is_free = False
        self._jobs += 1
        content = msgspec.msgpack.encode(job)
        try:
            self._child.stdin.write(wire.JOB_LENGTH.pack(len(content)) + content)
        except BrokenPipeError:
            raise self._end_explained() from None

    def receive(self) -> wire.Message | Stored:
        """Wait for the next message or block of sound.

        Raises:
            DecoderFailed: The process crashed, or was ended because it did not come to an end.
        """
        kind, length, number, is_planar, channels = wire.HEADER.unpack(self._read(wire.HEADER.size))
        if length > wire.MOST_BYTES:
            raise self._crashed("nonsense")
        content = self._read(length)
        try:
            if kind == wire.SOUND:
                return wire.read_sound(content, number, channels, is_planar=bool(is_planar))
            message = wire.read_message(content)
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            raise self._crashed("nonsense") from error
        self.is_free = not isinstance(message, wire.Facts | wire.StillAtWork)
        return message

    def _read(self, count: int) -> memoryview:
        if len(self._room) < count:
            self._room = bytearray(count)
        room = memoryview(self._room)[:count]
        done = 0
        while done < count:
            if not _is_readable(self._answers):
                self.end()
                raise DecoderFailed("reading it stands still", "copy it to a sound disk")
            got = os.readv(self._answers, [room[done:]])
            if not got:
                raise self._end_explained()
            done += got
        return room

    def _end_explained(self) -> Exception:
        status = self._child.wait()
        self.end()
        if status == -getattr(signal, "SIGPROF", 0):
            return DecoderFailed("decoding it comes to no end", "export it again from the program that recorded it")
        if status > 0:
            return RuntimeError(f"the decoding process ended with status {status}")
        # 0: how it ended is not known where the caller has the system reap its children
        return self._crashed(signal.Signals(-status).name if status else "it ended")

    def _crashed(self, how: str) -> DecoderFailed:
        message = f"it makes the decoder crash ({how})"
        hint = "export it again from the program that recorded it"
        return DecoderFailed(message, hint, may_be_innocent=self._jobs > 1)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def interrupt(self) -> None:
        """End it while another thread uses it, who will see that."""
        self.is_free = False
        self._child.kill()

    def end(self) -> None:
        """End it at once."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


def _is_readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(_SILENT_S * 1000))


def _path() -> list[str]:
    """Where this process finds its modules; ours among them, however they were found."""
    entries = [entry for entry in sys.path if entry]
    if "" in sys.path:
        with contextlib.suppress(OSError):  # the working folder is gone, and what was in it
            entries.insert(sys.path.index(""), str(Path.cwd()))
    home = str(Path(__file__).resolve().parents[2])
    return entries if home in entries else [*entries, home]
