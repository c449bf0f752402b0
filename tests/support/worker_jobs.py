"""Which jobs worker processes are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.worker.process import WorkerProcess

if TYPE_CHECKING:
    import pytest

    from preflight.input.source import Source
    from preflight.worker.protocol import Job


def count_jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the recordings that workers decode, in order, from now on."""
    names: list[str] = []
    submit = WorkerProcess.submit

    def counted(process: WorkerProcess, job: Job, source: Source, model: Source | None = None) -> None:
        if not job.headers_only:
            names.append(job.name)
        submit(process, job, source, model)

    monkeypatch.setattr(WorkerProcess, "submit", counted)
    return names
