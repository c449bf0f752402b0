"""What FFmpeg's description of a codec says, and what it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from preflight.media.wav_format import encoded_file

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

_OPUS_RATE_HZ: Final = 48_000
_ESCAPED_OBJECT_TYPE: Final = 31
_USAC_OBJECT_TYPE: Final = 42
"""audioObjectType 31 means that six more bits follow; 42 is USAC (ISO/IEC 14496-3, table 1.17 and 1.6.2.1)."""


def codec_tag(context: AudioCodecContext) -> str:
    """Return the codec tag of four characters; empty if it is not text."""
    try:
        return context.codec_tag
    except UnicodeDecodeError:  # PyAV decodes it as ASCII; a WAV has a number there, such as 0x00FF for AAC
        return ""


def is_usac(context: AudioCodecContext) -> bool:
    """Whether the AudioSpecificConfig has object type 42, USAC (ISO/IEC 14496-3, 1.6.2.1)."""
    config = context.extradata or b""
    if context.codec.canonical_name != "aac" or len(config) < 2 or config[0] >> 3 != _ESCAPED_OBJECT_TYPE:
        return False
    # FFmpeg opens such a stream as AAC and then decodes nothing, so it has to be detected here
    return 32 + (int.from_bytes(config[:2]) >> 5 & 0x3F) == _USAC_OBJECT_TYPE


def opus_delay_s(context: AudioCodecContext) -> float:
    """Return the pre-skip of Opus in seconds, which the granule positions of Ogg include (RFC 7845, 4.3 and 5.1)."""
    head = context.extradata or b""
    return int.from_bytes(head[10:12], "little") / _OPUS_RATE_HZ if head[:8] == b"OpusHead" else 0.0


def bits_of(codec: str, sample_bits: int) -> int | None:
    """Return the bits per sample of a lossless codec; None for lossy ones."""
    if codec in ("flac", "alac", "wavpack", "tta", "ape", "tak"):  # FFmpeg decodes 24 bits to 32-bit samples
        return 16 if sample_bits <= 16 else 24
    if codec in ("pcm_alaw", "pcm_mulaw"):  # G.711: 8 bits expand to 13 or 14
        return 16
    if codec.startswith("pcm_"):
        return 24 if "24" in codec else sample_bits
    return None


def lacks_packet_sizes(codec: str, begin: bytes) -> bool:
    """Whether the audio of a WAV cannot be split into packets: those of AAC and Vorbis do not store their size.

    Args:
        codec: FFmpeg's name of the codec.
        begin: The first bytes of the samples. AAC in ADTS has frame headers.
    """
    return codec == "vorbis" or (codec == "aac" and encoded_file(begin) is None)
