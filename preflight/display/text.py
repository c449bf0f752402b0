"""Numbers, sizes, times and file facts as text.

At run time this imports nothing from preflight, so that any module of preflight can use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from preflight.report import FileFacts, Report


def did_you_mean(name: object, names: Iterable[str], otherwise: str) -> str:
    """Return a hint that names the most similar of `names`, or `otherwise` if none is similar.

    >>> did_you_mean("cliped", ("clipped", "noisy"), "rules: clipped, noisy")
    "did you mean 'clipped'?"
    """
    from difflib import get_close_matches  # 10 ms, needed only for a message

    matches = get_close_matches(str(name).lower(), names, n=1)
    return f"did you mean {matches[0]!r}?" if matches else otherwise


def clock(seconds: float) -> str:
    """Return `seconds` as ``m:ss.s``, or ``h:mm:ss.s`` from one hour, truncated so that 9.99 s does not read as 10 s.

    >>> clock(9.99), clock(3725)
    ('0:09.9', '1:02:05.0')
    """
    tenths = int(seconds * 10 + 1e-6)
    minutes, rest = divmod(tenths, 600)
    text = f"{rest // 10:02d}.{rest % 10}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"


def seconds_beside(seconds: float, limit: float) -> str:
    """Return `seconds`, truncated as by `clock`, with as many decimals as it takes to differ from `limit`.

    >>> seconds_beside(3.48, 10), seconds_beside(9.9996, 10), seconds_beside(300.02, 300)
    ('3.4 s', '9.9 s', '300.02 s')
    """
    for decimals in range(1, 7):
        scale = 10**decimals
        text = f"{int(seconds * scale + 1e-6) / scale:.{decimals}f}"
        if float(text) != limit:
            return f"{text} s"
    return f"{limit:.1f} s"


def number_beside(value: float, limit: float, decimals: int = 1, *, sign: Literal["-", "+"] = "-") -> str:
    """Return `value` rounded to `decimals`, or to as many as it takes to be on its side of `limit`.

    >>> number_beside(4.98, 5), number_beside(4.2, 5), number_beside(-0.04, 0, sign="+")
    ('4.98', '4.2', '-0.04')
    """
    for shown in range(decimals, 10):
        text = f"{value:{sign}.{shown}f}"
        if (float(text) - limit) * (value - limit) > 0:
            return text
    return f"{value:{sign}.{decimals}f}"


def megabytes(count: int) -> str:
    """Return `count` bytes in MB (10**6); below 0.1 MB in kB, from 10 GB in GB.

    >>> megabytes(28_800_000), megabytes(1_500)
    ('28.8 MB', '1.5 kB')
    """
    if count >= 10_000_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def describe_file(file: FileFacts) -> str:
    """Return format, duration, sample rate, channels, bit rate and size of a file in one line."""
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


_SHOWN: Final = (
    ("integrated_loudness_lufs", "{:.1f} LUFS"),
    ("true_peak_dbtp", "true peak {:.1f} dBTP"),
    ("speech_percent", "speech {:.0f} %"),
    ("noise_floor_dbfs", "noise floor {:.0f} dBFS"),
    ("snr_db", "SNR {:.0f} dB"),
    ("bandwidth_hz", "up to {:.0f} Hz"),
)


_OF_PAUSES: Final = ("noise_floor_dbfs", "snr_db")


def describe_sound(report: Report) -> str:
    """Return the most important measurements in one line; empty if there are none."""
    measured = report.measurements
    # between words that a gate has silenced there is no noise floor
    unknown = _OF_PAUSES if any(finding.rule == "gated" for finding in report.findings) else ()
    parts = [form.format(measured[name]) for name, form in _SHOWN if name in measured and name not in unknown]
    measured_s, duration_s = measured.get("measured_s"), report.file.duration_s or 0.0
    if report.judged is not None:
        start, end = (clock(at) for at in report.judged)
        parts.append(f"measured from {start} to {end}, the part that onetake fix keeps")
    elif measured_s is not None and duration_s - measured_s > 1:
        parts.append(f"measured over the first {clock(measured_s)}")
    return ", ".join(parts)
