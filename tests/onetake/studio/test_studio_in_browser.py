"""The page in Chromium: a take from a microphone, the whole flow by keyboard, accessibility, narrow screens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from preflight.display.text import clock
from tests.support.browser import axe_violations, chromium, logged, microphone, requests, set_scheme
from tests.support.services import FIXTURES
from tests.support.studio import Page, reading, studio

pytestmark = pytest.mark.slow  # each starts a browser, and records in real time

PATIENCE_S: Final = 60
RATE: Final = 44_100
HOLE_FRAMES: Final = 700  # 16 ms
HOLES: Final = tuple(slice(second * RATE, second * RATE + HOLE_FRAMES) for second in range(5, 120, 6))
_ATTEMPTS: Final = 5
MOST_REPORTED: Final = 5  # the page shows the last ones only
STEPS: Final = ("start", "room", "record", "findings", "fix", "prompt", "clone", "preview", "voices")
Opened = tuple[webdriver.Chrome, Page]


def at_44100(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Resample 16 kHz speech linearly; what it sounds like does not matter here."""
    moments = np.arange(0, len(samples) / 16_000, 1 / RATE)
    return np.asarray(np.interp(moments, np.arange(len(samples)) / 16_000, samples), np.int16)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.int16]]:
    """What the microphone plays: 44.1 kHz, 2 channels, 16 bit, with runs of zeros only where samples are lost."""
    noise = np.random.default_rng(5).integers(3, 9, 120 * RATE).astype(np.int16)
    voice = at_44100(reading()[0])
    sound = noise
    for start in range(2 * RATE, 90 * RATE, 24 * RATE):
        sound[start : start + len(voice)] += voice
    sound[sound == 0] = 1
    for hole in HOLES:
        sound[hole] = 0
    path = tmp_path_factory.mktemp("microphone") / "voice.wav"
    soundfile.write(path, np.stack((sound, sound), 1), RATE, "PCM_16")
    return path, sound


@pytest.fixture
def opened(
    spoken: tuple[Path, NDArray[np.int16]], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Opened]]:
    """Open a studio with takes in a new browser; afterwards no script failed, and nothing else was requested."""
    pages: list[Opened] = []
    with ExitStack() as stack:

        def open_studio(*takes: str, device: bool = True, flags: tuple[str, ...] = ()) -> Opened:
            page = stack.enter_context(studio(tmp_path / "home", [FIXTURES / take for take in takes]))
            profile = tmp_path / f"chromium-{len(pages)}"
            given = microphone(spoken[0] if device else None)
            chrome = stack.enter_context(chromium(profile, *given, *flags))
            requests(chrome)  # those of the empty tab
            chrome.get(page.address)
            pages.append((chrome, page))
            until(chrome, "return document.querySelector('[aria-current=step]') !== null")
            return pages[-1]

        yield open_studio
        for chrome, page in pages:
            assert [line for line in logged(chrome, "browser") if "Failed to load resource" not in line] == []
            assert [one for one in requests(chrome) if not one.startswith((page.origin, "data:"))] == []


def until(chrome: webdriver.Chrome, script: str, *values: Any) -> Any:
    return WebDriverWait(chrome, PATIENCE_S, 0.05).until(lambda found: found.execute_script(script, *values))


def text_of(chrome: webdriver.Chrome, selector: str) -> str:
    return chrome.find_element(By.CSS_SELECTOR, selector).text


def wait_text(chrome: webdriver.Chrome, selector: str, text: str) -> None:
    script = "return document.querySelector(arguments[0])?.textContent.includes(arguments[1])"
    try:
        until(chrome, script, selector, text)
    except TimeoutException as error:
        shown = chrome.execute_script("return document.body.innerText")
        raise AssertionError(f"{selector} does not show {text!r}: {shown}") from error


def press(chrome: webdriver.Chrome, selector: str, key: str = Keys.ENTER) -> None:
    """Press a key on an element that Tab can reach and that is enabled."""
    until(chrome, "return document.querySelector(arguments[0])?.disabled === false", selector)
    element = chrome.find_element(By.CSS_SELECTOR, selector)
    assert chrome.execute_script("return arguments[0].tabIndex", element) >= 0
    element.send_keys(key)


