"""What a worker process does with a job; the caller does the same where no process can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.analysis.analysis import Analysis

if TYPE_CHECKING:
    from preflight.analysis.analyze import Progress
    from preflight.analysis.speakers.windows import Encoder
    from preflight.input.source import Source
    from preflight.worker.protocol import Job


def run_job(source: Source, job: Job, on_progress: Progress | None, encoder: Encoder | None = None) -> Analysis:
    """Read the headers of a recording, or decode and measure it, as the job asks.

    Args:
        source: The open recording.
        job: What to do with it.
        on_progress: As in `analyze_source`.
        encoder: The speaker model that the job names.

    Raises:
        NotARecording: It is not recognized as audio, or cannot be decoded.
        CannotOpen: Reading failed.
        BadSpeakerModel: The model cannot be used.
    """
    if job.headers_only:
        from preflight.media.probe import probe

        facts = probe(source, quick=True)
        return Analysis(probe=facts, method="headers", damage=facts.damage, padded_s=facts.padded_s)
    # imported here: the process that asks does not load the decoder and the meters
    from preflight.analysis.analyze import analyze_source
    from preflight.fixes.window import analyze_kept_part

    if job.judge_part:
        return analyze_kept_part(
            source, pictures=job.pictures, speakers=job.speakers, encoder=encoder, on_progress=on_progress
        )
    return analyze_source(
        source,
        measure_s=job.measure_s,
        pictures=job.pictures,
        speakers=job.speakers,
        encoder=encoder,
        on_progress=on_progress,
    )
