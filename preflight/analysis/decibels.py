"""Powers in decibels.

A level in dBFS is relative to the power 1 here, the mean square of a full-scale square wave, so that a full-scale sine
has an RMS of -3.01 dBFS. (AES17 defines dB FS relative to that sine: its figures are 3.01 dB higher.) All levels stop
at -120 dB, below the quantization noise of 16 bits (-101 dBFS): digital silence would be minus infinity, which JSON
cannot express.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# -120 dB.
_LOWEST_POWER: Final = 1e-12


def decibels(power: float) -> float:
    """Return `power` in dB, rounded to 0.01 dB, not below -120.

    >>> decibels(0.5), decibels(1.0), decibels(0.0)
    (-3.01, 0.0, -120.0)
    """
    return round(10 * math.log10(max(power, _LOWEST_POWER)), 2) + 0.0  # + 0.0 makes -0.0 positive


def levels_db(powers: NDArray[Any]) -> NDArray[np.float32]:
    """Return each of `powers`, an array of any shape, in dB, not below -120.

    >>> levels_db(np.array([1.0, 0.01, 0.0])).tolist()
    [0.0, -20.0, -120.0]
    """
    return np.asarray(10 * np.log10(np.maximum(powers, _LOWEST_POWER)), dtype=np.float32)
