"""Defects of known strength in clean speech: found, missed, and findings in clean speech."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.table import Table
from preflight.input.source import Source
from preflight.media.decoder import Decoder
from preflight.media.probe import probe
from tests.support import conditions, defects
from tests.support import make_audio as making
from tests.support.audio_measures import judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.defects import Defect, Speech

REAL = Path(__file__).parents[2] / "shared" / "audio"
"""Real recordings, where available."""
REAL_NAMES = (
    "OpenVoice__resources_example_reference.mp3",
    "OpenVoice__resources_demo_speaker0.mp3",
    "OpenVoice__resources_demo_speaker2.mp3",
    "CosyVoice__asset_cross_lingual_prompt.wav",
)
LONGEST_S = 14
NEAR_S = 0.05


@dataclass
class Tally:
    """The results for the defects of one kind."""

    rule: str = ""
    strong: int = 0
    missed: list[str] = field(default_factory=list)
    weak: int = 0
    alarms: int = 0
    misnamed: list[str] = field(default_factory=list)
    inaccurate: int = 0
    valued: int = 0
    misplaced: int = 0
    placed: int = 0


def tables(folder: Path) -> list[Table]:
    """Return the table of defects; `folder` is not used."""
    del folder
    tallies: dict[str, Tally] = {}
    raised: list[str] = []
    speeches = list(sources())
    for name, speech in speeches:
        _, clean = judged(speech.sound, speech.rate)
        raised += [f"{name}: {rule}" for rule in clean]
        for defect in conditions.all_conditions(speech):
            count(tallies.setdefault(defect.kind, Tally(defect.rule)), defect, speech.rate, set(clean), name)
    names = ", ".join(name for name, _ in speeches)
    note = f"Injected into clean speech ({names}); strengths and tolerances are in tests/support/defects.py."
    lines = [note, "", *markdown(tallies), "", f"Findings in clean speech: {', '.join(raised) or 'none'}."]
    misnamed = [name for tally in tallies.values() for name in tally.misnamed]
    lines.append(f"Misnamed: {'; '.join(misnamed) or 'none'}.")
    return [Table("Defects", "", (), "\n".join(lines))]


def sources() -> Iterator[tuple[str, Speech]]:
    """Yield clean speech by name: synthetic at two rates, and real where available."""
    yield "synthetic, 16 kHz", defects.clean(making.talk(24), making.RATE)
    resampled = defects.resampled(making.talk(24), making.RATE, 48_000)
    yield "synthetic, 48 kHz", defects.clean(resampled, 48_000)
    for name in REAL_NAMES:
        if (REAL / name).exists():
            with Source.open(REAL / name) as source:
                decoder = Decoder(source, probe(source))
                sound = np.concatenate(list(decoder.blocks())).mean(axis=1)
            rate = decoder.probe.sample_rate_hz
            yield name.replace("__", " "), defects.clean(sound[: LONGEST_S * rate].astype(np.float32), rate)


def count(tally: Tally, defect: Defect, rate: int, clean: set[str], name: str) -> None:
    """Add the result for one defect."""
    decoded, findings = judged(defect.sound, defect.rate or rate, codec=defect.codec, bit_rate_bps=defect.bit_rate_bps)
    wrong = [rule for rule in defect.wrong if rule in findings and rule not in clean]
    tally.misnamed += [f"{defect.kind}, {defect.strength}: {', '.join(wrong)} ({name})"] if wrong else []
    is_found = defect.rule in findings
    if defect.is_strong:
        tally.strong += 1
        tally.missed += [] if is_found else [f"{defect.kind}, {defect.strength} ({name})"]
    else:
        tally.weak += 1
        tally.alarms += is_found and defect.rule not in clean
    if defect.measurement:
        tally.valued += 1
        measured = decoded.measurements.get(defect.measurement, float("inf"))
        tally.inaccurate += not abs(measured - defect.value) <= defect.tolerance
    if defect.spans and is_found:
        spans = findings[defect.rule].spans
        tally.placed += len(defect.spans)
        tally.misplaced += sum(
            not any(abs(a - c) <= NEAR_S and abs(b - d) <= NEAR_S for c, d in spans) for a, b in defect.spans
        )


def markdown(tallies: dict[str, Tally]) -> list[str]:
    """Return the tallies as a Markdown table."""
    lines = [
        "| defect | rule | strong enough | found | missed | misnamed | too weak | false alarms | "
        "value within tolerance | spans within 50 ms |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, tally in tallies.items():
        found = tally.strong - len(tally.missed)
        value = f"{tally.valued - tally.inaccurate} of {tally.valued}" if tally.valued else ""
        place = f"{tally.placed - tally.misplaced} of {tally.placed}" if tally.placed else ""
        counts = (
            f"{tally.strong} | {found} | {len(tally.missed)} | {len(tally.misnamed)} | {tally.weak} | {tally.alarms}"
        )
        lines.append(f"| {kind} | `{tally.rule}` | {counts} | {value} | {place} |")
    return lines
