"""One worker process as its caller sees it: started once, used for one recording after another."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from preflight import errors
from preflight.analysis.analysis import Analysis
from preflight.worker import protocol
from preflight.worker.child import MEMORY_BYTES, close_job, create_job, start_worker

if TYPE_CHECKING:
    from preflight.analysis.analyze import Progress
    from preflight.input.source import Source
    from preflight.worker.child import StartedWorker
    from preflight.worker.resource_monitor import Monitor

_SILENT_S: Final = 60.0
"""A worker that neither computes without end nor sends anything waits for a disk that does not answer."""
_ERRORS: Final[dict[str, type[errors.PreflightError]]] = {
    error.kind: error
    for error in (
        *(errors.CannotOpen, errors.NotARecording, errors.WrongHeader, errors.DecoderFailed),
        *(errors.EngineMissing, errors.BadSpeakerModel),
    )
}


_IS_MONITORED: Final = sys.platform != "linux"
"""Only Linux enforces all limits itself."""
_POLL_S: Final = 0.25
_OTHER_MODEL: Final = "choose a smaller model, or use the shipped one"
_CRASHED: Final = 0x80000000
"""Exit statuses of Windows from here on are errors of the system (NTSTATUS), such as an access violation."""


class WorkerProcess:
    """A worker process, for one caller at a time.

    Args:
        started: A process that was started already; by default a new one.

    Attributes:
        is_free: Whether it can be given a job.
    """

    def __init__(self, started: StartedWorker | None = None) -> None:
        self._child, self._files = started or start_worker()
        self._job = create_job(self._child.pid, MEMORY_BYTES)
        self._monitor: Monitor | None = None
        assert self._child.stdin is not None  # noqa: S101 - both are pipes
        assert self._child.stdout is not None  # noqa: S101
        self._input, self._output = self._child.stdin.fileno(), self._child.stdout.fileno()
        self._passed = contextlib.ExitStack()
        self._jobs = 0
        self._is_interrupted = self._is_in_model = False
        self.is_free = True

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def submit(self, job: protocol.Job, source: Source, model: Source | None = None) -> None:
        """Send it a job, which it begins at once.

        Args:
            job: What to do.
            source: The recording.
            model: The speaker model that replaces the shipped one.

        Raises:
            CannotOpen: No path leads to the file (it was moved or deleted).
            DecoderFailed: The process has ended.
        """
        self.is_free = self._is_in_model = False
        self._jobs += 1
        try:
            if sys.platform == "win32" or self._files is None:
                path = Path(os.fspath(source.path) if isinstance(source.path, str) else os.fsdecode(source.path))
                job = msgspec.structs.replace(
                    job,
                    path=os.fsencode(path.absolute()),
                    identity=source.identity,
                    model=None if model is None else os.fsencode(os.fspath(model.path)),
                )
            else:
                # kept until the worker has it: macOS can lose a descriptor whose sender closes it meanwhile
                passed = [self._passed.enter_context(each.reopened()) for each in (source, model) if each is not None]
                socket.send_fds(self._files, [b"f"], passed)
            # a job has a few hundred bytes, and the pipe is empty: this cannot block
            protocol.send(self._input, job)
        except errors.CannotOpen:
            self.is_free = True
            raise
        except OSError:
            raise self._ended() from None

    def result(self, on_progress: Progress | None = None) -> Analysis:
        """Wait for the result of the job.

        Args:
            on_progress: Called with each heartbeat.

        Raises:
            CannotOpen: Reading failed.
            NotARecording: It is not recognized as audio, or cannot be decoded.
            DecoderFailed: The process crashed, or timed out.
            EngineMissing, BadSpeakerModel: The speaker model cannot be used.
            NotExamined: A bug in onetake.
        """
        if _IS_MONITORED:
            from preflight.worker.resource_monitor import Monitor

            self._monitor = Monitor(self.pid)
        while isinstance(answer := self._next(), protocol.Heartbeat):
            self._is_in_model = answer.in_model
            if on_progress is not None and not answer.in_model:
                on_progress(answer.seconds, answer.total_s)
        self._passed.close()
        self.is_free = True
        if isinstance(answer, Analysis):
            return answer
        if answer.kind == "bug":
            raise errors.NotExamined.because(answer.message)
        raise _ERRORS.get(answer.kind, errors.NotARecording)(answer.message, answer.hint)

    def _next(self) -> protocol.Answer:
        deadline = time.monotonic() + _SILENT_S
        try:
            answer = protocol.receive_answer(self._output, lambda: self._wait(deadline))
        except EOFError:
            raise self._ended() from None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise self._crashed("invalid answer") from error
        if self._monitor:
            self._monitor.restart()
        return answer

    def _wait(self, deadline: float) -> None:
        """Wait until something can be read; raises `DecoderFailed` at the deadline, and above a limit."""
        pause_s = _POLL_S if self._monitor else _SILENT_S
        while not protocol.wait_readable(self._output, pause_s):
            self._require_within_limits(deadline)

    def _require_within_limits(self, deadline: float) -> None:
        """End the worker if it is above a limit; raises `DecoderFailed`."""
        exceeded = self._monitor.exceeded() if self._monitor else ""
        if exceeded or time.monotonic() >= deadline:
            self.end()
            raise self._too_much(exceeded)

    def _ended(self) -> errors.PreflightError:
        status = self._child.wait()
        self.end()
        if sys.platform != "win32" and status == -signal.SIGPROF:
            return self._too_much("time")
        if self._is_interrupted:  # Windows reports status 1
            return self._crashed("killed")
        if status >= _CRASHED:
            return self._crashed(f"error 0x{status:08X}")
        if status > 0:
            return errors.NotExamined.because(f"the worker process exited with status {status}")
        # 0: the status is unknown where the caller has the system reap its children (SIGCHLD ignored)
        return self._crashed(signal.Signals(-status).name if status else "it ended")

    def _crashed(self, how: str) -> errors.PreflightError:
        if self._is_in_model and not self._is_interrupted:
            return errors.BadSpeakerModel(f"the speaker model makes onnxruntime crash ({how})", _OTHER_MODEL)
        # a recording before this one may have harmed the process: then a fresh one decides
        return errors.DecoderFailed(
            f"it makes the decoder crash ({how})",
            "export it again from the program that recorded it",
            retry_with_fresh_worker=self._jobs > 1,
        )

    def _too_much(self, exceeded: str) -> errors.PreflightError:
        if not self._is_in_model:
            return _decoder_takes(exceeded)
        what = "more memory than a worker process has" if exceeded == "memory" else "more than 8 s for one window"
        return errors.BadSpeakerModel(f"the speaker model takes {what}", _OTHER_MODEL)

    def interrupt(self) -> None:
        """Kill it while another thread waits for its result; that thread gets `DecoderFailed`."""
        self.is_free, self._is_interrupted = False, True
        self._child.kill()

    def end(self) -> None:
        """Kill it, and close the pipes."""
        self.is_free = False
        self._child.kill()
        self._child.wait()
        self._passed.close()
        if self._files is not None:
            self._files.close()
        if self._job is not None:
            close_job(self._job)
            self._job = None
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


def _decoder_takes(exceeded: str) -> errors.DecoderFailed:
    if exceeded == "time":
        message = "decoding timed out: 8 s of CPU time without output"
        return errors.DecoderFailed(message, "export it again from the program that recorded it")
    if exceeded == "memory":
        return errors.DecoderFailed("decoding it takes more memory than any recording needs", "export it again")
    return errors.DecoderFailed(
        f"no data from the decoder for {_SILENT_S:.0f} s (stalled disk or network share?)",
        "copy the recording to a local disk, and check it there",
    )
