"""The examples in docstrings are correct."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = ("client", "uploader")


def modules() -> list[str]:
    """The names of all modules of the packages."""
    return [
        module.name
        for package in PACKAGES
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    ]


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_packages_have_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for package in PACKAGES:
        found = [
            test
            for name in modules()
            if name.startswith(package)
            for test in finder.find(importlib.import_module(name))
        ]
        assert sum(bool(test.examples) for test in found) >= 10
