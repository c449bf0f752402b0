"""The clone endpoint's numbers, in one place.

Source of the contract figures: the endpoint's parameter table (`audio_url`, `clone_prompt`). Where it is
silent the reading is stated beside the number.
"""

from typing import Final

MIN_DURATION_S: Final = 10.0
MAX_DURATION_S: Final = 300.0
PROMPT_BELOW_S: Final = 8.0
"""A prompt clip must be *shorter* than this."""

MAX_BYTES: Final = 20 * 2**20
"""Above 20 MiB a file is too large in either reading of "20 MB"."""
SAFE_BYTES: Final = 20_000_000
"""What is written stays within 20 * 10**6 bytes; between the two readings there is a warning."""

MAX_CHANNELS: Final = 2

LOSSY_MARGIN_S: Final = 0.1
"""Decoders differ by encoder delay and padding: 1105 + 1152 samples of MP3 at 22.05 kHz are 0.10 s.
A lossy take nearer than this to a limit is warned about, and none is written so near."""

WRITE_ABOVE_S: Final = MIN_DURATION_S + 2 * LOSSY_MARGIN_S
WRITE_BELOW_S: Final = MAX_DURATION_S - 0.5
"""What is cut is cut to a length between these."""

MIN_SAMPLE_RATE_HZ: Final = 1_000
MAX_SAMPLE_RATE_HZ: Final = 768_000
"""No recorder writes rates outside this range: a header that claims one is not to be believed."""

MAX_SAMPLE: Final = 128.0
"""Floating-point samples more than 42 dB above full scale are damage, not sound."""

MAX_DECODED_S: Final = 6 * 3600.0
MAX_DECODED_SAMPLES: Final = 6 * 3600 * 48_000
"""Of all channels together. Decoding stops at the first of the two: they bound the work that a small but endless file
can ask for."""

MAX_SOURCE_BYTES: Final = 4 << 30
"""Of a file that is checked or fixed: `MAX_DECODED_SAMPLES` of 32 bits take 3.9 GiB, so a larger one could not be
decoded to its end anyway. Nothing of it is read."""

BLOCK_SAMPLES: Final = 131_072
"""Of all channels together, decoded at a time: what a block takes does not grow with them."""

SILENCE_DBFS: Final = -90.0
"""A whole take that never rises above the last bit of 16-bit audio holds no sound."""

ACCEPTED: Final = {"wav": ".wav", "mp3": ".mp3", "m4a": ".m4a"}
"""Accepted containers, each with the file-name ending that the endpoint expects."""

WAV_CODECS: Final = frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"})
"""What every WAV reader understands; A-law, ADPCM or MP3 inside a WAV are left to few."""
