"""Places for a ledger: a folder, and a database in a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onetake.ledger import Ledger
from tests.support.postgres import PostgresServer, postgres

__all__ = ["postgres"]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """An empty place; the server is started only for tests that use it."""
    if request.param == "sqlite":
        return tmp_path / "home"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def ledger(place: Path | str) -> Iterator[Ledger]:
    """An empty ledger of each kind."""
    with Ledger(place) as opened:
        yield opened
