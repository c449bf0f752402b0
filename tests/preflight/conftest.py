from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from preflight.worker.pool import end_all
from tests.support.make_audio import talk, wav


@pytest.fixture(scope="session")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 s of speech, with a pause of 0.6 s every 12 s."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    path.write_bytes(wav(talk(320)))
    return path


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Path]:
    """A good recording at which the decoder will fail, once `install` said how."""
    path = tmp_path / "faulty.wav"
    path.write_bytes(wav(talk(30)))
    end_all()
    yield path
    end_all()
