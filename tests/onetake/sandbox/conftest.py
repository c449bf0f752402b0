"""A stand-in endpoint for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onetake.sandbox.endpoint import StandInEndpoint
from tests.support.stand_in import KEY


@pytest.fixture
def stand_in() -> Iterator[StandInEndpoint]:
    with StandInEndpoint(KEY) as endpoint:
        yield endpoint
