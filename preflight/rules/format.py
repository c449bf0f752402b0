"""Rules about what a file is: readable, audio, of an accepted form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight import limits
from preflight.display.text import clock
from preflight.errors import NotExamined
from preflight.rules.model import Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.media.probe import Probe
    from preflight.media.wav_header import WavHeader
    from preflight.report import Finding

_CONTRACT = "The clone endpoint's parameter table: audio_url."

_CONTAINERS = {
    "ogg": "an Ogg file",
    "flac": "a FLAC file",
    "adts": "raw AAC (ADTS) without a container",
    "mp4": "an MP4 with video",
    "mov": "a QuickTime file (.mov, .qta)",
    "3gp": "a 3GPP file",
    "wma": "a Windows Media file",
    "matroska": "a Matroska or WebM file",
    "aiff": "an AIFF file",
    "rf64": "a WAV in its 64-bit form (RF64)",
    "rifx": "a WAV with big-endian samples (RIFX)",
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
    "xhe_aac": "xHE-AAC (USAC), which many decoders cannot decode",
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


def _not_examined(rule: Rule, subject: Subject) -> Iterator[Finding]:
    problem = subject.problem
    if isinstance(problem, NotExamined):
        yield rule.finding(f"{problem.message}: {problem.hint}")


def _unreadable(rule: Rule, subject: Subject) -> Iterator[Finding]:
    probe = subject.probe
    if isinstance(subject.problem, NotExamined):
        return
    if subject.problem is not None:
        problem = subject.problem
        yield rule.finding(f"{problem.message}: {problem.hint}" if problem.hint else problem.message)
    elif probe is None or probe.protected or not probe.audio_tracks:
        return
    elif not probe.codec:
        yield rule.finding("no decoder knows the kind of sound in it, or its header is broken: export it again")
    elif not limits.MIN_SAMPLE_RATE_HZ <= probe.sample_rate_hz <= limits.MAX_SAMPLE_RATE_HZ:
        yield rule.finding(
            f"its header claims a sample rate of {probe.sample_rate_hz} Hz, which cannot be: export it again"
        )
    elif not probe.channels:
        yield rule.finding("its header claims no channels at all: export it again")
    elif subject.decoded is not None and not subject.decoded.duration_s and probe.codec == "xhe_aac":
        yield rule.finding("it holds xHE-AAC (USAC), which cannot be decoded here: export it as AAC (LC), MP3 or WAV")
    elif subject.decoded is not None and not subject.decoded.duration_s and subject.decoded.damage:
        yield rule.finding("nothing in it could be decoded as sound: copy it again from where it came")


def _no_audio(rule: Rule, subject: Subject) -> Iterator[Finding]:
    probe, decoded = subject.probe, subject.decoded
    if probe is None or probe.protected:
        return
    if not probe.audio_tracks:
        yield rule.finding(
            "it has no audio track" + (", only video" if probe.has_video else "") + ": choose another file"
        )
    elif probe.is_plausible and subject.duration_s == 0 and not (decoded and decoded.damage):
        yield rule.finding("it holds a header but no sound: record or export it again")
    elif decoded and decoded.duration_s and decoded.levels["sample_peak_dbfs"] < limits.SILENCE_DBFS:
        yield rule.finding(
            "it is silent from beginning to end: check that the right microphone was chosen",
            value=decoded.levels["sample_peak_dbfs"],
            limit=limits.SILENCE_DBFS,
        )


def _protected(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.probe and subject.probe.protected:
        yield rule.finding("its audio is encrypted (DRM), so nobody can decode it: use an unprotected original")


def _unsupported_format(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.has_sound or subject.probe is None:
        return
    reason = format_problem(subject.probe)
    changes = subject.decoded.changes if subject.decoded else ()
    if reason:
        is_fixable = subject.probe.wav is None or subject.probe.wav.is_uniform
        yield rule.finding(
            f"it is {reason}; accepted are mp3, m4a (AAC) and wav (PCM)", fix="convert" if is_fixable else None
        )
    elif changes:
        at, rate, channels = changes[0]
        yield rule.finding(
            f"its format changes at {clock(at)} to {rate} Hz, {channels} channel(s): it was joined from several",
            spans=((at, subject.duration_s or at),),
            fix="convert",
        )


def format_problem(probe: Probe) -> str | None:
    """Why a file of this form is not accepted, to be read after "it is"; None when it is accepted."""
    container = _CONTAINERS.get(probe.container, f"of a kind that is not accepted ({probe.container})")
    codec = _CODECS.get(probe.codec) or ("PCM" if probe.codec.startswith("pcm_") else probe.codec)
    if probe.container not in limits.ACCEPTED:
        return container if probe.container in (probe.codec, "adts") else f"{container}, holding {codec}"
    if probe.audio_tracks > 1:
        used = f"(track {probe.audio_track + 1} is used: it has the most speech)"
        return f"a file of {probe.audio_tracks} audio tracks, of which a service may take any {used}"
    if probe.container == "m4a" and probe.ranges:
        return "an M4A behind an ID3 tag"
    if probe.container == "m4a" and probe.codec != "aac":
        return f"an M4A that holds {codec}"
    if probe.container == "mp3" and probe.codec != "mp3":
        return f"{codec} audio, not MP3"
    return _wav_problem(probe, codec) if probe.container == "wav" else None


def _wav_problem(probe: Probe, codec: str) -> str | None:
    if probe.codec not in limits.WAV_CODECS:
        return f"a WAV that holds {codec}"
    wav = probe.wav
    if wav is not None and not wav.is_plain:
        return "a WAV whose header contradicts itself"
    return None if wav is None or wav.is_standard else _wav_layout(wav)


def _wav_layout(wav: WavHeader) -> str:
    """Where the samples lie in a WAV that only some programs read completely, to be read after "it is"."""
    if not wav.is_uniform:
        return f"{wav.parts} WAV files of different formats, one after the other (split them and join them again)"
    if wav.parts > 1:
        return f"{wav.parts} WAV files, one after the other, each with its header"
    if wav.header_offset:
        return "a WAV behind an ID3 tag"
    if wav.lacks_padding:
        return "a WAV with a chunk of odd size that lacks its padding byte"
    return f"a WAV whose samples lie in {len(wav.ranges)} data chunks, of which most programs read the first"


def _extension_mismatch(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.has_sound or subject.probe is None or format_problem(subject.probe):
        return
    right = limits.ACCEPTED[subject.probe.container]
    if subject.suffix and subject.suffix != right and (subject.suffix, right) != (".wave", ".wav"):
        yield rule.finding(
            f"its name ends in {subject.suffix!r}, but it is {_ARTICLES[right]}: rename it before you send it by hand",
            fix="rename",
        )


def _too_many_channels(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.has_sound and subject.probe and subject.probe.channels > limits.MAX_CHANNELS:
        yield rule.finding(
            f"it has {subject.probe.channels} channels; at most {limits.MAX_CHANNELS} are accepted",
            value=subject.probe.channels,
            limit=limits.MAX_CHANNELS,
            fix="fold-down",
        )


NOT_EXAMINED = Rule(
    "not-examined",
    "error",
    what="A bug in onetake kept it from examining the file.",
    why="Nothing is known of the file, so it is not sent. Other files are checked all the same.",
    source="Whatever the decoding process did not expect. `onetake check` then ends with status 6.",
    mend="Report it, with the file if you may. Exporting the file again often helps.",
    judge=_not_examined,
    is_contract=True,
)
UNREADABLE = Rule(
    "unreadable",
    "error",
    what="The file cannot be opened, or nothing in it is recognised as audio.",
    why="The endpoint would download it, fail to decode it, and refuse the call.",
    source=_CONTRACT,
    mend="Open it in a player. If that fails too, export it again from the program that recorded it.",
    judge=_unreadable,
    is_contract=True,
)
NO_AUDIO = Rule(
    "no-audio",
    "error",
    what="The file holds no sound: no audio track, no samples, or only digital silence.",
    why="There is no voice to clone.",
    source="Silence: no sample above -90 dBFS, the last bit of 16-bit audio (IEC 60268-17 full scale).",
    mend="Choose the right microphone and record again.",
    judge=_no_audio,
    is_contract=True,
)
PROTECTED = Rule(
    "protected",
    "error",
    what="The audio is encrypted (FairPlay, Common Encryption, Audible).",
    why="Neither onetake nor the endpoint can decode it.",
    source="Sample entries drms, enca (ISO/IEC 23001-7) and aavd.",
    mend="Use the unprotected original.",
    judge=_protected,
    is_contract=True,
)
UNSUPPORTED_FORMAT = Rule(
    "unsupported-format",
    "error",
    what="The file is not an MP3, an M4A with AAC, or a WAV with PCM samples.",
    why="The endpoint takes mp3, m4a and wav, and refuses the rest.",
    source=_CONTRACT,
    mend="`onetake fix` puts the sound into an accepted file, without loss where that can be.",
    judge=_unsupported_format,
    is_contract=True,
)
EXTENSION_MISMATCH = Rule(
    "extension-mismatch",
    "error",
    what="The name ends in something else than what the file is.",
    why="The endpoint looks at the ending of the URL's path before it looks at the content.",
    source='Reported through gateways: "invalid file ext", code 2013.',
    mend="Rename the file, or let `onetake fix` or `onetake clone` give it the right ending.",
    judge=_extension_mismatch,
    is_contract=True,
)
TOO_MANY_CHANNELS = Rule(
    "too-many-channels",
    "error",
    what="The recording has more than two channels.",
    why="The endpoint takes mono and stereo.",
    source=_CONTRACT,
    mend="`onetake fix` folds the channels that carry sound down to one.",
    judge=_too_many_channels,
    is_contract=True,
)
