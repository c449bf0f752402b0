"""Sound through FFmpeg's filters, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.filter import Graph

    from preflight.media.decoder import Block


def filtered(blocks: Iterator[Block], sample_rate_hz: int, filters: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """The blocks through `filters`.

    Args:
        blocks: Float32 arrays of shape (frames, channels).
        sample_rate_hz: Frames a second, before the filters and behind them.
        filters: The name of each in FFmpeg, and its arguments.
    """
    import av
    import av.filter

    graph: Graph | None = None
    for block in blocks:
        if not len(block):
            continue
        layout = "mono" if block.shape[1] == 1 else "stereo"
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_abuffer(format="fltp", sample_rate=sample_rate_hz, layout=layout)
            steps = [graph.add(name, arguments) for name, arguments in filters]
            steps.append(graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}"))
            graph.link_nodes(source, *steps, graph.add("abuffersink")).configure()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout=layout)
        frame.sample_rate = sample_rate_hz
        graph.push(frame)
        yield from _ready(graph)
    if graph is not None:
        graph.push(None)
        yield from _ready(graph)


def _ready(graph: Graph) -> Iterator[Block]:
    from av.audio.frame import AudioFrame
    from av.error import BlockingIOError, EOFError

    from preflight.media.frames import samples_of

    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        if isinstance(frame, AudioFrame):
            yield np.ascontiguousarray(samples_of(frame).T)
