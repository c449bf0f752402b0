"""Rules about what sounds behind the voice: music, and other voices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from preflight.display.text import number_beside
from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

_ROOM_S: Final = 0.36
"""Dry speech measures up to 0.3."""
_REVERBERANT_S: Final = 0.42
"""The limit of `reverberant`: above it, the reverberation of the voice fills the pauses."""
_HALL_S: Final = 0.8
"""Above this, the reverberation of the voice fills its pauses evenly, too."""
_HUM_DB: Final = {"hum_db": 13.0, "buzz_db": 5.0}
"""The limits of `hum`: its lines raise the level of the pauses, and pulses bend it."""
_EVEN_DB: Final = 5.0
_FAIRLY_EVEN_DB: Final = 8.0
"""Spread of the quietest levels (`background_spread_db`). For a voice in a room, it is 6 dB or more; with music or many
other voices behind it, 1 to 5 dB; with two or three other voices, up to 8 dB."""
_STEADY_DB: Final = 4.5
"""The same for other voices in a room."""
_STEADY_IN_A_ROOM_DB: Final = 3.0
"""The same if the voice is in that room, too. Without other voices it has 6 dB or more; compressed, 3.2 dB."""
_LONGEST_DECAY_S: Final = 0.6
"""Up to this decay, the voice's own reverberation ends within the pauses."""
_BACKGROUND_DB: Final = -28.0
"""In speech that is 30 dB above an even noise, the quietest moments are below this."""
_TONAL_BACKGROUND_DB: Final = -31.0
"""With tones, quieter sound is enough: noise has fewer than 0.8 held tones, even this far below the voice."""


def _is_loud(analysis: Analysis, limit_db: float, spread_db: float) -> bool:
    """Whether the pauses contain sound other than the voice and hum."""
    measured = analysis.measurements
    hums = any(measured.get(name, 0.0) > limit for name, limit in _HUM_DB.items())
    level, spread = measured.get("background_level_db", -120.0), measured.get("background_spread_db", 120.0)
    return not hums and level > limit_db and spread < spread_db


