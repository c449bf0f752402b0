"""Audio from the service is saved, or the error says where it is and why it could not be saved."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from onetake.errors import UsageError, failure_of
from onetake.exit_status import Status
from onetake.io.received_audio import SavedElsewhere, require_creatable, require_writable, save_audio, save_given
from tests.support.services import FIXTURES

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
AUDIO = (FIXTURES / "good.mp3").read_bytes()


def test_nothing_is_left_after_the_check_whether_a_file_can_be_created(tmp_path: Path) -> None:
    require_creatable(tmp_path / "out.mp3")
    require_writable(tmp_path / "out.mp3", replace=False)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'.*out.mp3' cannot be written: there is no such folder"):
        require_writable(tmp_path / "gone" / "out.mp3", replace=True)


@LINUX
def test_a_folder_in_which_no_file_can_be_created_is_a_usage_error() -> None:
    """Its permissions allow it."""
    with pytest.raises(UsageError, match=r"'/proc/out.mp3' cannot be written: no such file") as caught:
        require_writable(Path("/proc/out.mp3"), replace=False)
    assert failure_of(caught.value).status == Status.USAGE


def test_a_folder_that_disappears_is_no_bug(tmp_path: Path) -> None:
    out = tmp_path / "gone" / "out.mp3"
    with pytest.raises(UsageError) as caught:
        save_audio(out, lambda file: file.write(AUDIO))
    failure = failure_of(caught.value)
    assert failure.message == f"{str(out)!r} cannot be written: no such file or directory"
    assert failure.kind == "usage"


def test_audio_of_an_answer_is_saved_elsewhere_with_the_reason_once(tmp_path: Path, home: Path) -> None:
    with pytest.raises(SavedElsewhere) as caught:
        save_given(tmp_path / "gone" / "out.mp3", AUDIO)
    assert caught.value.message.count("cannot be written") == 1
    assert Path(caught.value.saved).read_bytes() == AUDIO
    assert Path(caught.value.saved).is_relative_to(home)
