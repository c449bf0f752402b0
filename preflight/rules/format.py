"""Rules about the format of a file: readable, audio, in an accepted format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight import limits
from preflight.display.text import clock, number_beside
from preflight.errors import NotExamined
from preflight.rules.model import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.media.probe import Probe
    from preflight.media.wav_header import WavHeader
    from preflight.report import Finding

_CONTRACT = "The clone endpoint's parameter table: audio_url."

_CONTAINERS = {
    "ogg": "an Ogg file",
    "flac": "a FLAC file",
    "adts": "raw AAC (ADTS) without a container",
    "mp4": "an MP4 video",
    "mov": "a QuickTime file (.mov, .qta)",
    "3gp": "a 3GPP file",
    "wma": "a Windows Media file",
    "matroska": "a Matroska or WebM file",
    "aiff": "an AIFF file",
    "rf64": "a 64-bit WAV (RF64 or BW64)",
    "rifx": "a big-endian WAV (RIFX)",
    "w64": "a Sony Wave64 file",
    "caf": "an Apple CAF file",
    "amr": "an AMR file",
    "au": "a Sun AU file",
    "avi": "an AVI video",
    "mpegts": "an MPEG transport stream",
}
_ARTICLES = {".wav": "a WAV", ".mp3": "an MP3", ".m4a": "an M4A"}
_CODECS = {
    "alac": "Apple Lossless (ALAC)",
    "aac": "AAC",
    "xhe_aac": "xHE-AAC (USAC)",
    "opus": "Opus",
    "vorbis": "Vorbis",
    "flac": "FLAC",
    "mp3": "MP3",
    "ac3": "Dolby Digital (AC-3)",
    "eac3": "Dolby Digital Plus (E-AC-3)",
    "wmav1": "Windows Media Audio",
    "wmav2": "Windows Media Audio",
    "adpcm_ms": "ADPCM",
    "adpcm_ima_wav": "ADPCM",
    "gsm_ms": "GSM",
    "amr_nb": "AMR",
    "amr_wb": "AMR",
    "mp2": "MPEG layer II",
    "mp1": "MPEG layer I",
    "pcm_alaw": "A-law",
    "pcm_mulaw": "µ-law",
}


def _not_examined(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if isinstance(problem := analysis.problem, NotExamined):
        yield rule.finding(f"{problem.message}: {problem.hint}")


def _unreadable(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    probe = analysis.probe
    if isinstance(analysis.problem, NotExamined):
        return
    if (problem := analysis.problem) is not None:
        yield rule.finding(f"{problem.message}: {problem.hint}" if problem.hint else problem.message)
    elif probe is None or probe.protected or not probe.audio_tracks:
        return
    elif not probe.codec:
        yield rule.finding("unknown codec, or a broken header: export the file again")
    elif not limits.MIN_SAMPLE_RATE_HZ <= probe.sample_rate_hz <= limits.MAX_SAMPLE_RATE_HZ:
        yield rule.finding(
            f"the header declares a sample rate of {probe.sample_rate_hz} Hz, outside "
            f"{limits.MIN_SAMPLE_RATE_HZ} to {limits.MAX_SAMPLE_RATE_HZ} Hz: export the file again"
        )
    elif not probe.channels:
        yield rule.finding("the header declares no channels: export the file again")
    elif analysis.decoded_s == 0 and probe.codec == "xhe_aac":
        yield rule.finding("xHE-AAC (USAC) audio, which onetake cannot decode: export it as AAC (LC), MP3 or WAV")
    elif analysis.decoded_s == 0 and analysis.damage:
        yield rule.finding("none of the audio could be decoded: copy the file again from its source")


def _no_audio(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if (probe := analysis.probe) is None or probe.protected:
        return
    if not probe.audio_tracks:
        yield rule.finding(f"no audio track{', only video' if probe.has_video else ''}: choose another file")
    elif probe.is_plausible and analysis.duration_s == 0 and not analysis.damage:
        declared = f"{dict(probe.declared).get('stts', 0.0):.1f} s"
        reason = "the file has a header but no audio: record or export it again"
        if probe.hidden_s:
            reason = f"the edit list hides all {declared} of the audio: remove the edit list, or export it again"
        elif probe.is_size_known and not probe.estimated_duration_s:
            reason = f"the header says {declared}, but the file ends before its audio: copy or download it again"
        yield rule.finding(reason)
    elif analysis.decoded_s and (peak := analysis.measurements["sample_peak_dbfs"]) < limits.SILENCE_DBFS:
        yield rule.finding(
            f"silent: peak {number_beside(peak, limits.SILENCE_DBFS, 0)} dBFS, below {limits.SILENCE_DBFS:.0f} dBFS: "
            "check that the right microphone was selected",
            value=peak,
            limit=limits.SILENCE_DBFS,
        )


def _protected(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if analysis.probe and analysis.probe.protected:
        yield rule.finding("the audio is encrypted (DRM) and cannot be decoded: use an unprotected original")


def _unsupported_format(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if not analysis.has_sound or analysis.probe is None:
        return
    reason = format_problem(analysis.probe, headers_only=analysis.method == "headers")
    changes = analysis.changes
    if reason:
        wav = analysis.probe.wav
        is_fixable = analysis.probe.parts == 1 and (wav is None or (wav.is_uniform and not wav.is_contradictory))
        action = "convert it (onetake fix)" if is_fixable else "export it again"
        yield rule.finding(
            f"{reason}; the service accepts MP3, M4A (AAC) and WAV (PCM): {action}",
            fix="convert" if is_fixable else None,
        )
    elif changes:
        at, rate, channels = changes[0]
        yield rule.finding(
            f"the format changes at {clock(at)} to {rate} Hz, {channels} channel{'' if channels == 1 else 's'}: "
            "convert it to one format (onetake fix)",
            spans=((at, analysis.duration_s or at),),
            fix="convert",
        )


def format_problem(probe: Probe, *, headers_only: bool = False) -> str | None:
    """Describe a format that is not accepted, as a noun phrase; None if it is accepted."""
    container = _CONTAINERS.get(probe.container, f"a file in an unsupported format ({probe.container})")
    codec = _CODECS.get(probe.codec) or ("PCM" if probe.codec.startswith("pcm_") else probe.codec)
    if probe.parts > 1:
        return f"{probe.parts} concatenated {probe.container.upper()} files (split them, then use onetake join)"
    if probe.container not in limits.ACCEPTED:
        return container if probe.container in (probe.codec, "adts") else f"{container} with {codec} audio"
    if probe.audio_tracks > 1:
        used = f"track {probe.audio_track + 1}, which has the most speech"
        used = "the one with the most speech" if headers_only else used
        many = f"a file with {probe.audio_tracks} audio tracks"
        return f"{many}, and the service may use any of them (onetake uses {used})"
    if probe.container == "m4a":
        return _m4a_problem(probe, codec)
    if probe.container == "mp3" and probe.codec != "mp3":
        return f"{codec} audio, not MP3"
    return _wav_problem(probe, codec) if probe.container == "wav" else None


def _m4a_problem(probe: Probe, codec: str) -> str | None:
    if probe.ranges:
        return "an M4A that starts with an ID3 tag"
    if probe.codec != "aac":
        return f"an M4A with {codec} audio"
    return "an M4A with a contradictory header" if probe.is_contradictory else None


def _wav_problem(probe: Probe, codec: str) -> str | None:
    wav = probe.wav
    if wav is not None and not wav.is_uniform:
        return _wav_layout(wav)
    if wav is not None and wav.is_contradictory:
        kind = "samples in an unknown order of bits" if wav.is_ordered else "format chunks that contradict each other"
        return f"a WAV with {kind}"
    if probe.codec not in limits.WAV_CODECS:
        return f"a WAV with {codec} audio"
    if wav is not None and not wav.is_plain:
        return "a WAV with a contradictory header"
    return None if wav is None or wav.is_standard else _wav_layout(wav)


def _wav_layout(wav: WavHeader) -> str:
    """Describe a layout of samples that only some programs read completely, as a noun phrase."""
    if not wav.is_uniform:
        kind = "of different formats" if wav.is_plain else "of compressed audio"
        return f"{wav.parts} concatenated WAV files {kind} (split them, then use onetake join)"
    layouts = (
        (wav.parts > 1, f"{wav.parts} concatenated WAV files, each with its own header"),
        (wav.header_offset > 0, "a WAV that starts with a tag or text"),
        (wav.lacks_padding, "a WAV with a chunk of odd size without its padding byte"),
        (not wav.is_ordered, "a WAV whose format chunk is repeated, or comes after the samples"),
        (not wav.declared_bits, "a WAV whose format chunk is too short"),
        (wav.declared_bits != wav.bits, f"a WAV with {wav.declared_bits} bits in samples of {wav.bits}"),
    )
    many = f"a WAV with {len(wav.ranges)} data chunks, and most programs read only the first"
    return next((phrase for is_so, phrase in layouts if is_so), many)


def _extension_mismatch(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if not analysis.has_sound or analysis.probe is None or format_problem(analysis.probe):
        return
    right = limits.ACCEPTED[analysis.probe.container]
    if analysis.suffix and analysis.suffix != right and (analysis.suffix, right) != (".wave", ".wav"):
        yield rule.finding(
            f"the name ends in {analysis.suffix!r}, but the file is {_ARTICLES[right]}: rename it to end in {right!r}",
            fix="rename",
        )


def _too_many_channels(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if analysis.has_sound and analysis.probe and analysis.probe.channels > limits.MAX_CHANNELS:
        yield rule.finding(
            f"{analysis.probe.channels} channels, above the maximum of {limits.MAX_CHANNELS}: use mono (onetake fix)",
            value=analysis.probe.channels,
            limit=limits.MAX_CHANNELS,
            fix="fold-down",
        )


NOT_EXAMINED = Rule(
    "not-examined",
    "error",
    what="A bug in onetake stopped the analysis of the file.",
    why="The file was not analyzed, so it is not sent. Other files are still checked.",
    source="An unexpected exception in the worker process. `onetake check` then exits with status 6.",
    fix_hint="Report the bug, with the file if you can share it. Exporting the file again often helps.",
    judge=_not_examined,
    label="not analyzed",
    is_contract=True,
)
UNREADABLE = Rule(
    "unreadable",
    "error",
    what="The file cannot be opened, or does not contain recognizable audio.",
    why="The service would download it, fail to decode it, and reject the call.",
    source=_CONTRACT,
    fix_hint="Open it in a player. If that fails as well, export it again from the program that recorded it.",
    judge=_unreadable,
    label="unreadable",
    is_contract=True,
)
NO_AUDIO = Rule(
    "no-audio",
    "error",
    what="The file has no audio track, no samples, or only digital silence.",
    why="There is no voice to clone.",
    source="Silence: no sample above -90 dBFS, the least significant bit of 16-bit audio.",
    fix_hint="Select the right microphone and record again.",
    judge=_no_audio,
    label="no sound",
    is_contract=True,
)
PROTECTED = Rule(
    "protected",
    "error",
    what="The audio is encrypted (FairPlay, Common Encryption, Audible).",
    why="Neither onetake nor the service can decode it.",
    source="Sample entries drms and drmi (FairPlay), enca (ISO/IEC 23001-7) and aavd (Audible).",
    fix_hint="Use the unprotected original.",
    judge=_protected,
    label="copy-protected",
    is_contract=True,
)
UNSUPPORTED_FORMAT = Rule(
    "unsupported-format",
    "error",
    what="The file is not an MP3, an M4A with AAC, or a WAV with PCM samples.",
    why="The service accepts only MP3, M4A and WAV.",
    source=_CONTRACT,
    fix_hint="Run `onetake fix`: it converts the audio to an accepted format, losslessly where possible.",
    judge=_unsupported_format,
    label="format not accepted",
    is_contract=True,
)
EXTENSION_MISMATCH = Rule(
    "extension-mismatch",
    "error",
    what="The file name extension does not match the content.",
    why="The service checks the extension in the URL's path before it reads the content.",
    source='Error 2013, "invalid file ext", reported by users of API gateways.',
    fix_hint="Rename the file. `onetake fix` and `onetake clone` use the right extension.",
    judge=_extension_mismatch,
    label="wrong file name extension",
    is_contract=True,
)
TOO_MANY_CHANNELS = Rule(
    "too-many-channels",
    "error",
    what="The recording has more than two channels.",
    why="The service accepts mono and stereo.",
    source=_CONTRACT,
    fix_hint="Run `onetake fix`: it mixes the channels that carry audio down to mono.",
    judge=_too_many_channels,
    label="too many channels",
    is_contract=True,
)
