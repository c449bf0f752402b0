"""The limits of the clone endpoint, and the limits of decoding.

Source of the contract limits: the endpoint's parameter table (`audio_url`, `clone_prompt`). Where the table is
ambiguous, the interpretation is stated at the constant.
"""

from typing import Final

MIN_DURATION_S: Final = 10.0
MAX_DURATION_S: Final = 300.0
PROMPT_BELOW_S: Final = 8.0
"""A prompt clip must be *shorter* than this."""

MAX_BYTES: Final = 20 * 2**20
"""A file above 20 MiB is too large, whether "20 MB" means 10**6 or 2**20 bytes."""
SAFE_BYTES: Final = 20_000_000
"""Files that are written stay below 20 * 10**6 bytes; a recording between the two values gets a warning."""

MAX_CHANNELS: Final = 2

LOSSY_MARGIN_S: Final = 0.1
"""Decoders disagree about encoder delay and padding: 1105 + 1152 samples of MP3 at 22.05 kHz are 0.10 s.
A lossy recording closer to a limit than this gets a warning, and no file is written this close."""

WRITE_ABOVE_S: Final = MIN_DURATION_S + 2 * LOSSY_MARGIN_S
WRITE_BELOW_S: Final = MAX_DURATION_S - 0.5
"""Cuts have a duration between `WRITE_ABOVE_S` and this."""

MIN_SAMPLE_RATE_HZ: Final = 1_000
MAX_SAMPLE_RATE_HZ: Final = 768_000
"""Recorders do not use sample rates outside this range: a header with such a rate is broken."""

MAX_SAMPLE: Final = 128.0
"""Floating-point samples more than 42 dB above full scale are damage, not audio."""

MAX_DECODED_S: Final = 6 * 3600.0
MAX_DECODED_SAMPLES: Final = 6 * 3600 * 48_000
"""Samples of all channels. Decoding stops at the first of the two limits, which bound the work for a small file that
decodes to hours of audio."""

MAX_SOURCE_BYTES: Final = 4 << 30
"""Larger files are not read: `MAX_DECODED_SAMPLES` of 32 bits take 3.9 GiB, so decoding would stop before their end."""

BLOCK_SAMPLES: Final = 131_072
"""Samples of all channels in a block, so that the memory for a block does not depend on the number of channels."""

SILENCE_DBFS: Final = -90.0
"""A recording whose peak is below this, the least significant bit of 16-bit audio, is silent."""

ACCEPTED: Final = {"wav": ".wav", "mp3": ".mp3", "m4a": ".m4a"}
"""Accepted containers, each with the file name extension that the endpoint expects."""

WAV_CODECS: Final = frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"})
"""Codecs that every WAV reader supports, unlike A-law, ADPCM or MP3 in a WAV."""
