"""The examples in docstrings are correct."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEAST = {"client": 10, "uploader": 10, "preflight": 10, "onetake": 5}
# not `pytest --doctest-modules`: that imports every module of the packages when tests are collected
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("preflight", "uploader", "client", "onetake")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name.removesuffix(".__init__")))
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize("package", LEAST)
def test_every_package_has_examples(package: str) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = [name.removesuffix(".__init__") for name in MODULES if name.startswith(f"{package}.")]
    found = [test for name in names for test in finder.find(importlib.import_module(name))]
    assert sum(bool(test.examples) for test in found) >= LEAST[package]
