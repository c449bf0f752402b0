"""How numpy computes while a recording is decoded and measured."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_KEPT_BYTES: Final = 8 << 20


def keep_memory() -> None:
    """Let glibc keep the memory of arrays for the next ones: giving it back with each takes a quarter of the time.

    It learns from what is freed: beyond the largest array that a program freed, and twice that much at the end of its
    memory, it gives back (mallopt(3), M_MMAP_THRESHOLD). This one is freed at once, and never touched.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def one_thread() -> AbstractContextManager[object]:
    """Keep linear algebra from spreading over all cores: on small matrices waiting takes longer than working."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited
