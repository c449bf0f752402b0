"""Parametrized tests of which `make test` runs some cases and `make slow` the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet


def parametrize_some(
    names: str | Sequence[str],
    values: Iterable[Any],
    fast: int,
    ids: Iterable[str] | Callable[[Any], object] | None = None,
) -> pytest.MarkDecorator:
    """Parametrize a test like `pytest.mark.parametrize`; all cases after the first `fast` are marked slow."""
    single = isinstance(names, str) and "," not in names
    cases = [
        value if isinstance(value, ParameterSet) else pytest.param(*((value,) if single else value)) for value in values
    ]
    assert len(cases) > fast, "no case is slow"
    marked = [pytest.param(*case.values, marks=[*case.marks, pytest.mark.slow], id=case.id) for case in cases[fast:]]
    return pytest.mark.parametrize(names, [*cases[:fast], *marked], ids=ids)
