"""The most memory that a process of ours may take, so that a hostile file ends it and not the machine."""

from __future__ import annotations

import contextlib
import resource
import sys


def limit_memory(most_bytes: int) -> None:
    """Limit this process, and let it leave no core behind when it crashes."""
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    _, highest = resource.getrlimit(kind)
    limit = most_bytes if highest == resource.RLIM_INFINITY else min(most_bytes, highest)
    with contextlib.suppress(ValueError, OSError):  # macOS accepts no limit on some machines
        resource.setrlimit(kind, (limit, highest))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
