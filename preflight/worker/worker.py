"""The worker process: reads jobs from standard input, and answers on what was its standard output.

See `preflight.worker.protocol` for the messages.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import time
import traceback
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from preflight.analysis.analysis import Analysis
from preflight.errors import CannotOpen, DecoderFailed, PreflightError
from preflight.input.source import Source
from preflight.worker.hardening import harden, limit_memory
from preflight.worker.protocol import Failure, Heartbeat, Job, receive_job, send

if TYPE_CHECKING:
    from preflight.analysis.analyze import Progress
    from preflight.analysis.speakers.onnx_encoder import OnnxEncoder
    from preflight.analysis.speakers.windows import Encoder
    from preflight.worker.protocol import Answer

CPU_LIMIT_S: Final = 8
"""CPU time without a decoded block after which the system ends the process (SIGPROF): such a decoder never ends.

Windows has no such timer: there the caller ends it (`preflight.worker.resource_monitor`)."""
MEMORY_BYTES: Final = 384 << 20
"""A decoder that asks for more gets a `MemoryError`."""
_HEARTBEAT_S: Final = 0.2
"""At most one heartbeat in this time."""


def main(files: str) -> None:
    """Answer jobs until standard input ends.

    Args:
        files: The descriptor of the socket through which recordings come; empty where the worker opens their paths.
    """
    for name in ("SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"):
        if hasattr(signal, name):  # they are for the caller; this process ends when its input does
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not get between the messages
    limit_memory(MEMORY_BYTES)
    _import_libraries()
    gc.enable()
    gc.freeze()  # what the modules hold stays to the end
    harden(readable=[] if files else ["/"])
    recordings = socket.socket(fileno=int(files)) if files else None
    with contextlib.suppress(BrokenPipeError, EOFError):  # the caller has ended
        while True:
            job = receive_job(0)
            limit_cpu()
            answer = _answer(job, recordings, answers)
            limit_cpu(0)
            send(answers, answer)


def _import_libraries() -> None:
    """Import everything native before files can no longer be opened anywhere: libraries may load others."""
    for name in ("preflight.analysis.analyze", "preflight.media.containers"):
        import_module(name)
    if find_spec("_soundfile_data") is None:
        with contextlib.suppress(ImportError, OSError):
            import_module("soundfile")  # it finds a system library by starting programs


def limit_cpu(seconds: float | None = None) -> None:
    """Let the system end this process after so many seconds of CPU time; 0 for no limit, None for `CPU_LIMIT_S`.

    ITIMER_PROF counts the time of all threads. SIGPROF has no handler: Python runs handlers only between
    bytecodes, so one would not run while a decoder does not return.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S if seconds is None else seconds)


def _answer(job: Job, recordings: socket.socket | None, answers: int) -> Answer:
    try:
        source, model = _opened(job, recordings)
        with source, model or contextlib.nullcontext():
            return _analyzed(source, job, answers, None if model is None else _encoder(model, answers))
    except PreflightError as error:
        return Failure(error.kind, error.message, error.hint)
    except MemoryError:
        return Failure(DecoderFailed.kind, "decoding it takes more memory than any recording needs", "export it again")
    except (BrokenPipeError, EOFError):
        raise
    except Exception as error:  # noqa: BLE001 - the caller raises `NotExamined`
        frames = traceback.extract_tb(error.__traceback__)
        places = (f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        return Failure("bug", " / ".join((type(error).__name__, *places)))


def _opened(job: Job, recordings: socket.socket | None) -> tuple[Source, Source | None]:
    """Return the recording, and the speaker model if the job names one."""
    if sys.platform != "win32" and recordings is not None:
        _, descriptors, _, _ = socket.recv_fds(recordings, 1, 2)
        if not descriptors:
            raise EOFError
        first, *others = descriptors
        models = [Source.of_descriptor(each, "model", "") for each in others]
        return Source.of_descriptor(first, job.name, job.suffix), models[0] if models else None
    source = Source.open(os.fsdecode(job.path or b""))
    if source.identity != job.identity:
        source.close()
        raise CannotOpen("it was replaced while it was opened", "wait until it is no longer written to")
    model = Source.open(os.fsdecode(job.model)) if job.model is not None else None
    return replace(source, name=job.name, suffix=job.suffix), model


_LOADED: Final[dict[tuple[int, ...], OnnxEncoder]] = {}
"""The last speaker model, by what identifies its file."""


def _encoder(model: Source, answers: int) -> OnnxEncoder:
    """Return the model, loaded once; the caller learns when it is at work, and each window has its own CPU limit."""
    from preflight.analysis.speakers.onnx_encoder import OnnxEncoder

    def before_window() -> None:
        limit_cpu()
        send(answers, Heartbeat(0.0, None, in_model=True))

    status = os.fstat(model.fd)
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if key not in _LOADED:
        _LOADED.clear()
        before_window()
        _LOADED[key] = OnnxEncoder(model.read_at(0, model.size), before_window)
        send(answers, Heartbeat(0.0, None))
    return _LOADED[key]


def _analyzed(source: Source, job: Job, answers: int, encoder: OnnxEncoder | None) -> Analysis:
    sent = float("-inf")

    def on_progress(seconds: float, total_s: float | None) -> None:
        nonlocal sent
        limit_cpu()
        now = time.monotonic()
        if now - sent >= _HEARTBEAT_S:
            send(answers, Heartbeat(seconds, total_s))
            sent = now

    return run_job(source, job, on_progress, encoder)


def run_job(source: Source, job: Job, on_progress: Progress | None, encoder: Encoder | None = None) -> Analysis:
    """Read the headers of a recording, or decode and measure it, as the job asks.

    The caller does the same in its own process where it can start no other.

    Args:
        source: The open recording.
        job: What to do with it.
        on_progress: As in `analyze_source`.
        encoder: The speaker model that the job names.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
        BadSpeakerModel: The model cannot be used.
    """
    if job.headers_only:
        from preflight.media.probe import probe

        facts = probe(source, quick=True)
        return Analysis(probe=facts, method="headers", damage=facts.damage, padded_s=facts.padded_s)
    # imported here: the process that asks does not load the decoder and the meters
    from preflight.analysis.analyze import analyze_source
    from preflight.fixes.part_to_keep import analyze_kept_part

    if job.judge_part:
        return analyze_kept_part(
            source, pictures=job.pictures, speakers=job.speakers, encoder=encoder, on_progress=on_progress
        )
    return analyze_source(
        source,
        measure_s=job.measure_s,
        pictures=job.pictures,
        speakers=job.speakers,
        encoder=encoder,
        on_progress=on_progress,
    )
