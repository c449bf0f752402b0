"""One pass over a recording: what its headers say, then its sound, then how decoding went.

A pass is made here, or by a process of its own (`preflight.isolation`); those who listen see no difference.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from preflight.decode import Decoder
from preflight.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.decode import Stored
    from preflight.decoded import Ending
    from preflight.meters.speech import Ear
    from preflight.probe import Probe
    from preflight.source import Source


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
    def ear(self) -> Ear:
        """Who listens for speech in what the meters make of the blocks."""


class PassHere:
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
    def ear(self) -> Ear:
        """A detector of its own."""
        from preflight.meters.speech import SpeechMeter

        return SpeechMeter(self.probe.sample_rate_hz)
