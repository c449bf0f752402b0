"""The task of a worker of a cluster: check a batch of recordings, one after the other, while the next ones are fetched.

A worker decodes in a process of its own, like every check (`preflight.worker`): a file that crashes a decoder results
in a finding. The worker itself ends only if memory runs out, the machine stops, or the cluster stops it.
"""

from __future__ import annotations

import os
import platform
from collections import deque
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import OnetakeError
from onetake.io.inputs import report_with_remote
from preflight.input.recording import SpooledFile
from preflight.input.source import display_name
from preflight.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onetake.io.inputs import Take
    from onetake.io.s3_objects import Buckets, ObjectRecording
    from preflight import Profile
    from uploader import StoredObject


class ClusterFailed(OnetakeError):
    """A cluster cannot be reached, or its workers cannot check the recordings."""

    kind = "cluster-failed"


_AHEAD: Final = 4
"""Objects that a worker fetches while it checks another one."""
_REPORTS: Final = msgspec.msgpack.Decoder(list[Report])


@dataclass(frozen=True, slots=True)
class NamedTake:
    """A recording that any worker can open.

    Attributes:
        name: Its name in the report; for an object ``s3://bucket/key``.
        path: Its absolute path; empty for an object.
        is_there: Whether the client sees the file.
        listed: What the listing says about an object; None if it was not listed.
    """

    name: str
    path: str = ""
    is_there: bool = False
    listed: StoredObject | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A batch for a worker.

    Attributes:
        takes: The recordings.
        profile: Severities and thresholds.
        quick: Read headers only.
        version: The client's version of onetake; the worker needs the same.
    """

    takes: tuple[NamedTake, ...]
    profile: Profile
    quick: bool
    version: str


def named(take: Take) -> NamedTake:
    """Return a recording as it is sent to workers.

    Raises:
        ClusterFailed: It is standard input.
    """
    from onetake.io.s3_objects import ObjectRecording

    if isinstance(take, ObjectRecording):
        return NamedTake(take.name, listed=take.listed)
    if isinstance(take, SpooledFile):
        raise ClusterFailed("standard input cannot be sent to a cluster", "name a file, or omit --on")
    path = os.path.abspath(take)
    return NamedTake(take, path, is_there=os.path.exists(path))


def run_task(task: Task) -> bytes:
    """Check a batch, in a worker.

    Returns:
        The reports in order, for `reports_of`.

    Raises:
        ClusterFailed: The worker has another version of onetake, or a recording cannot be seen from it.
        uploader.StorageError, SettingError: The storage cannot be used with the worker's settings.
    """
    from onetake import __version__
    from preflight import check

    if __version__ != task.version:
        message = f"a worker has onetake {__version__}, this machine has {task.version}"
        raise ClusterFailed(message, "install the same version everywhere")
    reports = []
    for take in _ready(task):
        report = check(take, quick=task.quick, profile=task.profile)
        reports.append(report_with_remote(take, report))
    return msgspec.msgpack.encode(reports)


def reports_of(result: bytes) -> list[Report]:
    """Return the reports that `run_task` encoded."""
    return _REPORTS.decode(result)


def unreadable(take: NamedTake, profile: Profile, *, quick: bool, tries: int) -> Report:
    """Return the report of a recording whose check ended its worker."""
    from preflight.analysis.analysis import Analysis
    from preflight.checks import report_of
    from preflight.errors import DecoderFailed

    problem = DecoderFailed(f"its check ended the worker process {tries} times", "check it alone, without --on")
    size = take.listed.bytes if take.listed else 0
    return report_of(
        Analysis(name=take.name, size=size, method="headers" if quick else "decoded", problem=problem), profile
    )


def _ready(task: Task) -> Iterator[Take]:
    """Yield the recordings; the next objects are fetched while one is checked."""
    from onetake.io.s3_prefetch import fetched_ahead

    with fetched_ahead(_opened(task.takes, quick=task.quick), 1) as started:
        waiting = deque(islice(started, _AHEAD))
        while waiting:
            yield waiting.popleft()
            waiting.extend(islice(started, 1))


def _opened(takes: Sequence[NamedTake], *, quick: bool) -> Iterator[SpooledFile | ObjectRecording]:
    for take in takes:
        if take.path:
            _require_folder(take)
            yield SpooledFile(take.name, take.path, has_file=True)
        else:
            yield _buckets().recording(take.name, take.listed, quick=quick)


def _require_folder(take: NamedTake) -> None:
    folder = os.path.dirname(take.path)
    if take.is_there and not os.path.isdir(folder):
        message = f"the worker on {platform.node()} has no folder {display_name(folder)}"
        raise ClusterFailed(message, "mount it there at the same path, or use a bucket (s3://)")


@cache
def _buckets() -> Buckets:
    """Return the connections of this worker, with the settings of its own environment."""
    from onetake.io.s3_objects import Buckets

    return Buckets()
