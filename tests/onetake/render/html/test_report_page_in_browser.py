"""The page of `onetake check --format html` in a browser: loading, playing, sorting, filtering, accessibility."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from onetake.cli.main import run
from tests.support.report_pages import hostile_takes
from tests.support.selection import parametrize_some
from tests.support.services import FIXTURES

pytestmark = pytest.mark.slow  # each worker of pytest-xdist starts a browser
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
_AXE: Final = Path(sys.prefix) / "node/node_modules/axe-core/axe.min.js"
PATIENCE_S: Final = 120
PLAYS: Final = """
    const audio = document.querySelector(arguments[0] + " audio");
    return audio.played.length > 0 && audio.currentTime >= arguments[1] && audio.currentTime < arguments[1] + 3"""


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page and its takes: long, short, good, clipped, and some with markup in their names."""
    folder = tmp_path_factory.mktemp("takes")
    sound, rate = soundfile.read(FIXTURES / "good.wav")
    loud = np.concatenate((sound, np.clip(3 * sound, -1, 1)))
    soundfile.write(folder / "loud 100%.wav", loud, rate)  # too large to be embedded
    soundfile.write(folder / "brief.flac", loud[round(7 * rate) : round(15 * rate)], rate)
    for name in ("good.m4a", "text.mp3", "silent.m4a", "stereo.m4a"):
        shutil.copy(FIXTURES / name, folder)
    hostile_takes(folder / "hostile")
    # no such thing as the home folder is used by a check
    assert run(["check", str(folder), "--format", "html", "-o", str(folder / "report.html")]) == 1
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    chromedriver = shutil.which("chromedriver")
    if browser is None or chromedriver is None:
        reason = "chromium and chromedriver are not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver)) as chrome:
        yield chrome


@pytest.fixture
def page(chromium: webdriver.Chrome, takes: Path) -> Iterator[webdriver.Chrome]:
    """The open page. A test fails if it causes an error or loads anything but takes in the page's folder."""
    chromium.get("about:blank")
    logged(chromium, "performance")
    logged(chromium, "browser")
    chromium.get((takes / "report.html").as_uri())
    yield chromium
    assert logged(chromium, "browser") == []
    for address in requests(chromium):
        assert address.startswith((takes.as_uri() + "/", "data:")), address[:200]


def logged(chrome: webdriver.Chrome, kind: str) -> list[str]:
    """The messages since the last time."""
    return [str(entry["message"]) for entry in chrome.get_log(kind)]  # type: ignore[no-untyped-call]


def requests(chrome: webdriver.Chrome) -> list[str]:
    entries = [json.loads(message)["message"] for message in logged(chrome, "performance")]
    return [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]


def unfold(page: webdriver.Chrome, name: str) -> str:
    """Follow the table's link to a take, and return the selector of its section."""
    link = page.find_element(By.LINK_TEXT, name)
    place = str(link.get_attribute("href")).rpartition("#")[2]
    link.send_keys(Keys.ENTER)
    assert page.find_element(By.CSS_SELECTOR, f"#{place} > details").get_attribute("open")
    assert page.switch_to.active_element.tag_name == "summary"
    return f"#{place}"


def wait(page: webdriver.Chrome, script: str, *values: Any) -> None:
    WebDriverWait(page, PATIENCE_S, 0.05).until(lambda chrome: chrome.execute_script(script, *values))


def names(page: webdriver.Chrome) -> list[str]:
    return [link.text for link in page.find_elements(By.CSS_SELECTOR, "#takes a") if link.is_displayed()]


def test_the_page_opens_with_an_escaped_title(page: webdriver.Chrome) -> None:
    assert page.title == "17 takes: checked by onetake"
    assert page.execute_script("return document.scripts.length") == 1
    assert "<img src=x onerror=alert(1)>.wav" in names(page)


@pytest.mark.parametrize("name", ["loud 100%.wav", "brief.flac"])
@pytest.mark.parametrize("how", ["click", "enter"])
def test_a_finding_is_played_from_its_position(page: webdriver.Chrome, name: str, how: str) -> None:
    take = unfold(page, name)
    finding = page.find_element(By.XPATH, f"//*[@id='{take[1:]}']//button[contains(., 'clipped')]")
    at = float(finding.get_attribute("data-at") or "nan")
    assert at > 3
    if how == "click":
        finding.click()
    else:
        finding.send_keys(Keys.ENTER)
    wait(page, PLAYS, take, at)
    wait(page, "return document.querySelector(arguments[0] + ' .head').style.left !== ''", take)
    assert page.find_element(By.ID, "trouble").text == ""


