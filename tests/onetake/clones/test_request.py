"""Validation of clone requests: contradictions are refused before anything is read or sent."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import CloneOptions
from onetake.clones.request import (
    CloneRequest,
    conflicts,
    demo_in,
    require_distinct,
    require_free_demo,
    validate_request,
)
from onetake.errors import UsageError
from preflight import BadProfile
from preflight.profile import DEFAULT
from tests.onetake.clones.conftest import request_for
from tests.support.services import FIXTURES

PROMPT = str(FIXTURES / "prompt.wav")
TEXT = CloneOptions(prompt_text="A small brown dog.")
PREVIEW = CloneOptions(text="Hello.", model="speech-2.8-hd")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "ann"},
        {"name": "Ann Éxample 2"},
        {"prompt": PROMPT, "options": TEXT},
        {"auto_prompt": 1, "options": TEXT},
        {"demo": Path("demo.mp3"), "options": PREVIEW},
    ],
)
def test_a_valid_request_is_accepted(home: Path, changes: dict[str, Any]) -> None:
    validate_request(request_for(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "not a valid voice name"),
        ({"name": "   "}, "not a valid voice name"),
        ({"name": "a\x1b[31mb"}, "not a valid voice name"),
        ({"name": "x" * 101}, "not a valid voice name"),
        ({"prompt": PROMPT, "auto_prompt": 1, "options": TEXT}, "exclude each other"),
        ({"prompt": PROMPT}, "needs the text that is spoken in it"),
        ({"auto_prompt": 2}, "needs the text that is spoken in it"),
        ({"options": TEXT}, "--prompt-text needs the clip"),
        ({"options": PREVIEW}, "its preview would not be saved"),
        ({"demo": Path("demo.mp3")}, "--demo needs a text to read"),
        ({"demo": Path("missing/demo.mp3"), "options": PREVIEW}, "cannot be written: its folder does not exist"),
        ({"demo": Path(), "options": PREVIEW}, "cannot be written: it is a folder"),
    ],
)
def test_a_contradiction_is_refused(home: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        validate_request(request_for(**changes))
    assert caught.value.hint


def test_a_preview_must_not_overwrite_a_recording(home: Path) -> None:
    Path("take.wav").write_bytes(b"recording")
    Path("clip.wav").write_bytes(b"clip")
    os.link("clip.wav", "link.wav")  # another name of the same file
    request = request_for(
        take="take.wav",
        prompt="clip.wav",
        options=CloneOptions(prompt_text="A small dog.", text="Hello.", model="speech-2.8-hd"),
        demo=Path("take.wav"),
    )
    for demo in ("take.wav", "clip.wav", "link.wav"):
        with pytest.raises(UsageError, match="one of the recordings to send"):
            validate_request(replace(request, demo=Path(demo), replace_demo=True))


def test_a_folder_without_write_permission_is_refused(home: Path) -> None:
    folder = Path("locked")
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(UsageError, match="cannot be written"):
        validate_request(request_for(demo=folder / "demo.mp3", options=PREVIEW))


def test_a_profile_looser_than_the_service_is_refused() -> None:
    loose = DEFAULT.changed(ignore=["too-short"])
    with pytest.raises(BadProfile):
        validate_request(request_for(profile=loose))


def test_an_existing_preview_needs_permission_to_replace_it(home: Path) -> None:
    request = request_for(demo=Path("demo.mp3"), options=PREVIEW)
    require_free_demo(request)
    Path("demo.mp3").write_bytes(b"old")
    with pytest.raises(UsageError, match=r"--demo 'demo\.mp3' exists"):
        require_free_demo(request)
    require_free_demo(replace(request, replace_demo=True))
    require_free_demo(request_for())


def test_has_prompt_with_a_clip_or_a_rank() -> None:
    assert not request_for().has_prompt
    assert request_for(prompt=PROMPT).has_prompt
    assert request_for(auto_prompt=1).has_prompt


def test_equal_names_conflict() -> None:
    requests = [request_for(name="ann"), request_for(name="ben"), request_for(name="ann"), request_for()]
    ((index, error),) = conflicts(requests, ["line 2", "line 3", "line 4", "line 5"])
    assert index == 2
    assert error.message == "the name 'ann' is used already by line 2"


def test_equal_previews_conflict_even_through_links(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    demos = [tmp_path / "folder" / "a.mp3", tmp_path / "b.mp3", tmp_path / "link" / "a.mp3"]
    requests = [request_for(demo=demo, options=PREVIEW) for demo in demos]
    ((index, error),) = conflicts(requests, ["first", "second", "third"])
    assert index == 2
    assert error.message.endswith("is written already by first")


def test_distinct_requests_are_required() -> None:
    require_distinct([request_for(name="ann"), request_for(name="ben")], ["a", "b"])
    with pytest.raises(UsageError, match="b: the name 'ann' is used already by a"):
        require_distinct([request_for(name="ann"), request_for(name="ann")], ["a", "b"])


@given(st.lists(st.sampled_from(["ann", "ben", "cleo", None]), max_size=12))
def test_every_repeated_name_conflicts_once(names: list[str | None]) -> None:
    requests = [CloneRequest(take="take.wav", options=CloneOptions(), name=name) for name in names]
    found = [index for index, _ in conflicts(requests, [f"line {number}" for number in range(len(names))])]
    repeated = [index for index, name in enumerate(names) if name is not None and name in names[:index]]
    assert found == repeated


def test_the_preview_of_one_of_many_has_its_stem(tmp_path: Path) -> None:
    assert demo_in(tmp_path, "/takes/ann.01.wav") == tmp_path / "ann.01.mp3"
    assert demo_in(tmp_path, Path(os.fsdecode(b"/takes/\xff.wav"))).name == os.fsdecode(b"\xff.mp3")
    with pytest.raises(UsageError, match="does not exist"):
        demo_in(tmp_path / "missing", "take.wav")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        demo_in(tmp_path / "file", "take.wav")
