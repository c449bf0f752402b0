"""An amount of money as a user writes it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

_LEAST, _MOST = Decimal("0.000001"), Decimal(1_000_000_000)
"""With 28 digits, as `decimal` computes, any two of these amounts can be multiplied and divided without overflow."""
RANGE: Final = f"{_LEAST:f} to {_MOST:,}"


def amount_of(text: str) -> Decimal | None:
    """Return 0 or an amount within `RANGE`; None for anything else.

    >>> amount_of("9.90"), amount_of("1e-400"), amount_of("nan"), amount_of("much")
    (Decimal('9.90'), None, None, None)
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    # NaN cannot be compared
    return amount if amount.is_finite() and (amount == 0 or _LEAST <= amount <= _MOST) else None
