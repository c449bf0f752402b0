"""What all tests share: a clean environment, default signals, and one profile of hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.support.environment import clean_environment, remove_home, restore_signals

# Imported before any test: a time limit or a health check would measure the machine, and not the code. The examples
# are the same every time; `--hypothesis-profile=random` tries others.
settings.register_profile("random", deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("same", settings.get_profile("random"), derandomize=True, database=None, max_examples=50)
settings.load_profile("same")

restore_signals()
_HOME = clean_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    remove_home(_HOME)
