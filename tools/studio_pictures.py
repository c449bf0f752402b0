"""Take pictures of every step of the studio and its states, wide and narrow, and the one that the README shows.

    python -m tools.studio_pictures /tmp/pictures        all of them, to be looked at
    python -m tools.studio_pictures --readme             docs/images/studio.png only

Needs Chromium, its driver and the extra `sandbox`. The recordings are fixtures; the service is a stand-in.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from client import VOICE_LIFETIME
from onetake.ledger import Claimed, CloneKey, Ledger
from onetake.sandbox.endpoint import StandInEndpoint
from onetake.sandbox.s3_server import SandboxStorage
from tests.support.browser import chromium, microphone, set_scheme
from tests.support.services import FIXTURES, KEY, Services
from tests.support.studio import Page, reading, studio
from tools.camera import Camera

README: Final = Path(__file__).parents[1] / "docs/images/studio.png"
_MAX_README_BYTES: Final = 300_000
_RATE: Final = 44_100


def microphone_file(folder: Path) -> Path:
    """Write what the microphone plays: silence, speech, a clipped part, and a hole where samples are lost."""
    voice = reading()[0]
    moments = np.arange(0, len(voice) / 16_000, 1 / _RATE)
    spoken = np.interp(moments, np.arange(len(voice)) / 16_000, voice)
    sound = np.random.default_rng(5).normal(0, 8, 300 * _RATE)
    for start in range(6 * _RATE, 270 * _RATE, 24 * _RATE):  # again and again: pictures take their time
        sound[start : start + len(spoken)] += spoken
        if start > 40 * _RATE:
            sound[start + 3 * _RATE : start + 4 * _RATE] *= 8
    content = np.clip(sound, -32768, 32767).astype(np.int16)
    for hole in range(52 * _RATE, 280 * _RATE, 24 * _RATE):
        content[hole : hole + 900] = 0
    soundfile.write(folder / "microphone.wav", np.stack((content, content), 1), _RATE, "PCM_16")
    return folder / "microphone.wav"


def fill_ledger(home: Path, base_url: str) -> None:
    """Store voices in every state, and a call whose outcome is unknown."""
    now = datetime.now(UTC)
    with Ledger(home) as ledger:
        for name, age in (("anna", timedelta(days=1)), ("berta", timedelta(days=6)), ("clara", timedelta(days=8))):
            attempt = _claimed(ledger, base_url, name)
            ledger.attempts.called(attempt, now)
            made = now - age
            ledger.attempts.gave_voice(attempt, f"voice_{name}", made, made + VOICE_LIFETIME)
        kept = ledger.voices.find("anna")
        ledger.voices.mark_kept(kept)
        lost = _claimed(ledger, base_url, "dora")
        ledger.attempts.called(lost, now)
        ledger.attempts.ended(lost, "unknown", "server-failed", "HTTP 504: upstream timed out")


def _claimed(ledger: Ledger, base_url: str, name: str) -> str:
    key = CloneKey(sha256=name * 8, request=name, bytes=1, path=f"/takes/{name}.wav")
    consent = f"{name.title()} Example, 2026-11-01"
    claim = ledger.attempts.claim(key, base_url=base_url, options={}, changes=(), consent=consent, name=name)
    if not isinstance(claim, Claimed):
        raise SystemExit(f"the ledger is not empty: {claim}")
    return claim.attempt


@contextlib.contextmanager
def opened(
    folder: Path, *takes: str, real: bool = False, device: bool = True, delay_s: float = 0.0
) -> Iterator[Camera]:
    """Open a studio in a browser; `real` leads to a stand-in that looks like the real service."""
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if real:
            (work / "storage").mkdir()
            storage = stack.enter_context(SandboxStorage(work / "storage"))
            endpoint = stack.enter_context(StandInEndpoint(KEY, answer_delay_s=delay_s))
            os.environ.update(Services(storage, endpoint).settings(ONETAKE_PRICE="9.90"))
            fill_ledger(work / "home", endpoint.base_url)
        os.environ["ONETAKE_HOME"] = str(work / "home")
        files = [FIXTURES / take for take in takes]
        page: Page = stack.enter_context(studio(work / "home", files, sandbox_only=not real, delay_s=delay_s))
        flags = microphone(microphone_file(work) if device else None)
        chrome = stack.enter_context(chromium(work / "chromium", *flags))
        chrome.get(page.address)
        camera = Camera(chrome, folder)
        camera.until("return document.querySelector('[aria-current=step]') !== null")
        yield camera


def story(folder: Path) -> str:
    """Write a take with a sentence between pauses, and return its path."""
    soundfile.write(folder / "story.wav", reading()[0], 16_000)
    return str(folder / "story.wav")


def without_microphone(folder: Path) -> None:
    """Take the pictures of a machine without a microphone."""
    with opened(folder, device=False) as camera:
        camera.shows("No microphone was found")
        camera.picture("start-no-microphone")
        camera.go("record")
        camera.shows("Recording is not possible")
        camera.picture("record-no-microphone")
        camera.go("clone")
        camera.picture("clone-no-take")
        camera.go("voices")
        camera.shows("No voices yet")
        camera.picture("voices-none")


def recording(folder: Path) -> None:
    """Take the pictures of room check and recording."""
    with opened(folder) as camera:
        camera.picture("start")
        camera.go("room")
        camera.until("return document.querySelector('#device').options.length > 0")
        camera.picture("room-ready")
        camera.click("#room-begin")
        camera.shows("Be silent: 3")
        camera.picture("room-silent", both=False)
        camera.shows("Now read")
        camera.picture("room-sentence", both=False)
        camera.shows("Check again")
        camera.picture("room-result")
        camera.go("record")
        camera.until("return document.querySelector('#record-begin')?.disabled === false")
        camera.picture("record-ready")
        camera.click("#record-begin")
        for part in (2, 3):
            camera.shows("Recording")
            camera.click("#record-next")
            camera.shows(f"Part {part} of 5")
        camera.picture("record-marked", both=False)
        camera.shows("Clipped now")
        camera.picture("record-clipped", both=False)
        camera.shows("Samples lost")
        camera.picture("record-lost", both=False)
        camera.until("return parseFloat(document.getElementById('record-clock').textContent.slice(2)) > 12")
        camera.click("#record-stop")
        camera.shows("Record another take")
        camera.until("return !document.querySelector('#record-takes').innerText.includes('checking')")
        camera.picture("record-stopped")


def checking(folder: Path) -> None:
    """Take the pictures from the findings to the rehearsed voice."""
    takes = ("good.wav", "too-short.wav", "voice-message.ogg", "stereo.m4a", "prompt.wav")
    with tempfile.TemporaryDirectory() as work, opened(folder, *takes, story(Path(work))) as camera:

        def choose(name: str) -> None:
            change = "select.value = [...select.options].find(one => one.text === arguments[0]).value"
            event = "select.dispatchEvent(new Event('change'))"
            camera.script(f"const select = document.getElementById('take'); {change}; {event}", name)

        for name, step in (("good.wav", "ready"), ("too-short.wav", "rejected"), ("voice-message.ogg", "fixable")):
            camera.go("findings")
            choose(name)
            camera.until(f"return document.getElementById('headline')?.innerText.includes('{step}')")
            camera.picture(f"findings-{step}")
        camera.go("fix")
        camera.shows("write WAV")
        camera.picture("fix-plan")
        camera.click("#fix-apply")
        camera.shows("Original and result")
        camera.shows("Nothing needs to be changed")
        camera.picture("fix-compare")
        choose("stereo.m4a")
        camera.go("prompt")
        camera.until("return !document.querySelector('#step-prompt').innerText.includes('Searching')")
        camera.picture("prompt-none")
        choose("story.wav")
        camera.shows("What is said")
        camera.shows("the text is empty")
        camera.picture("prompt-candidates")
        camera.script("const t = document.querySelector('.clips textarea'); t.value = 'The small brown dog slept.'")
        camera.script("document.querySelector('.clips textarea').dispatchEvent(new Event('input'))")
        camera.shows("The form is valid")
        camera.click(".clips button:last-child")
        camera.shows("Chosen")
        camera.picture("prompt-chosen")
        choose("good.wav")
        camera.go("clone")
        camera.shows("The exact request")
        camera.picture("clone-rehearsal")
        camera.script("document.getElementById('preview-text').value = 'It rained all night, and the river rose.'")
        camera.click("#rehearse")
        camera.shows("Rehearsed: the voice is made")
        camera.picture("clone-rehearsed")
        camera.go("preview")
        camera.picture("preview")
        camera.go("voices")
        camera.shows("Temporary")
        camera.picture("voices-rehearsal")
        set_scheme(camera.chrome, "dark")
        camera.picture("voices-dark")
        camera.go("findings")
        camera.until("return document.getElementById('headline')?.innerText.includes('ready')")
        camera.picture("findings-dark")


def paying(folder: Path) -> None:
    """Take the pictures of the real service, which is a stand-in."""
    with opened(folder, "good.wav", "too-short.wav", real=True, delay_s=2.0) as camera:
        camera.go("voices")
        camera.shows("Expiring")
        camera.picture("voices-states")
        camera.go("clone")
        camera.shows("below the 10 s minimum")
        camera.picture("clone-refused")
        camera.script(
            "const s = document.getElementById('take'); s.selectedIndex = 0; s.dispatchEvent(new Event('change'))"
        )
        camera.shows("The exact request")
        camera.script("document.getElementById('statement').value = 'Ann Example, 2026-11-01'")
        camera.picture("clone-real")
        camera.click("#clone")
        camera.shows("The call costs 9.90")
        camera.picture("clone-confirm", both=False)
        camera.script("document.getElementById('confirm-yes').click()")
        camera.shows("Cloning: 5 to 30 seconds")
        camera.picture("clone-cloning", both=False)
        camera.shows("Paid: the voice is made")
        camera.picture("clone-paid")


def readme() -> None:
    """Take the picture of the README."""
    README.parent.mkdir(exist_ok=True)
    with opened(README.parent, "good.wav") as camera:
        camera.until("return document.getElementById('headline') !== null")
        camera.chrome.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 1000, "height": 1020, "deviceScaleFactor": 1, "mobile": False},
        )
        time.sleep(0.5)
        camera.chrome.save_screenshot(str(README))
    size = README.stat().st_size
    if size > _MAX_README_BYTES:
        raise SystemExit(f"{README} has {size} bytes, above {_MAX_README_BYTES}")
    print(f"{README}: {size} bytes")


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--only", help="name of one group: without_microphone, recording, checking or paying")
    arguments = parser.parse_args()
    if arguments.readme:
        readme()
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        for group in (without_microphone, recording, checking, paying):
            if arguments.only in (None, group.__name__):
                group(arguments.folder)


if __name__ == "__main__":
    main()
