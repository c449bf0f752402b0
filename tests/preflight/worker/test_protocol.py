"""Messages between a caller and a worker process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.analysis.analysis import Analysis
from preflight.checks import analyze
from preflight.worker.protocol import (
    MAX_BYTES,
    Failure,
    Heartbeat,
    Job,
    receive_answer,
    receive_job,
    send,
    wait_readable,
)
from tests.support.make_audio import FIXTURES


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for end in (read, write):
        try:
            os.close(end)
        except OSError:
            continue


def sent(pipe: tuple[int, int], message: Analysis | Heartbeat | Failure) -> object:
    """What arrives at the other end of a pipe that holds less than the message."""
    sender = threading.Thread(target=send, args=(pipe[1], message))
    sender.start()
    received = receive_answer(pipe[0])
    sender.join()
    return received


@given(st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
def test_a_heartbeat_arrives_as_it_was_sent(seconds: float, total_s: float | None) -> None:
    read, write = os.pipe()
    try:
        assert sent((read, write), Heartbeat(seconds, total_s)) == Heartbeat(seconds, total_s)
    finally:
        os.close(read)
        os.close(write)


def test_a_job_arrives_as_it_was_sent(pipe: tuple[int, int]) -> None:
    job = Job("take.wav", ".wav", measure_s=300.0, path=b"/takes/\xff.wav", identity=(1, 2))
    send(pipe[1], job)
    assert receive_job(pipe[0]) == job


@pytest.mark.parametrize("name", ["good.wav", "damaged.mp3", "surround.m4a", "stereo.m4a", "protected.m4a"])
def test_an_analysis_arrives_as_it_was_sent(name: str, pipe: tuple[int, int]) -> None:
    path = FIXTURES / name
    analysis = analyze(path, pictures=True)
    assert analysis.problem is None
    assert sent(pipe, analysis) == analysis


def test_a_failure_arrives_as_it_was_sent(pipe: tuple[int, int]) -> None:
    failure = Failure("not-a-recording", "message", "hint")
    assert sent(pipe, failure) == failure


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\0\x05abc"])
def test_a_stream_that_ends_early_is_the_end(content: bytes, pipe: tuple[int, int]) -> None:
    os.write(pipe[1], content)
    os.close(pipe[1])
    with pytest.raises(EOFError):
        receive_answer(pipe[0])


@pytest.mark.parametrize(
    "content",
    [
        (MAX_BYTES + 1).to_bytes(4),
        b"\0\0\0\x03???",
        b"\0\0\0\0",
        len(text := msgspec.msgpack.encode({"type": "Other"})).to_bytes(4) + text,
    ],
    ids=["too long", "not MessagePack", "empty", "of another kind"],
)
def test_what_is_not_a_message_is_refused(content: bytes, pipe: tuple[int, int]) -> None:
    os.write(pipe[1], content)
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        receive_answer(pipe[0])


def test_a_pipe_is_readable_when_it_holds_bytes_or_has_ended(pipe: tuple[int, int]) -> None:
    assert not wait_readable(pipe[0], 0.01)
    os.write(pipe[1], b"x")
    assert wait_readable(pipe[0], 60)
    assert os.read(pipe[0], 1) == b"x"
    assert not wait_readable(pipe[0], 0.01)
    os.close(pipe[1])
    assert wait_readable(pipe[0], 60)


def test_the_time_limit_also_counts_within_a_message(pipe: tuple[int, int]) -> None:
    def wait() -> None:
        if not wait_readable(pipe[0], 0.01):
            raise TimeoutError

    os.write(pipe[1], b"\0\0\0\x05abc")
    with pytest.raises(TimeoutError):
        receive_answer(pipe[0], wait)
