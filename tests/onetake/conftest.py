"""Fixtures that the tests of the application share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from onetake.cli.main import run
from tests.support.services import Ran, home, services

__all__ = ["home", "services"]

Say = Callable[..., Ran]


@pytest.fixture
def say(home: object, capfd: pytest.CaptureFixture[str]) -> Say:
    """Run the command in this process, which saves its start; nothing that it says may be a traceback."""

    def ran(*arguments: str) -> Ran:
        capfd.readouterr()
        status = run(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(status, out, err)

    return ran