def test_a_finding_stops_at_its_end(page: webdriver.Chrome) -> None:
    take = unfold(page, "brief.flac")
    finding = page.find_element(By.XPATH, f"//*[@id='{take[1:]}']//button[contains(., 'clipped')]")
    start, end = (float(finding.get_attribute(name) or "nan") for name in ("data-at", "data-until"))
    assert 0 < start < end
    finding.click()
    ended = "const audio = document.querySelector(arguments[0] + ' audio'); return audio.paused && audio.currentTime"
    wait(page, f"{ended} >= arguments[1]", take, min(end, start + 1.5))


def test_a_click_in_a_picture_plays_there_and_stops_other_players(page: webdriver.Chrome) -> None:
    first = unfold(page, "good.m4a")
    page.find_element(By.CSS_SELECTOR, f"{first} .spectrogram").click()  # in its middle
    wait(page, PLAYS, first, 5.5)
    second = unfold(page, "stereo.m4a")
    page.find_element(By.CSS_SELECTOR, f"{second} .waveform").click()
    wait(page, PLAYS, second, 5.5)
    wait(page, "return document.querySelector(arguments[0] + ' audio').paused", first)


def test_a_missing_recording_is_reported(page: webdriver.Chrome, takes: Path) -> None:
    gone = takes / "loud 100%.wav"
    gone.rename(takes / "elsewhere")
    try:
        take = unfold(page, "loud 100%.wav")
        page.find_element(By.CSS_SELECTOR, f"{take} button.finding").click()
        wait(page, "return document.getElementById('trouble').textContent.includes('cannot be played')")
    finally:
        (takes / "elsewhere").rename(gone)
    assert "ERR_FILE_NOT_FOUND" in logged(page, "browser")[0]


def test_the_table_is_sorted_by_click_and_by_key(page: webdriver.Chrome) -> None:
    def column(number: int) -> list[str]:
        keys: list[str] = page.execute_script(
            "return [...document.querySelectorAll('#takes tbody tr')].map(row => row.cells[arguments[0]].dataset.key)",
            number,
        )
        return keys

    length = page.find_element(By.XPATH, "//th[@aria-sort]/button[contains(., 'Length')]")
    head = length.find_element(By.XPATH, "..")
    assert head.get_attribute("aria-sort") == "none"
    length.click()
    assert head.get_attribute("aria-sort") == "ascending"
    known = [float(key) for key in column(3) if key]
    assert known == sorted(known)
    assert column(3)[-1] == ""  # what is not known comes last
    length.send_keys(Keys.SPACE)
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(key) for key in column(3) if key] == known[::-1]
    assert column(3)[-1] == ""
    page.find_element(By.XPATH, "//th[@aria-sort]/button[contains(., 'Verdict')]").click()
    assert head.get_attribute("aria-sort") == "none"
    assert column(1) == sorted(column(1))


def test_the_filter_hides_rows_and_their_takes(page: webdriver.Chrome) -> None:
    words = page.find_element(By.CSS_SELECTOR, "input[type=search]")
    words.send_keys("CLIPPED")
    assert names(page) == ["brief.flac", "loud 100%.wav"]
    assert page.find_element(By.CSS_SELECTOR, "[role=status]").text == "2 of 17 takes"
    shown = [one for one in page.find_elements(By.CSS_SELECTOR, "section.take") if one.is_displayed()]
    assert len(shown) == 2
    Select(page.find_element(By.CSS_SELECTOR, "select")).select_by_value("ready")
    WebDriverWait(page, PATIENCE_S).until(lambda chrome: names(chrome) == ["loud 100%.wav"])
    words.clear()
    words.send_keys("nothing is called this", Keys.ENTER)
    assert names(page) == []


def test_on_a_phone_nothing_is_wider_than_the_screen(page: webdriver.Chrome) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        unfold(page, "brief.flac")
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
        head = page.find_element(By.CSS_SELECTOR, "#takes th")
        assert head.rect["width"] > 130
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_all_takes_are_printed_on_paper(page: webdriver.Chrome) -> None:
    before, folded, after = page.execute_script(
        """const open = () => document.querySelectorAll(".take > details[open]").length;
        const before = open();
        dispatchEvent(new Event("beforeprint"));
        const folded = document.querySelectorAll(".take > details:not([open])").length;
        dispatchEvent(new Event("afterprint"));
        return [before, folded, open()]"""
    )
    assert (folded, after) == (0, before)


@parametrize_some("scheme", ["light", "dark"], fast=1)
def test_the_page_is_accessible(page: webdriver.Chrome, scheme: str) -> None:
    if not _AXE.is_file():
        pytest.skip("axe-core is not installed")
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    for name in ("loud 100%.wav", "stereo.m4a", "text.mp3"):
        unfold(page, name)
    page.execute_script(_AXE.read_text("utf-8"))
    found = page.execute_async_script("axe.run(document).then(arguments[0])")
    grave = [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert grave == []
    assert len(found["passes"]) > 20