def go(chrome: webdriver.Chrome, step: str) -> None:
    press(chrome, f"[data-step={step}]")
    until(chrome, "return !document.getElementById('step-' + arguments[0]).hidden", step)


def record(chrome: webdriver.Chrome, seconds: float) -> None:
    go(chrome, "record")
    press(chrome, "#record-begin")
    wait_text(chrome, "#record-state", "Recording")
    until(
        chrome,
        "return parseFloat(document.getElementById('record-clock').textContent.slice(2)) >= arguments[0]",
        seconds,
    )
    press(chrome, "#record-stop")
    wait_text(chrome, "#record-state", "Stopped")


def test_a_take_is_bit_equal_and_ready_and_lost_samples_are_reported(
    opened: Callable[..., Opened], spoken: tuple[Path, NDArray[np.int16]]
) -> None:
    for _ in range(_ATTEMPTS):  # a browser on a busy machine does lose samples, and then the page says so
        chrome, page = opened()
        go(chrome, "record")
        record(chrome, 14)
        until(chrome, "return document.querySelector('#record-takes .verdict') !== null")
        taken = page.get("/api/state")["takes"][-1]
        sound, rate = soundfile.read(taken["file"], dtype="int16")
        assert (rate, sound.ndim, taken["bits"]) == (RATE, 1, 16)
        reported = text_of(chrome, "#record-lost").splitlines()
        # where the browser itself lost samples before, the hole is later in the take than in what was played
        expected = [f"Samples lost at {clock(start / RATE)} (16 ms)" for start in holes_in(sound)]
        if len(reported) < MOST_REPORTED:
            missing = [one for one in expected if not any(line.startswith(one) for line in reported)]
            assert not missing, (reported, expected)
        if len(reported) == len(expected) > 0:
            offset = find(spoken[1], sound[:2000])
            np.testing.assert_array_equal(sound, spoken[1][offset : offset + len(sound)])
            wait_text(chrome, "#record-takes", "ready")
            return
        page.ask("DELETE", f"/api/takes/{taken['id']}")
        chrome.get("about:blank")
    pytest.skip("the browser lost samples in every attempt, as on a machine that is busy")


