"""Recordings in formats that fixtures/ does not contain, with the same bytes each time: failures are reproducible."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from tests.fuzz.fields import with_checksums
from tests.support import make_audio as making

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.make_audio import Sound

_SECONDS: Final = 3
_BY_LIBSNDFILE: Final = (
    *(("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("AU", "PCM_16")),
    *(("W64", "PCM_16"), ("RF64", "PCM_16"), ("VOC", "PCM_U8"), ("FLAC", "PCM_24"), ("WAVEX", "PCM_24")),
    *(("WAV", "PCM_U8"), ("WAV", "PCM_32"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "IMA_ADPCM")),
    *(("WAV", "MS_ADPCM"), ("WAV", "GSM610"), ("WAV", "G721_32"), ("MP3", "MPEG_LAYER_III")),
)
_BY_FFMPEG: Final = (
    *(("matroska", "libopus", 48_000, 1), ("webm", "libopus", 48_000, 2), ("matroska", "aac", 16_000, 2)),
    *(("asf", "wmav1", 16_000, 1), ("asf", "wmav2", 16_000, 2), ("mp2", "mp2", 16_000, 1), ("ac3", "ac3", 48_000, 2)),
    *(("eac3", "eac3", 48_000, 2), ("tta", "tta", 16_000, 1), ("wv", "wavpack", 16_000, 2)),
    *(("ogg", "libopus", 48_000, 2), ("mov", "pcm_s16be", 16_000, 1), ("mov", "alac", 16_000, 2)),
    *(("mov", "adpcm_ima_qt", 16_000, 1), ("adts", "aac", 16_000, 2), ("3gp", "aac", 16_000, 1)),
    *(
        ("mpegts", "aac", 16_000, 1),
        ("mpegts", "ac3", 48_000, 2),
        ("mpeg", "mp2", 16_000, 1),
        ("avi", "mp2", 16_000, 1),
    ),
    *(("flv", "aac", 16_000, 1), ("mp4", "ac3", 48_000, 2), ("latm", "aac", 16_000, 1), ("wav", "adpcm_ms", 16_000, 2)),
    *(("amr", "libopencore_amrnb", 8_000, 1), ("caf", "pcm_s16le", 16_000, 1)),
)
_SAME_EVERY_TIME: Final = {"fflags": "+bitexact"}


def made(seconds: float = _SECONDS) -> Mapping[str, bytes]:
    """Return some seconds of speech in each format, by name."""
    return {name: make() for name, make in makers(seconds).items()}


def makers(seconds: float) -> Mapping[str, Callable[[], bytes]]:
    """Return functions that make each format, by name; each makes its recording once, on its first call."""
    talk = making.talk(seconds)
    forms: dict[str, Callable[[], bytes]] = {
        f"{subtype.lower()}.{form.lower()}": partial(making.wav, talk, subtype=subtype, form=form)
        for form, subtype in _BY_LIBSNDFILE
    }
    for muxer, codec, rate, channels in _BY_FFMPEG:
        forms[f"{codec}.{muxer}"] = partial(_coded, talk, muxer, codec, rate, channels)
    floats = making.form_chunk(3, bits=32), making.chunk(b"data", talk.tobytes())
    forms["float.wav"] = partial(making.riff, *floats)
    forms["fragmented.m4a"] = partial(making.m4a, talk, fragmented=True)
    forms["vorbis.ogg"] = lambda: _renumbered(making.wav(talk, subtype="VORBIS", form="OGG"))
    return {name: cache(make) for name, make in forms.items()}


def _coded(talk: Sound, muxer: str, codec: str, rate: int, channels: int) -> bytes:
    sound = _spread(making.at_rate(talk, rate), channels)
    return making.coded(sound, muxer, codec, rate=rate, muxing=_SAME_EVERY_TIME)


def _spread(sound: Sound, channels: int) -> Sound:
    return sound if channels == 1 else np.stack([np.roll(sound, 5 * number) for number in range(channels)], axis=1)


def _renumbered(data: bytes) -> bytes:
    """Replace the random serial number of an Ogg stream (RFC 3533, section 6)."""
    page, serial = b"OggS", data[14:18]
    pages = [part.replace(serial, b"take", 1) for part in data.split(page)[1:]]
    return with_checksums(b"".join(page + part for part in pages))
