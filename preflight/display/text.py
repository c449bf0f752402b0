"""Numbers and facts as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from preflight.report import FileFacts, Report


def clock(seconds: float) -> str:
    """`seconds` as ``m:ss.s``, or ``h:mm:ss.s`` from an hour on; cut, not rounded, so that 9.99 s never reads 10."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, rest = divmod(tenths, 600)
    text = f"{rest // 10:02d}.{rest % 10}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"


def megabytes(count: int) -> str:
    """`count` bytes in MB (10**6), e.g. ``28.8 MB``; below 0.1 MB in kB, from 10 GB on in GB."""
    if count >= 10_000_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def describe_file(file: FileFacts) -> str:
    """The facts of a file in one line."""
    if not file.container:
        return megabytes(file.bytes)
    channels = {1: "mono", 2: "stereo"}.get(file.channels, f"{file.channels} channels")
    parts = [f"{file.container} ({file.codec or 'unknown'})"]
    if file.duration_s is not None:
        parts.append(clock(file.duration_s))
    parts += [f"{file.sample_rate_hz} Hz", channels]
    if file.bit_rate_bps:
        parts.append(f"{file.bit_rate_bps / 1000:.0f} kbit/s")
    return ", ".join([*parts, megabytes(file.bytes)])


_MEASURED: Final = (
    ("integrated_loudness_lufs", "{:.1f} LUFS"),
    ("true_peak_dbtp", "true peak {:.1f} dBTP"),
    ("speech_percent", "speech {:.0f} %"),
    ("noise_floor_dbfs", "noise floor {:.0f} dBFS"),
    ("snr_db", "SNR {:.0f} dB"),
    ("bandwidth_hz", "up to {:.0f} Hz"),
)


def describe_sound(report: Report) -> str:
    """The measurements that say most, in one line; empty when nothing was measured."""
    measured = report.measurements
    parts = [form.format(measured[name]) for name, form in _MEASURED if name in measured]
    heard, whole = measured.get("measured_s"), report.file.duration_s or 0.0
    if heard is not None and whole - heard > 1:
        parts.append(f"measured over the first {clock(heard)}")
    return ", ".join(parts)
