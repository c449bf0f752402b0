"""Chromium for tests, with a microphone that plays a file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from selenium import webdriver

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
_AXE: Final = Path(sys.prefix) / "node/node_modules/axe-core/axe.min.js"


def programs() -> tuple[str, str]:
    """Return the paths of Chromium and its driver; the test is skipped where one is missing, but fails in CI."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        reason = "chromium and chromedriver are not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return browser, driver


@contextlib.contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[webdriver.Chrome]:
    """Run Chromium during the block.

    Args:
        profile: An empty folder for its profile.
        flags: Further flags, such as those of `microphone`.
    """
    browser, driver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as chrome:
        chrome.set_window_size(1200, 900)
        yield chrome


def microphone(recording: Path | None) -> tuple[str, ...]:
    """Return flags for a microphone that plays a WAV file once, and is allowed without a question."""
    if recording is None:
        return ("--use-fake-ui-for-media-stream",)
    return (
        *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--use-file-for-fake-audio-capture={recording}%noloop",
    )


def logged(chrome: webdriver.Chrome, kind: str) -> list[str]:
    """Return the messages since the last time."""
    return [str(entry["message"]) for entry in chrome.get_log(kind)]  # type: ignore[no-untyped-call]


def requests(chrome: webdriver.Chrome) -> list[str]:
    """Return the addresses that were requested since the last time."""
    entries = [json.loads(message)["message"] for message in logged(chrome, "performance")]
    return [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]


def axe_violations(chrome: webdriver.Chrome) -> list[tuple[str, list[str]]]:
    """Return what axe finds in the page, each with the elements; the test is skipped where axe is not installed."""
    if not _AXE.is_file():
        pytest.skip("axe-core is not installed")
    if not chrome.execute_script("return 'axe' in window"):
        chrome.execute_script(_AXE.read_text("utf-8"))
    found: dict[str, Any] = chrome.execute_async_script("axe.run(document).then(arguments[0])")
    assert len(found["passes"]) > 5
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]


def set_scheme(chrome: webdriver.Chrome, scheme: str) -> None:
    """Choose ``light`` or ``dark``."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
