"""The speech model that the wheel of the engine carries, where tests find it and where a download would lie."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def carried_model() -> Path:
    """The folder of `tiny-en`."""
    found = find_spec("moonshine_voice")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "assets" / "tiny-en"


def fill_cache(cache: Path) -> None:
    """Lay out the model as the engine lays out what it downloads."""
    folder = cache / "download.moonshine.ai" / "model" / "tiny-en" / "quantized" / "tiny-en"
    folder.mkdir(parents=True)
    for file in carried_model().iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "decoder_with_attention.ort").touch()  # for times of words, which are not requested here
