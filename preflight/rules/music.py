"""The rule about music, alone or behind the voice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

# Seconds; dry speech measures up to 0.3.
_ROOM_S = 0.36


def _music(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    tones, decay = (analysis.measurements.get(name, 0.0) for name in ("held_tones", "room_decay_s"))
    # in a room the harmonics of the voice itself go on for a while
    threshold = "max_held_tones_in_a_room" if decay > _ROOM_S else "max_held_tones"
    if "speech_level_dbfs" not in analysis.measurements:
        threshold = "max_held_tones_without_speech"
    if analysis.can_be_judged and tones > rule[threshold]:
        yield rule.finding(
            f"music: {tones:.1f} tones are held on average where the voice is quiet, above {rule[threshold]:g}: turn "
            "it off and record again, or use a take without it",
            value=tones,
            threshold=threshold,
            detail="tones that change between the words",
        )


MUSIC = Rule(
    "music",
    "warning",
    what="There is music, alone or behind the voice.",
    why="The clone is made from voice and music together, and sings along.",
    source="Spectral lines between 500 and 4000 Hz that stay within 4 Hz and 3 dB for 0.2 s, in the quietest quarter "
    "of the sound, without those that never change (hum, whine). The harmonics of a voice glide.",
    fix_hint="Turn the music off, or use a recording without it.",
    judge=_music,
    thresholds=(
        Threshold(
            "max_held_tones",
            2.6,
            "Speech without music has up to 2.5, in small rooms with hard walls; dry speech below 1.2: "
            "docs/benchmarks.md.",
            5.0,
            "Chords 10 dB below the voice have this much.",
        ),
        Threshold(
            "max_held_tones_in_a_room",
            4.0,
            "As above, where sound takes more than 0.36 s to decay: there the harmonics of a voice are held, too.",
            5.0,
            "As above.",
        ),
        Threshold(
            "max_held_tones_without_speech",
            1.2,
            "Where the detector finds little speech, there is no voice in a room that could explain more.",
            1.2,
            "Music alone cannot be cloned.",
        ),
    ),
    label="music",
)
