"""`Analysis`: everything known about one take. Rules judge it, `fix` and `prompt` use it, `Report` presents it.

It is also the message in which a worker process returns its result, so all of it can be encoded as MessagePack: arrays
are bytes, and the problem of a take that cannot be read is a `Failure` of the protocol instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from preflight import limits
from preflight.analysis.pictures import Pictures
from preflight.analysis.speakers.voices import Voices
from preflight.errors import PreflightError
from preflight.media.damage import Damage
from preflight.media.probe import Probe
from preflight.report import Method, Role, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST_TURN_S: Final = 2.0
_TURN_SHARE: Final = 0.15
"""The share of the time in which one channel is louder alone: less is crosstalk, a laugh or a cough."""


@dataclass(frozen=True)
class ChannelFacts:
    """What each channel holds.

    Attributes:
        levels_dbfs: RMS of each channel.
        best: The number of the channel with the voice, from 0.
        opposite: Pairs of channels of opposite polarity.
        flipped: Where two channels are opposite that are alike elsewhere, in seconds.
        alone_s: For each channel, how long it is louder than all others by 10 dB.
        correlation: Correlation of two channels; 1 for any other number of channels.
    """

    levels_dbfs: tuple[float, ...]
    best: int = 0
    opposite: tuple[tuple[int, int], ...] = ()
    flipped: tuple[Span, ...] = ()
    alone_s: tuple[float, ...] = ()
    correlation: float = 1.0

    @property
    def speakers(self) -> tuple[int, ...]:
        """The channels that take turns; empty where at most one does."""
        total = sum(self.alone_s)
        own = tuple(at for at, alone in enumerate(self.alone_s) if alone >= max(_LEAST_TURN_S, _TURN_SHARE * total))
        return own if len(own) > 1 else ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A text compared with what a speech model recognized.

    Attributes:
        transcript: The recognized text; empty if there is none.
        agreement: From 0 to 1; None if the texts are written in different scripts, which cannot be compared.
        language: The language of the model as a code, e.g. ``en``.
    """

    transcript: str = msgspec.field(name="heard")  # the name in JSON
    agreement: float | None
    language: str


class Analysis(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Everything known about one take.

    Spans are (start, end) in seconds of the decoded sound.

    Attributes:
        name: The path, fit to be shown.
        suffix: The ending of the file name, lower case, with the dot; empty when there is none.
        size: Size of the file in bytes.
        sha256: Of the whole file, in hexadecimal; None when only headers were read.
        role: What the take is to be used for.
        prompt_text: The text spoken in a prompt clip.
        comparison: That text compared with what a speech model recognized; None where no model was used.
        method: ``decoded``, or ``headers`` when only these were read.
        problem: Why the take could not be opened or recognized; then `probe` is None.
        probe: What the headers say.
        decoded_s: Seconds decoded; None when nothing was decoded.
        padded_s: Seconds that a decoder returns which keeps the encoder's padding, see `Decoder.padded_s`.
        damage: What could not be decoded.
        changes: Where sample rate or channels changed: (seconds, rate, channels).
        stopped: Whether decoding stopped at `limits.MAX_DECODED_S` or `limits.MAX_DECODED_SAMPLES`.
        float_scale: What floating-point samples were divided by, so that full scale is 1.
        measured_s: How much of the recording the meters measured, in seconds.
        judged: The part that the meters measured, where `fix` keeps only a part; None for all, or the first
            `measured_s`.
        measurements: Numbers by name, see each meter.
        speech: Where someone speaks.
        pauses: Where no one speaks, by level and by the speech detector.
        clipped: Where samples are clipped.
        dropouts: Where sound is missing or repeated.
        clicks: Single samples that lie outside the wave.
        splices: Samples before which the wave jumps.
        plosives: Bursts of air on the microphone.
        channels: What each channel holds; None when nothing was decoded.
        frame_s: Seconds of one frame, about 10 ms.
        frame_powers: The mean square of each frame over all channels without their offset, little-endian float32.
        pictures: What can be drawn; None unless requested.
        voices: The voices in the speech; None unless requested.
    """

    name: str = ""
    suffix: str = ""
    size: int = 0
    sha256: str | None = None
    role: Role = "recording"
    prompt_text: str | None = None
    comparison: Comparison | None = None
    method: Method = "decoded"
    problem: PreflightError | None = None
    probe: Probe | None = None
    decoded_s: float | None = None
    padded_s: float | None = None
    damage: tuple[Damage, ...] = ()
    changes: tuple[tuple[float, int, int], ...] = ()
    stopped: bool = False
    float_scale: float = 1.0
    measured_s: float = 0.0
    judged: Span | None = None
    measurements: dict[str, float] = {}  # msgspec copies defaults
    speech: tuple[Span, ...] = ()
    pauses: tuple[Span, ...] = ()
    clipped: tuple[Span, ...] = ()
    dropouts: tuple[Span, ...] = ()
    clicks: tuple[Span, ...] = ()
    splices: tuple[Span, ...] = ()
    plosives: tuple[Span, ...] = ()
    channels: ChannelFacts | None = None
    frame_s: float = 0.0
    frame_powers: bytes = b""
    pictures: Pictures | None = None
    voices: Voices | None = None

    @property
    def duration_s(self) -> float | None:
        """Seconds of sound: decoded, else by the headers; None when unknown."""
        if self.decoded_s is not None:
            return self.decoded_s
        return self.probe.estimated_duration_s if self.probe else None

    @property
    def has_sound(self) -> bool:
        """Whether there is audio at all, so that rules about it make sense."""
        if self.probe is None or not self.probe.has_sound:
            return False
        return self.decoded_s is None or self.decoded_s > 0

    @property
    def is_decoded(self) -> bool:
        """Whether the sound was decoded; else only headers are known."""
        return self.decoded_s is not None

    @property
    def is_measured(self) -> bool:
        """Whether the meters measured any sound."""
        return self.measured_s > 0

    @property
    def can_be_judged(self) -> bool:
        """Whether the meters measured more than digital silence, which `no-audio` reports."""
        return self.is_measured and self.measurements["sample_peak_dbfs"] >= limits.SILENCE_DBFS

    @property
    def whole_stretches(self) -> tuple[Span, ...]:
        """The stretches without damage."""
        starts = [0.0, *(spot.until_s for spot in self.damage)]
        ends = [*(spot.at_s for spot in self.damage), self.duration_s or 0.0]
        return tuple(zip(starts, ends, strict=True))

    def frame_levels_dbfs(self) -> NDArray[np.float32]:
        """RMS of every whole frame over all channels, in dBFS, not below -120; shape (frames,)."""
        import numpy as np

        from preflight.analysis.meters.peak_and_rms import levels_db

        return levels_db(np.frombuffer(self.frame_powers, "<f4"))
