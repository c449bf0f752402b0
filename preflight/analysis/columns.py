"""Values over time in a bounded number of columns, however long it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Columns:
    """Keeps the highest of the values that fall into each column, element by element.

    The columns hold one value each, until there are too many: then two become one, again and again.

    Args:
        most: How many columns there are at most; an even number.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._full: list[NDArray[Any]] = []
        self._count = 0
        self._open: NDArray[Any] | None = None
        self._held = 0
        self.width = 1
        """Values in each column."""

    def add(self, values: NDArray[Any]) -> None:
        """Take the next values, of shape (values, …)."""
        while len(values):
            if self._held or len(values) < self.width:
                values = self._fill(values)
            else:
                whole = len(values) // self.width
                used, values = values[: whole * self.width], values[whole * self.width :]
                self._keep(used.reshape(whole, self.width, *used.shape[1:]).max(axis=1))

    def highest(self) -> NDArray[Any]:
        """The columns, of shape (columns, …); the last may hold fewer values than the others."""
        parts = self._full if self._open is None else [*self._full, self._open[np.newaxis]]
        return np.concatenate(parts) if parts else np.empty(0)

    def _fill(self, values: NDArray[Any]) -> NDArray[Any]:
        """Put values into the column that is not full yet, and return the others."""
        used = values[: self.width - self._held]
        most = used.max(axis=0)
        self._open = most if self._open is None else np.maximum(self._open, most)
        self._held += len(used)
        if self._held == self.width:
            full, self._open, self._held = self._open, None, 0
            self._keep(full[np.newaxis])
        return values[len(used) :]

    def _keep(self, columns: NDArray[Any]) -> None:
        self._full.append(columns)
        self._count += len(columns)
        while self._count >= self._most:
            kept = np.concatenate(self._full)
            if self._count % 2:
                self._open, self._held, kept = kept[-1], self.width, kept[:-1]
            self._full = [kept.reshape(-1, 2, *kept.shape[1:]).max(axis=1)]
            self._count //= 2
            self.width *= 2