def holes_in(sound: NDArray[np.int16]) -> list[int]:
    """Return where runs of exactly `HOLE_FRAMES` zeros begin; the browser fills others in where it loses samples."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], sound == 0, [0]))))
    return [
        int(start)
        for start, end in edges.reshape(-1, 2)
        if end - start == HOLE_FRAMES and start > 0 and end < len(sound)
    ]


def find(where: NDArray[np.int16], what: NDArray[np.int16]) -> int:
    """Return where `what` is in `where`."""
    (starts,) = np.nonzero(where[: len(where) - len(what)] == what[0])
    return int(next(start for start in starts if np.array_equal(where[start : start + len(what)], what)))


def test_the_whole_flow_by_keyboard(opened: Callable[..., Opened]) -> None:
    chrome, page = opened()
    press(chrome, "#step-start button.primary")
    press(chrome, "#room-begin")
    wait_text(chrome, "#room-result", "Speech level")
    go(chrome, "record")
    chrome.find_element(By.ID, "speaker").send_keys("Ann Example")
    wait_text(chrome, "#script", "My name is Ann Example")
    press(chrome, "#record-begin")
    wait_text(chrome, "#record-state", "Recording")
    for part in range(2, 6):
        assert chrome.switch_to.active_element.get_attribute("id") == "record-next"
        chrome.switch_to.active_element.send_keys(Keys.SPACE)
        wait_text(chrome, "#script", f"Part {part} of 5")
    until(chrome, "return parseFloat(document.getElementById('record-clock').textContent.slice(2)) >= 12")
    assert chrome.switch_to.active_element.get_attribute("id") == "record-stop"
    chrome.switch_to.active_element.send_keys(Keys.ENTER)
    wait_text(chrome, "#record-takes", "ready")
    go(chrome, "findings")
    wait_text(chrome, "#headline", "ready")
    press(chrome, "#next-step")
    wait_text(chrome, "#review", "The exact request")
    assert "Ann Example" in (chrome.find_element(By.ID, "statement").get_attribute("value") or "")
    chrome.find_element(By.ID, "preview-text").send_keys("It rained all night.")
    press(chrome, "#rehearse")
    wait_text(chrome, "#runs", "Rehearsed: the voice is made")
    go(chrome, "preview")
    wait_text(chrome, "#step-preview", "It rained all night.")
    go(chrome, "voices")
    wait_text(chrome, "#step-voices", "Temporary")
    press(chrome, "#step-voices button[aria-label^=Keep]")
    wait_text(chrome, "#step-voices", "Kept")
    assert [voice["state"] for voice in page.get("/api/voices")["voices"]] == ["kept"]


def test_a_closed_tab_does_not_stop_a_clone(opened: Callable[..., Opened]) -> None:
    chrome, page = opened("good.m4a", device=False)
    wait_text(chrome, "#headline", "ready")
    go(chrome, "clone")
    press(chrome, "#rehearse")
    until(chrome, "return document.querySelector('#runs article') !== null")
    chrome.get("about:blank")
    WebDriverWait(chrome, PATIENCE_S).until(lambda _: page.get("/api/state")["clones"][0]["state"] == "paid")
    chrome.get(page.origin)
    go(chrome, "clone")
    wait_text(chrome, "#runs", "Rehearsed: the voice is made")
    wait_text(chrome, "#review", "Paid before: voice good")


def test_a_finding_plays_its_span_and_a_fix_is_compared(opened: Callable[..., Opened]) -> None:
    chrome, _ = opened("voice-message.ogg", device=False)
    wait_text(chrome, "#headline", "fixable")
    press(chrome, "#next-step")
    wait_text(chrome, "#plan", "write WAV")
    press(chrome, "#fix-apply")
    wait_text(chrome, "#compare", "Playing: Result")
    press(chrome, "#change-over", Keys.SPACE)
    wait_text(chrome, "#compare", "Playing: Original")
    slider = chrome.find_element(By.ID, "window-start")
    for _ in range(5):
        slider.send_keys(Keys.ARROW_RIGHT)
    wait_text(chrome, "#window-text", "0:00.5 to")
    wait_text(chrome, "#plan", "keep 0:00.5")


def test_without_a_microphone_dropping_still_works(opened: Callable[..., Opened]) -> None:
    chrome, _ = opened(device=False)
    wait_text(chrome, "#no-microphone", "No microphone was found")
    go(chrome, "room")
    until(chrome, "return document.getElementById('trouble').textContent.startsWith('No microphone was found')")
    go(chrome, "start")
    until(chrome, "return document.getElementById('files') !== null")
    chrome.find_element(By.ID, "files").send_keys(str(FIXTURES / "good.m4a"))
    wait_text(chrome, "#headline", "ready")


def test_recording_is_blocked_while_the_browser_processes_the_sound(opened: Callable[..., Opened]) -> None:
    chrome, _ = opened()
    chrome.execute_script(
        """const settings = MediaStreamTrack.prototype.getSettings;
        MediaStreamTrack.prototype.getSettings = function () {
          return { ...settings.call(this), noiseSuppression: true };
        };"""
    )
    go(chrome, "room")
    wait_text(chrome, "#room-result", "Processing is on")
    assert "noise suppression" in text_of(chrome, "#room-result")
    go(chrome, "record")
    wait_text(chrome, "#record-state", "Recording is not possible")
    assert not chrome.find_element(By.ID, "record-begin").is_enabled()


def test_every_step_is_accessible_in_light_and_dark_and_fits_a_phone(opened: Callable[..., Opened]) -> None:
    chrome, page = opened("good.m4a", "voice-message.ogg", "prompt.m4a")
    ready = next(take["id"] for take in page.get("/api/state")["takes"] if take["name"] == "good.m4a")
    page.clone({"service": "rehearsal", "take": ready, "text": "Hello.", "model": "speech-2.8-hd"})
    chrome.refresh()
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    for step in STEPS:
        go(chrome, step)
        until(chrome, "return document.querySelectorAll(`#step-${arguments[0]} > *`).length > 1", step)
        for scheme in ("light", "dark"):
            set_scheme(chrome, scheme)
            assert axe_violations(chrome) == [], (step, scheme)
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= 390, step
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        assert chrome.execute_script("return document.querySelectorAll('main').length") == 1
