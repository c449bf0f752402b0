"""The command: it prints the address, ends at Ctrl-C, and leaves neither a port nor takes that were not saved."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.onetake.conftest import Say
from tests.support.processes import Running, wait_until
from tests.support.services import FIXTURES
from tests.support.studio import Page, speech

pytestmark = pytest.mark.slow  # real servers and processes


def started(*arguments: str) -> tuple[Running, Page]:
    running = Running("studio", "--no-open", *arguments)
    running.wait_for_line("Stop it with Ctrl-C.")
    wait_until(lambda: running.out.endswith("\n"))  # the other stream may be read later
    return running, Page(running.out.split()[-1])


def test_ctrl_c_ends_it_and_only_saved_takes_stay(home: Path) -> None:
    running, page = started("--sandbox", str(FIXTURES / "good.wav"))
    assert [take["name"] for take in page.get("/api/state")["takes"]] == ["good.wav"]
    taken = page.record(speech(2.0))
    saved = Path(page.post(f"/api/takes/{taken['id']}/save")["saved"])
    page.record(np.asarray(speech(1.0)))
    running.send(signal.SIGINT)
    status, _, err = running.end()
    assert status == 0
    assert "takes that were not saved: 1; they are deleted" in err
    assert list((home / "onetake/studio").iterdir()) == []
    assert saved.is_file()
    address = urlsplit(page.origin)
    with socket.socket() as other:
        assert other.connect_ex((address.hostname or "", address.port or 0)) != 0


def test_a_killed_session_is_recovered_by_the_next_one(home: Path) -> None:
    running, page = started("--sandbox")
    taken = page.record(speech(2.0))
    unfinished = page.post("/api/recordings", {"sample_rate_hz": 16_000, "channels": 1})["id"]
    page.put(f"/api/recordings/{unfinished}?first=0", np.zeros(16_000, "<f4").tobytes())
    running.send(signal.SIGKILL)
    running.end()
    running, page = started("--sandbox")
    takes = {take["id"]: take["origin"] for take in page.get("/api/state")["takes"]}
    assert takes == {taken["id"]: "recorded", unfinished: "recovered"}
    running.send(signal.SIGTERM)
    assert running.end()[0] == 0
    assert list((home / "onetake/studio").iterdir()) == []


def test_a_closed_terminal_keeps_takes_for_the_next_session(home: Path) -> None:
    running, page = started("--sandbox")
    page.record(speech(1.0))
    running.send(signal.SIGHUP)
    running.end()
    assert len(list((home / "onetake/studio").iterdir())) == 1


def test_a_port_in_use_and_a_missing_take_are_refused(say: Say) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = say("studio", "--sandbox", "--no-open", "--port", port)
    assert done.status == 2
    assert f"port {port} cannot be used" in done.err
    missing = say("studio", "--sandbox", "--no-open", "none.wav")
    assert missing.status == 2
    assert "none.wav: there is no such file" in missing.err


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_package_is_explained(package: str, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("onetake.studio", f"{package}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    done = say("studio", "--no-open")
    assert done.status == 2
    assert 'pip install "onetake[studio]"' in done.err
