"""What all tests share: a clean environment, default signals, and one profile of hypothesis."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.environment import clean_environment, remove_home, restore_signals

# Imported before any test: a time limit or a health check would measure the machine, and not the code. The examples
# are the same every time; `--hypothesis-profile=random` tries others.
settings.register_profile("random", deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("same", settings.get_profile("random"), derandomize=True, database=None, max_examples=50)
settings.load_profile("same")

_POSIX = re.compile(r"ModuleNotFoundError: (?:No module named|import of) '?(fcntl|grp|pty|pwd|resource|termios)\b")

restore_signals()
_HOME = clean_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    remove_home(_HOME)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip test modules that import what only POSIX systems have; on others it is an error."""
    report = yield
    if report.failed and (missing := _POSIX.search(str(report.longrepr))):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: this system has no module {missing[1]}")
    return report
