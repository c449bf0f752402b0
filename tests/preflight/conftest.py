from __future__ import annotations

from pathlib import Path

import pytest

from tests.preflight.making import talk, wav


@pytest.fixture(scope="session")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 s of speech, with a pause of 0.6 s every 12 s."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    path.write_bytes(wav(talk(320)))
    return path
