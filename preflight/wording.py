"""Numbers as a person reads them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """`seconds` as ``m:ss.s``, or ``h:mm:ss.s`` from an hour on; cut, not rounded, so that 9.99 s never reads 10."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, rest = divmod(tenths, 600)
    text = f"{rest // 10:02d}.{rest % 10}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"


def megabytes(count: int) -> str:
    """`count` bytes in MB (10**6), e.g. ``28.8 MB``; below 0.1 MB in kB."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
