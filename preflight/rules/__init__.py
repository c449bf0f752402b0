"""The rules: each is data with its source and one function that turns facts into findings."""

from __future__ import annotations

from typing import Final

from preflight.rules import (
    background,
    channels,
    clipping,
    integrity,
    length,
    level,
    music,
    noise_reduction,
    prompt_text,
    speakers,
    speech,
)
from preflight.rules import format as file_format
from preflight.rules.model import Rule, Threshold

__all__ = ["RULES", "Rule", "Threshold"]

_TABLE = (
    file_format.NOT_EXAMINED,
    file_format.UNREADABLE,
    file_format.NO_AUDIO,
    file_format.PROTECTED,
    file_format.UNSUPPORTED_FORMAT,
    file_format.EXTENSION_MISMATCH,
    file_format.TOO_MANY_CHANNELS,
    length.TOO_SHORT,
    length.TOO_LONG,
    length.TOO_LARGE,
    length.PROMPT_TOO_LONG,
    prompt_text.PROMPT_TEXT_MISSING,
    prompt_text.PROMPT_TEXT_UNFIT,
    prompt_text.PROMPT_TEXT_DIFFERS,
    integrity.TRUNCATED,
    integrity.DAMAGED,
    integrity.HEADER_MISMATCH,
    speech.NO_SPEECH,
    speech.UNSURE_VOICE,
    speech.LITTLE_SPEECH,
    clipping.FLOAT_SCALE,
    clipping.ABOVE_FULL_SCALE,
    clipping.CLIPPED,
    level.TOO_QUIET,
    level.TOO_LOUD,
    level.PLOSIVES,
    background.REVERBERANT,  # before noise: reverberation fills the pauses, too
    background.NOISY,
    noise_reduction.GATED,
    noise_reduction.DENOISED,
    music.MUSIC,
    music.BABBLE,
    background.HUM,
    background.RUMBLE,
    background.WHINE,
    background.NARROW_BAND,
    integrity.DROPOUTS,
    integrity.SPLICES,
    channels.DC_OFFSET,
    channels.DEAD_CHANNEL,
    channels.OUT_OF_PHASE,
    speakers.SEPARATE_SPEAKERS,
    speakers.SEVERAL_SPEAKERS,
    channels.FALSE_STEREO,
    speech.EDGE_SILENCE,
    speech.LONG_PAUSE,
)
RULES: Final = {rule.name: rule for rule in _TABLE}
"""All rules by name, in the order of their findings."""
