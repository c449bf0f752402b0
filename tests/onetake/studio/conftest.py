"""A studio for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.studio import Page, studio


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A studio that only rehearses; its tests share it."""
    with studio(tmp_path_factory.mktemp("home")) as made:
        yield made
