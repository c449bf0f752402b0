"""Model names, as data.

Sources: the clone endpoint's page lists the 02, 2.5 and 2.8 families, and one copy of it the 2.6 family too;
there is a T2A page for each of the eight.
"""

from __future__ import annotations

from typing import Final

SPEECH_MODELS: Final = (
    "speech-02-hd",
    "speech-02-turbo",
    "speech-2.5-hd-preview",
    "speech-2.5-turbo-preview",
    "speech-2.6-hd",
    "speech-2.6-turbo",
    "speech-2.8-hd",
    "speech-2.8-turbo",
)
"""Models that can read a text with a voice (T2A), oldest first."""

CLONE_MODELS: Final = SPEECH_MODELS
"""Models that some copy of the clone endpoint's page lists for the trial listening."""
