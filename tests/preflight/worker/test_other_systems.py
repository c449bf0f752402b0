"""Limits on systems that do not enforce them: the caller ends the worker."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from preflight.worker import process as worker_process
from preflight.worker import resource_monitor
from preflight.worker.pool import end_all
from tests.support.faulty_decoders import FAULTS, install
from tests.support.make_audio import FIXTURES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="switches the limits of Linux off")


@pytest.mark.parametrize("limit", ["CPU_LIMIT_S", "MEMORY_BYTES"])
def test_the_caller_ends_a_worker_above_a_limit(limit: str, faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system enforces no limits: the decoder hangs, and the worker's own limit is off."""
    import preflight

    monkeypatch.setattr(worker_process, "_IS_MONITORED", True)
    monkeypatch.setattr(resource_monitor, limit, 0.5 if limit == "CPU_LIMIT_S" else 1000)
    install(FAULTS["hang"], monkeypatch)
    assert preflight.check(FIXTURES / "empty.wav").verdict == "rejected"
    words = preflight.check(faulty).findings[0].message
    assert ("timed out" if limit == "CPU_LIMIT_S" else "memory") in words
    end_all()
