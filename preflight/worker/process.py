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

from preflight.errors import DecoderFailed, NotExamined, PreflightError
from preflight.worker import descriptors
from preflight.worker import protocol as wire
from preflight.worker.hardening import clean_environment
from preflight.worker.ring import Ring, shared_memory

if TYPE_CHECKING:
    from preflight.media.decoder import Stored

_SILENT_S: Final = 60.0
"""A process that neither computes without end nor says anything waits for a disk that does not answer."""
_PIPE_BYTES: Final = 1 << 20
_SET_PIPE_SIZE: Final = 1031
"""F_SETPIPE_SZ of Linux: what waits for the speech detector keeps nobody else waiting."""
_START: Final = "import sys; sys.path[:] = sys.argv[3:]; from preflight.worker.worker import main; main(*sys.argv[1:3])"


class Process:
    """A decoding process. One caller at a time; what it receives as sound is overwritten by the next message."""

    def __init__(self) -> None:
        self._files, theirs = descriptors.channel()
        with shared_memory() as memory, theirs:
            shared = [theirs.fileno()] if memory is None else [theirs.fileno(), memory]
            arguments = ["" if memory is None else str(memory), str(theirs.fileno()), *module_path()]
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-s", "-S", "-c", _START, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**clean_environment(), "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=shared,
                process_group=0,  # Ctrl-C is for the caller
            )
            self._ring = None if memory is None else Ring(memory)
        assert self._child.stdin is not None  # noqa: S101 - both are pipes
        assert self._child.stdout is not None  # noqa: S101
        self._requests, self._answers = self._child.stdin.fileno(), self._child.stdout.fileno()
        self._unread = bytearray()
        self._jobs = 0
        self._holds_sound = False
        self.is_free = True
        os.set_blocking(self._requests, False)
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # over the user's share of pipe memory: smaller pieces then
                fcntl.fcntl(self._requests, _SET_PIPE_SIZE, _PIPE_BYTES)

    def give(self, job: wire.Job, descriptor: int) -> None:
        """Give it a job.

        Args:
            job: What to do.
            descriptor: The recording, open for reading; nobody else uses its position until the job is done.

        Raises:
            DecoderFailed: It crashed.
        """
        self.is_free = False
        self._jobs += 1
        self._holds_sound = False
        if self._ring is not None:
            self._ring.begin()
        try:
            descriptors.send(self._files, descriptor)
        except OSError:
            raise self._end_explained() from None
        self.send(wire.JOB, msgspec.msgpack.encode(job))

    def send(self, kind: bytes, content: bytes | memoryview = b"") -> None:
        """Send a message of a kind that `wire` knows.

        Both pipes can be full at once where sound goes through them: the other process then takes nothing before
        somebody reads what it sends. So that is read meanwhile; it is at most `ring.SLOTS` blocks.

        Raises:
            DecoderFailed: The process crashed, or does not listen.
        """
        rest = memoryview(wire.REQUEST.pack(kind, len(content)) + content)
        while rest:
            events = self._wait((self._requests, select.POLLOUT), (self._answers, select.POLLIN))
            if events.get(self._answers, 0) & select.POLLIN:
                self._unread += os.read(self._answers, _PIPE_BYTES)
            if self._requests in events:
                try:
                    rest = rest[os.write(self._requests, rest) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self._end_explained() from None

    def receive(self) -> wire.Message | Stored:
        """Wait for the next message or block of sound.

        Raises:
            DecoderFailed: The process crashed, or was ended because it did not come to an end.
        """
        if self._holds_sound:
            self._holds_sound = False
            self.send(wire.USED)
        kind, length, number, is_planar, channels = wire.ANSWER.unpack(self._read(wire.ANSWER.size))
        try:
            if length > wire.MOST_BYTES:
                raise ValueError("no message is so long")
            if kind == wire.SOUND:
                self._holds_sound = True
                content = self._read(length) if self._ring is None else self._ring.next_slot(length)
                return wire.read_sound(content, number, channels, is_planar=bool(is_planar))
            message = wire.read_message(self._read(length))
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            raise self._crashed("nonsense") from error
        self.is_free = not isinstance(message, wire.Facts | wire.StillAtWork | wire.Ended)
        return message

    def _read(self, count: int) -> memoryview:
        room = memoryview(bytearray(count))
        done = min(count, len(self._unread))
        if done:
            room[:done] = self._unread[:done]
            del self._unread[:done]
        while done < count:
            self._wait((self._answers, select.POLLIN))
            got = os.readv(self._answers, [room[done:]])
            if not got:
                raise self._end_explained()
            done += got
        return room

    def _wait(self, *wanted: tuple[int, int]) -> dict[int, int]:
        """Wait until something of `wanted`, pipes with their events, has come; events by pipe."""
        poll = select.poll()
        for pipe, event in wanted:
            poll.register(pipe, event)
        events = poll.poll(_SILENT_S * 1000)
        if not events:
            self.end()
            raise DecoderFailed(
                f"no data from the decoder for {_SILENT_S:.0f} s (stalled disk or network share?)",
                "copy the recording to a local disk, and check it there",
            )
        return dict(events)

    def _end_explained(self) -> PreflightError:
        status = self._child.wait()
        self.end()
        if status == -signal.SIGPROF:
            return DecoderFailed("decoding it comes to no end", "export it again from the program that recorded it")
        if status > 0:
            return NotExamined.because(f"the decoding process ended with status {status}")
        # 0: how it ended is not known where the caller has the system reap its children
        return self._crashed(signal.Signals(-status).name if status else "it ended")

    def _crashed(self, how: str) -> DecoderFailed:
        message = f"it makes the decoder crash ({how})"
        hint = "export it again from the program that recorded it"
        return DecoderFailed(message, hint, retry_with_fresh_worker=self._jobs > 1)

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
        self._files.close()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


def module_path() -> list[str]:
    """Where this process finds its modules; ours among them, however they were found."""
    entries = [entry for entry in sys.path if entry]
    if "" in sys.path:
        with contextlib.suppress(OSError):  # the working folder is gone, and what was in it
            entries.insert(sys.path.index(""), str(Path.cwd()))
    home = str(Path(__file__).resolve().parents[2])
    return entries if home in entries else [*entries, home]
