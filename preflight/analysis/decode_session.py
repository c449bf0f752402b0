"""One pass over a recording: what its headers say, then its sound, then how decoding went.

A pass is made here, or by a process of its own (`preflight.worker`); those who listen see no difference.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from preflight.media.decoder import Decoder
from preflight.media.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Ending
    from preflight.analysis.vad.speech import SpeechDetector
    from preflight.input.source import Source
    from preflight.media.decoder import Stored
    from preflight.media.probe import Probe


class Pass(Protocol):
    """One pass over a recording."""

    @property
    def probe(self) -> Probe:
        """What the headers say."""

    def blocks(self) -> Iterator[Stored]:
        """Yield the sound; see `Decoder.stored_blocks`."""

    @property
    def ending(self) -> Ending:
        """How decoding went, when there are no more blocks."""

    @property
    def ear(self) -> SpeechDetector:
        """Who listens for speech in what the meters make of the blocks."""


class DecodeSession:
    """A pass made in this process.

    Args:
        source: The open recording.

    Raises:
        NotARecording: Nothing in it is recognised as audio.
        CannotOpen: Reading failed.
    """

    def __init__(self, source: Source) -> None:
        self.probe = probe(source)
        self._decoder = Decoder(source, self.probe)

    def blocks(self) -> Iterator[Stored]:
        """Decode, block by block."""
        return self._decoder.stored_blocks() if self.probe.has_sound else iter(())

    @property
    def ending(self) -> Ending:
        """How decoding went, when there are no more blocks."""
        return self._decoder.ending

    @cached_property
    def ear(self) -> SpeechDetector:
        """A detector of its own."""
        from preflight.analysis.vad.speech import SpeechMeter

        return SpeechMeter(self.probe.sample_rate_hz)
