"""Steps of the studio in a browser, and pictures of them, wide and narrow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

_TIMEOUT_S: Final = 120
_PHONE: Final = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


class Camera:
    """Opens steps, waits for states, and takes pictures of them.

    Args:
        chrome: The browser, on the studio's page.
        folder: Where the pictures go.
    """

    def __init__(self, chrome: webdriver.Chrome, folder: Path) -> None:
        self.chrome, self.folder = chrome, folder

    def go(self, step: str) -> None:
        """Open a step."""
        self.script(f"document.querySelector('[data-step={step}]').click()")
        self.until(f"return document.querySelectorAll('#step-{step} > *').length > 1")

    def script(self, source: str, *values: Any) -> Any:
        """Run a script in the page."""
        return self.chrome.execute_script(source, *values)

    def click(self, selector: str) -> None:
        """Click an element once it is enabled."""
        self.until(f"return document.querySelector(`{selector}`)?.disabled === false")
        self.script(f"document.querySelector(`{selector}`).click()")

    def until(self, source: str) -> None:
        """Wait until a script returns true."""
        WebDriverWait(self.chrome, _TIMEOUT_S, 0.05).until(lambda chrome: chrome.execute_script(source))

    def shows(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.until(f"return document.body.innerText.includes({text!r})")

    def picture(self, name: str, *, both: bool = True) -> None:
        """Take a picture of the whole page, wide and narrow; only wide while something moves."""
        self._take(f"{name}-wide", 1100)
        if both:
            self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", _PHONE)
            self._take(f"{name}-narrow", 390)
            self.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def _take(self, name: str, width: int) -> None:
        height = max(700, int(self.script("return document.documentElement.scrollHeight")))
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        time.sleep(0.3)
        self.chrome.save_screenshot(str(self.folder / f"{name}.png"))
        self.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
