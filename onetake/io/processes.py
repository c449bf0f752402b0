"""Child processes that Ctrl-C in the caller's terminal does not reach, and that end with their caller."""

from __future__ import annotations

from preflight.worker.child import OWN_GROUP, close_job, create_job

__all__ = ["OWN_GROUP", "close_job", "create_job"]