def _music(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if not analysis.can_be_judged:
        return
    for name, threshold in _limits(analysis):
        tones = analysis.measurements.get(name, 0.0)
        if tones > rule[threshold]:
            yield rule.finding(
                f"music: on average {number_beside(tones, rule[threshold])} tones last for 0.2 s where the sound is "
                f"quiet (limit {rule[threshold]:g}): turn it off and record again, or use a take without it",
                value=tones,
                threshold=threshold,
                detail="tones that change between the words",
            )
            return


def is_music(analysis: Analysis) -> bool:
    """Whether `music` is found, with the usual thresholds."""
    return any(_music(MUSIC, analysis))


def _limits(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield the measurements that show music, and their thresholds: held tones, then fading ones."""
    decay = analysis.measurements.get("room_decay_s", 0.0)
    if "speech_level_dbfs" not in analysis.measurements:
        yield "held_tones", "max_held_tones_without_speech"
        yield "fading_tones", "max_fading_tones_without_speech"
    elif decay > _HALL_S:
        yield "held_tones", "max_held_tones_in_a_room"
    elif _is_loud(analysis, _TONAL_BACKGROUND_DB, _EVEN_DB):
        yield "held_tones", "max_held_tones_in_loud_pauses"
        yield "fading_tones", "max_fading_tones_in_loud_pauses"
    else:
        # in a room the harmonics of the voice itself go on for a while
        yield "held_tones", "max_held_tones_in_a_room" if decay > _ROOM_S else "max_held_tones"
        yield "fading_tones", "max_fading_tones"


def _babble(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if not analysis.can_be_judged or is_music(analysis):
        return  # music changes, too
    level, limit = measured.get("background_level_db", -120.0), rule.threshold("max_background_level_db")
    for name, threshold, seconds in _bends(rule, analysis):
        bend = measured[name]
        yield rule.finding(
            f"other voices, or music, behind the voice: its pauses are only {-level:.0f} dB quieter, and their level "
            f"fluctuates by {number_beside(bend, rule[threshold])} dB within {seconds:g} s (limit {rule[threshold]:g} "
            "dB): record without people talking or music playing nearby",
            value=bend,
            threshold=threshold,
            quality=limit.grade(level),
            detail=f"{-level:.0f} dB below the voice",
        )
        return


def _bends(rule: Rule, analysis: Analysis) -> Iterator[tuple[str, str, float]]:
    """Yield the measurements that show other voices, their thresholds, and the seconds that these are about.

    The residue of noise reduction bends each band separately, and is not babble.
    """
    measured, level_db = analysis.measurements, rule["max_background_level_db"]
    bend, decay_s = measured.get("background_bend_db", 0.0), measured.get("room_decay_s", 0.0)
    in_pauses = measured.get("pause_bend_db")
    if in_pauses is not None and in_pauses <= rule["max_pause_bend_db"]:
        return  # even noise: a compressor bends its level at the edges of the pauses
    if (
        bend > rule["max_background_bend_db"]
        and measured["background_likeness"] >= rule["min_background_likeness"]
        and decay_s <= _REVERBERANT_S
        # levels that rise and fall spread as much as they bend; those that only fade, in a room, spread more
        and _is_loud(analysis, level_db, min(_FAIRLY_EVEN_DB, bend))
    ):
        yield "background_bend_db", "max_background_bend_db", 0.1
    if (
        in_pauses is not None
        and measured["pause_likeness"] >= rule["min_pause_likeness"]
        and 0 < decay_s <= _LONGEST_DECAY_S  # an unmeasured decay may be very long
        and _is_loud(analysis, level_db, _STEADY_DB if decay_s <= _REVERBERANT_S else _STEADY_IN_A_ROOM_DB)
    ):
        yield "pause_bend_db", "max_pause_bend_db", 0.2


MUSIC = Rule(
    "music",
    "warning",
    what="There is music, alone or behind the voice.",
    why="The clone is made from voice and music together, and reproduces both.",
    source="Spectral lines between 500 and 4000 Hz that stay within 4 Hz for 0.2 s and fall by less than 3 dB, in the "
    "quietest quarter of the sound, without those that never change (hum, whine). The harmonics of a voice glide.",
    fix_hint="Turn the music off, or use a recording without it.",
    judge=_music,
    thresholds=(
        Threshold(
            "max_held_tones",
            2.6,
            "Speech without music has up to 2.5 held tones, in small rooms with hard walls, and dry speech less than "
            "1.2: docs/benchmarks.md.",
            5.0,
            "Chords 10 dB below the voice have this many.",
        ),
        Threshold(
            "max_held_tones_in_a_room",
            4.0,
            "As above, where sound takes more than 0.36 s to decay: there the harmonics of a voice are held, too.",
            5.0,
            "As above.",
        ),
        Threshold(
            "max_held_tones_in_loud_pauses",
            1.0,
            "Where the pauses are less than 31 dB below the voice and even: noise has up to 0.5 there, other voices up "
            "to 0.6, music 20 to 5 dB below the voice 0.8 to 6: docs/benchmarks.md.",
            2.4,
            "The median of music 15 dB below the voice.",
        ),
        Threshold(
            "max_held_tones_without_speech",
            1.2,
            "Where the detector finds little speech: the reverberation of a voice cannot explain more tones.",
            1.2,
            "Music alone cannot be cloned.",
        ),
        Threshold(
            "max_fading_tones",
            4.5,
            "Tones that fall by up to 9 dB in 0.2 s, as plucked ones do. Dry speech has up to 1.6, and up to 3.8 in "
            "rooms with a reverberation time of up to 1 s. Not judged where sound takes more than 0.8 s to decay.",
            6.0,
            "Plucked notes 10 dB below the voice have up to this many.",
        ),
        Threshold(
            "max_fading_tones_in_loud_pauses",
            2.6,
            "As above, where the pauses are less than 31 dB below the voice and even: noise and other voices "
            "have up to 1.3, rooms 2, plucked notes 2 to 6.7: docs/benchmarks.md.",
            6.0,
            "As above.",
        ),
        Threshold(
            "max_fading_tones_without_speech",
            3.5,
            "Voices that the detector does not recognize have up to 2.5, in rooms with a reverberation time of up to "
            "1.2 s: docs/benchmarks.md.",
            3.5,
            "Music alone cannot be cloned.",
        ),
    ),
    label="music",
)
BABBLE = Rule(
    "babble",
    "warning",
    what="Other people talk behind the voice; fast music without held tones looks the same.",
    why="The clone is made from all voices together.",
    source="How much the level bends (its mean second difference over 96 ms) in seven bands from 250 to 4000 Hz, in "
    "the quietest 15 % of the sound, or over 192 ms in pauses of 0.4 s and more. The level of noise is even, that of "
    "reverberation falls steadily, and that of voices bends with each syllable.",
    fix_hint="Record in a room without other people, or use a recording without other voices.",
    judge=_babble,
    thresholds=(
        Threshold(
            "max_background_bend_db",
            3.5,
            "Noise has up to 2.7 dB, swelling noise 3.1 dB, three to ten other voices 4 to 12 dB: docs/benchmarks.md.",
        ),
        Threshold(
            "max_background_level_db",
            _BACKGROUND_DB,
            "The level that 95 % of the sound exceeds, relative to the level of the loudest tenth.",
            -22.0,
            "Six voices together 15 dB below the voice, the SNR below which `noisy` is poor.",
        ),
        Threshold(
            "min_background_likeness",
            0.28,
            "The correlation of the bends of two neighboring bands: voices have 0.27 to 0.8, what noise reduction "
            "leaves at most 0.27: docs/benchmarks.md.",
        ),
        Threshold(
            "max_pause_bend_db",
            2.5,
            "The median, in pauses of 0.4 s and more: noise has up to 1.9 dB, compressed noise 2.3 dB, ten other "
            "voices in a room 2.7 to 4 dB: docs/benchmarks.md.",
        ),
        Threshold(
            "min_pause_likeness",
            0.2,
            "The correlation of these bends of two neighboring bands: voices in a room have 0.2 to 0.6, what noise "
            "reduction leaves 0 to 0.1.",
        ),
    ),
    label="other voices or music",
)
