"""Values over time in a bounded number of columns, for any duration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Columns:
    """Keep the maximum of the values in each column, element by element.

    A column holds one value at first. Whenever there are too many columns, pairs of them are merged, so that the memory
    and the detail stay between half and all of the limit.

    Args:
        most: The largest number of columns; even.

    >>> columns = Columns(most=4)
    >>> columns.add(np.array([1, 5, 2, 4, 3, 0]))
    >>> columns.highest().tolist(), columns.width
    ([5, 4, 3], 2)
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
        """Add the next values, of shape (values, …)."""
        while len(values):
            if self._held or len(values) < self.width:
                values = self._fill(values)
            else:
                whole = len(values) // self.width
                used, values = values[: whole * self.width], values[whole * self.width :]
                self._keep(used.reshape(whole, self.width, *used.shape[1:]).max(axis=1))

    def highest(self) -> NDArray[Any]:
        """Return the columns, of shape (columns, …); the last may hold fewer values than the others."""
        parts = self._full if self._open is None else [*self._full, self._open[np.newaxis]]
        return np.concatenate(parts) if parts else np.empty(0)

    def _fill(self, values: NDArray[Any]) -> NDArray[Any]:
        """Add values to the column that is not full yet, and return those that are left."""
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
            if self._count % 2:  # the odd one becomes the first half of the open column
                self._open, self._held, kept = kept[-1], self.width, kept[:-1]
            self._full = [kept.reshape(-1, 2, *kept.shape[1:]).max(axis=1)]
            self._count //= 2
            self.width *= 2
