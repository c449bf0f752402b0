"""One thread for linear algebra, as in a worker: on busy machines, several wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from preflight.analysis.analyze import one_thread


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    with one_thread():
        yield
