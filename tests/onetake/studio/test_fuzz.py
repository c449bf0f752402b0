"""Any request: no answer is a bug of ours, and nothing is written outside the studio's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.studio import Page, speech, studio

PATHS = (
    *("/api/state", "/api/scripts/{}", "/api/recordings", "/api/recordings/{}", "/api/recordings/{}/finish"),
    *("/api/takes", "/api/takes/{}", "/api/takes/{}/save", "/api/takes/{}/check", "/api/takes/{}/room"),
    *("/api/takes/{}/clips", "/api/takes/{}/clip", "/api/takes/{}/plan", "/api/takes/{}/fix", "/api/join"),
    *("/api/prompt-text", "/api/clones/plan", "/api/clones/{}/events", "/api/voices", "/api/voices/keep"),
    *("/api/voices/say", "/api/voices/settle", "/takes/{}/audio", "/static/{}", "/{}"),
)
IDS = st.one_of(st.sampled_from(["..", "../../x", "%2e%2e%2f", "TAKE", "RECORDING", "\0", "en"]), st.text(max_size=12))
NAMES = st.sampled_from(
    [
        *("service", "take", "takes", "prompt", "consent", "statement", "spoken_in", "name", "text", "model", "voice"),
        *("number", "edits", "loudness", "start_s", "end_s", "marked", "sample_rate_hz", "channels", "purpose"),
        *("language", "attempt", "outcome", "voice_id", "confirmed", "confirmed_price", "speed"),
    ]
)
VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20)),
        st.sampled_from(
            ["TAKE", "rehearsal", "real", "take", "room", "failed", "voice", "A sentence.", 44_100, 1, 0.5]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=4,
)
BODIES = st.one_of(st.binary(max_size=50), st.dictionaries(NAMES, VALUES, max_size=6))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Path, dict[str, str]]]:
    """A studio with a take and a recording, and the folder in which it may write."""
    home = tmp_path_factory.mktemp("fuzz") / "home"
    with studio(home) as page:
        take = page.record(speech(3.0))["id"]
        recording = page.post("/api/recordings", {"sample_rate_hz": 16_000, "channels": 1})["id"]
        yield page, home, {"TAKE": take, "RECORDING": recording}


def with_ids(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: with_ids(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_ids(inner, ids) for inner in value]
    return ids.get(value, value) if isinstance(value, str) else value


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=st.sampled_from(PATHS),
    identifier=IDS,
    query=st.dictionaries(st.sampled_from(["first", "name", "download"]), st.text(max_size=30), max_size=2),
    body=BODIES,
)
def test_no_request_is_a_bug(
    rig: tuple[Page, Path, dict[str, str]], method: str, path: str, identifier: str, query: dict[str, str], body: Any
) -> None:
    page, home, ids = rig
    beside = sorted(home.parent.iterdir())
    here = sorted(Path.cwd().iterdir())
    if method == "DELETE" and identifier == "TAKE":
        identifier = "other"  # the take is needed again
    target = path.format(quote(ids.get(identifier, identifier), safe=""))
    given_query = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    content = body if isinstance(body, bytes) else json.dumps(with_ids(body, ids)).encode()
    answer = page.ask(method, f"{target}?{given_query}", data=content)
    assert answer.status_code < 500 or answer.status_code == 502, answer.text
    assert "Traceback" not in answer.text
    assert sorted(home.parent.iterdir()) == beside
    assert sorted(Path.cwd().iterdir()) == here
    assert {path.name for path in home.iterdir()} <= {"studio", "takes"}
