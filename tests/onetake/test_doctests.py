"""The examples in the docstrings of the application are correct."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "onetake.cli.options.profile_options",
    "onetake.config.config_view",
    "onetake.console.progress",
    "onetake.loopback",
    "onetake.render.text",
    "onetake.render.wrapping",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0
