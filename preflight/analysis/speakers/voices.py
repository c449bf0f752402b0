"""`Voices`: the voice embeddings of a take, and what follows from them: one speaker or several, the same or another.

The measure is the cosine of two embeddings (`preflight.analysis.speakers.encoder`): 1 for the same sound, about 0.9 for
two parts of one take, and below 0.75 for two people. Other models have other limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from preflight.report import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME_VOICE_COSINE: Final = 0.75
"""Measured on 40 voices (docs/benchmarks.md): takes with one speaker are above, takes with two are below."""
_LEAST_WINDOWS: Final = 4
"""Windows that a take needs to be split into two voices."""
_LEAST_SHARE: Final = 0.1
_LEAST_OF_VOICE: Final = 2
"""Windows of the rarer voice: a laugh or a cough in one window is not a second speaker."""
_MAX_ROUNDS: Final = 10
SIZE: Final = 256
"""Values in an embedding of the GE2E encoder."""


class Split(NamedTuple):
    """The two voices that a take consists of most likely; they may be the same.

    Attributes:
        cosine: Of their mean embeddings.
        share: The share of the speech that the rarer voice has, from 0 to 0.5.
        spans: Where the rarer voice speaks, in seconds.
    """

    cosine: float
    share: float
    spans: tuple[Span, ...]


class Voices(msgspec.Struct, frozen=True, kw_only=True):
    """Embeddings of windows that are spread over the speech of a take.

    Attributes:
        vectors: Shape (windows, values), each row of norm 1, as little-endian float32.
        spans: Start and end of each window in the take, in seconds; the pauses in it are left out.
        second_pitch_percent: The share of the voiced sound with a second pitch (`preflight.analysis.speakers.overlap`);
            0 where there is too little.
    """

    vectors: bytes = b""
    spans: tuple[Span, ...] = ()
    second_pitch_percent: float = 0.0

    def array(self) -> NDArray[np.float32]:
        """Return the embeddings, of shape (windows, values)."""
        import numpy as np

        return np.frombuffer(self.vectors, "<f4").reshape(len(self.spans), -1 if self.spans else SIZE)

    def moved(self, by_s: float) -> Voices:
        """Return the same voices, found `by_s` seconds later."""
        spans = tuple((round(start + by_s, 3), round(end + by_s, 3)) for start, end in self.spans)
        return msgspec.structs.replace(self, spans=spans)

    def mean(self) -> NDArray[np.float32]:
        """Return the embedding of the take: the mean of its windows, of norm 1.

        Raises:
            ValueError: There are no windows.
        """
        if not self.spans:
            raise ValueError("no speech, so no voice")
        return _unit(self.array().mean(axis=0))

    def split(self) -> Split | None:
        """Divide the windows into two voices by 2-means on the sphere; None if there is too little speech for that.

        The two windows that differ most are the first centers, so that the result is the same each time. A second
        voice with less than two windows, or less than a tenth of them, does not count.
        """
        import numpy as np

        vectors = self.array()
        if len(vectors) < _LEAST_WINDOWS:
            return None
        one, other = np.unravel_index(np.argmin(vectors @ vectors.T), (len(vectors), len(vectors)))
        centers = vectors[[one, other]]
        is_first = vectors @ centers[0] >= vectors @ centers[1]
        for _ in range(_MAX_ROUNDS):
            if is_first.all() or not is_first.any():
                break
            centers = np.stack([_unit(vectors[is_first].mean(axis=0)), _unit(vectors[~is_first].mean(axis=0))])
            before, is_first = is_first, vectors @ centers[0] >= vectors @ centers[1]
            if (before == is_first).all():
                break
        is_rarer = is_first if is_first.sum() * 2 < len(vectors) else ~is_first
        count = int(is_rarer.sum())
        if count < max(_LEAST_OF_VOICE, _LEAST_SHARE * len(vectors)):
            return Split(1.0, 0.0, ())
        spans = tuple(span for span, is_other in zip(self.spans, is_rarer, strict=True) if is_other)
        return Split(float(centers[0] @ centers[1]), count / len(vectors), spans)


def likeness(one: Voices, other: Voices) -> float | None:
    """Return how alike two takes sound, from 0 to 1: the cosine of their embeddings. None if one has no speech."""
    if not one.spans or not other.spans:
        return None
    return round(max(0.0, min(1.0, float(one.mean() @ other.mean()))), 3)


def odd_ones(takes: list[Voices], limit: float = SAME_VOICE_COSINE) -> dict[int, float]:
    """Return the takes that do not have the voice of the others, and the cosine between each and the mean of those.

    Args:
        takes: Those without speech are left out. If only two have speech and differ, it is the second.
        limit: The lowest cosine at which two voices count as the same.
    """
    import numpy as np

    means = {at: take.mean() for at, take in enumerate(takes) if take.spans}
    found: dict[int, float] = {}
    while len(means) > 1:
        cosines = {
            at: float(mean @ _unit(np.mean([other for each, other in means.items() if each != at], axis=0)))
            for at, mean in means.items()
        }
        # the last of equals: of two takes, the second
        at = min(reversed(cosines), key=lambda each: cosines[each])
        if cosines[at] >= limit:
            break
        found[at] = round(cosines[at], 3)
        del means[at]
    return dict(sorted(found.items()))


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
