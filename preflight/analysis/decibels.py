"""Powers as levels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOOR = 1e-12


def decibels(power: float) -> float:
    """`power` in dB, to a hundredth, not below -120."""
    return round(10 * math.log10(max(power, _FLOOR)), 2) + 0.0  # + 0.0: never "-0.0"


def levels_db(powers: NDArray[Any]) -> NDArray[np.float32]:
    """Each of `powers` in dB, not below -120."""
    return np.asarray(10 * np.log10(np.maximum(powers, _FLOOR)), dtype=np.float32)
