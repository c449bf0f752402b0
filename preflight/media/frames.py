"""Convert the decoded frames of FFmpeg to float32 arrays: their format and their full scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.fifo import AudioFifo
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from numpy.typing import NDArray

    Planes = NDArray[np.float32]


_WINDOW: Final = 4096
_INTEGER_SCALES: Final = (2.0**15, 2.0**23, 2.0**31)
"""The full scale of 16, 24 and 32 bits."""
_WHOLE_ABOVE: Final = 4.0
"""If all samples are whole numbers and exceed this, they are integers: normal floats are fractions."""
_LOUD_MEDIAN: Final = 64.0
"""36 dB above full scale. The median, because a few corrupt samples are damage, not another scale."""
_LOUD_SHARE: Final = 0.05
"""The share of the non-silent windows whose median must exceed `_LOUD_MEDIAN`."""
_OUTLIER_SHARE: Final = 0.005
"""The share of the loudest windows that is ignored when the scale is chosen."""


class ScaleMeter:
    """Estimates the full scale from the peaks and medians of windows of 4096 samples."""

    def __init__(self) -> None:
        self._peaks: list[float] = []
        self._medians: list[float] = []
        self._is_whole = True

    def add(self, block: NDArray[Any]) -> None:
        """Add a block of floats, shape (frames, channels); NaN and infinity are ignored."""
        flat = block.reshape(-1)
        sizes = np.abs(np.where(np.isfinite(flat), flat, 0)).astype(np.float64)
        self._is_whole = self._is_whole and bool((sizes == np.rint(sizes)).all())
        for start in range(0, len(sizes), _WINDOW):
            window = sizes[start : start + _WINDOW]
            self._peaks.append(float(window.max()))
            self._medians.append(float(np.median(window)))

    def scale(self) -> float:
        """Return the full scale: 1, that of 16, 24 or 32 bits, or the next power of two above the peaks."""
        peaks, medians = np.array(self._peaks), np.array(self._medians)
        medians, peaks = medians[peaks > 0], np.sort(peaks[peaks > 0])
        if not len(peaks):
            return 1.0
        # the loudest windows may be clicks or corrupt samples
        typical = float(peaks[int((1 - _OUTLIER_SHARE) * (len(peaks) - 1))])
        loud = float((medians > _LOUD_MEDIAN).mean())
        if loud < _LOUD_SHARE and not (self._is_whole and typical > _WHOLE_ABOVE):
            return 1.0
        return next((scale for scale in _INTEGER_SCALES if typical <= scale), float(2 ** np.ceil(np.log2(typical))))


_NEAR_S = 0.1
"""Format changes within this time count as one."""
_DTYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}
_FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "s64": 2.0**63}


class FrameConverter:
    """Converts frames to one sample rate and one number of channels.

    Args:
        sample_rate_hz: The sample rate of the output in hertz.
        channels: The number of channels of the output.
        changes: A list to which format changes are appended: (seconds, sample rate, channels).
    """

    def __init__(self, sample_rate_hz: int, channels: int, changes: list[tuple[float, int, int]]) -> None:
        self._changes = changes
        self._output_format = (sample_rate_hz, channels)
        self._input_format = self._output_format
        self._resampler: AudioResampler | None = None
        self._frames = 0

    @property
    def position_s(self) -> float:
        """The duration of the output so far in seconds."""
        return self._frames / self._output_format[0]

    def frames(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """Yield the converted `frame`; for None, the rest that the resampler has buffered."""
        form = (frame.sample_rate, frame.layout.nb_channels) if frame else None
        if form != self._input_format:
            yield from self._flush()
        if frame is None or form is None:
            return
        if form != self._input_format:
            self._input_format = form
            self._note_change(form)
        if form == self._output_format:
            self._frames += frame.samples
            yield frame
            return
        self._resampler = self._resampler or self._new_resampler()
        frame.pts = None  # the resampler would fill gaps between timestamps with silence
        for out in self._resampler.resample(frame):
            self._frames += out.samples
            yield out

    def _note_change(self, form: tuple[int, int]) -> None:
        changes, at_s = self._changes, self.position_s
        if changes and at_s - changes[-1][0] < _NEAR_S:
            at_s = changes.pop()[0]  # FFmpeg reports the new sample rate one frame after the new channels
        changes.append((at_s, *form))

    def _new_resampler(self) -> AudioResampler:
        import av

        rate, channels = self._output_format
        return av.AudioResampler(format="fltp", layout="mono" if channels == 1 else f"{channels}c", rate=rate)

    def _flush(self) -> Iterator[AudioFrame]:
        resampler, self._resampler = self._resampler, None
        if resampler is not None:
            for out in resampler.resample(None):
                self._frames += out.samples
                yield out


class FrameCollector:
    """Collects small frames to larger blocks: an array per frame would cost more than the decoding.

    Args:
        block_frames: The number of samples per channel in a block.
        exact: As in `samples_of`.
    """

    def __init__(self, block_frames: int, *, exact: bool = False) -> None:
        from av.audio.fifo import AudioFifo

        self._block_frames, self._exact = block_frames, exact
        self._new_fifo: Callable[[], AudioFifo] = AudioFifo
        self._fifo, self._channels = AudioFifo(), 0

    def add(self, frame: AudioFrame) -> Iterator[Planes]:
        """Add a frame; yield full blocks of shape (channels, frames)."""
        frame.pts = None  # AudioFifo raises for a timestamp that does not follow the previous one
        channels = frame.layout.nb_channels
        if channels != self._channels:  # AudioFifo does not check them, and would read past the frame's planes
            yield from self._restart(channels)
        try:
            self._fifo.write(frame)
        except ValueError:  # another sample format, rate or time base
            yield from self._restart(channels)
            self._fifo.write(frame)
        while self._fifo.samples >= self._block_frames:
            yield samples_of(self._fifo.read(self._block_frames), exact=self._exact)

    def _restart(self, channels: int) -> Iterator[Planes]:
        yield from self.end()
        self._fifo, self._channels = self._new_fifo(), channels

    def end(self) -> Iterator[Planes]:
        """Yield the last, shorter block."""
        if self._fifo.samples:
            yield samples_of(self._fifo.read(self._fifo.samples), exact=self._exact)


def samples_of(frame: AudioFrame | None, *, exact: bool = False) -> Planes:
    """Return the samples of a frame as float32 of shape (channels, frames), with a full scale of 1.

    Args:
        frame: The frame.
        exact: Return what float32 does not hold, 32-bit integers and 64-bit floats, in its own type.
    """
    if frame is None:
        raise RuntimeError("AudioFifo returned fewer samples than it counted")
    from av.audio.plane import AudioPlane

    kind = frame.format.name.rstrip("p")
    if frame.format.is_planar:
        # neither to_ndarray nor planes: PyAV 18 counts nine planes for eight channels, and reading the last one crashes
        planes = (AudioPlane(frame, number) for number in range(frame.layout.nb_channels))
        array = np.stack([np.frombuffer(memoryview(plane), _DTYPES[kind])[: frame.samples] for plane in planes])
    else:
        array = frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T
    if exact and kind in ("s32", "dbl"):
        return cast("Planes", array)  # another type, as requested
    if kind in ("flt", "dbl"):
        return array.astype(np.float32, copy=False)
    offset = 128 if kind == "u8" else 0  # 8-bit samples are unsigned
    return np.asarray((array.astype(np.float64) - offset) / _FULL_SCALE[kind], dtype=np.float32)
