"""The live page in a real browser, with a real run going on behind it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from counters import Counters, wait_for

from chromium import Watched, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 30_000
"""Milliseconds: how long a step of the page may take at most on a busy machine."""


@pytest.fixture
def page() -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="light")
        page.set_default_timeout(PATIENCE)
        yield page


@pytest.fixture
def url(counters: Counters, started: Callable[..., subprocess.Popen[str]]) -> str:
    """The address that a monitor of the run's ledger prints."""
    monitor = started("monitor", "--port", "0", "--json")
    assert monitor.stdout is not None
    printed = ""
    while not printed.endswith("}\n"):
        line = monitor.stdout.readline()
        assert line, monitor.communicate()[1]
        printed += line
    address: str = json.loads(printed)["url"]
    return address


def _says(page: Page, name: str, text: str) -> None:
    page.wait_for_function(
        "([name, text]) => document.getElementById(name)?.textContent.includes(text)", arg=[name, text]
    )


def _tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"the keyboard does not get to {name}")


def test_a_run_is_watched_and_steered(counters: Counters, url: str, page: Page, tmp_path: Path) -> None:
    watched = Watched(page)
    run = counters.begun("--yes", pace=0.04)
    name = counters.latest()["_id"]

    page.goto(url)
    _says(page, "name", name)
    _says(page, "state", "running")
    assert page.url.partition("#")[2] == ""  # the token is in no address and no history any more
    before = page.locator("#tiles dd.more").first.text_content()
    page.wait_for_function(
        "before => document.querySelector('#tiles dd.more').textContent !== before", arg=before
    )
    assert "600 documents" in (page.locator(".collection .share").text_content() or "")
    assert page.locator("#workers tbody tr").count() == 1
    page.wait_for_selector(".plot path.line")

    page.click("#pause")
    _says(page, "state", "paused")
    _says(page, "holding", "Standing still: asked to pause")
    assert counters.latest()["state"] == "paused"
    assert page.evaluate("document.activeElement.id") == "pause"
    paused = counters.masked()
    page.click("#continue")
    _says(page, "state", "running")
    wait_for(lambda: counters.masked() > paused, run)

    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light

    # From here on the keyboard alone: the first way leads nowhere, the second stops the run.
    page.evaluate("document.activeElement.blur()")
    _tab_to(page, "stop")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sure[open]")
    assert page.evaluate("document.activeElement.textContent") == "Let it run"
    page.keyboard.press("Enter")
    page.wait_for_selector("#sure:not([open])", state="attached")
    assert page.evaluate("document.activeElement.id") == "stop"
    assert counters.latest()["command"] == "run"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    _says(page, "state", "stopped")
    _says(page, "ending", f"phimask resume {name} goes on with it")
    assert page.locator("#actions").is_hidden()
    run.communicate(timeout=60)
    assert run.returncode == 4

    assert not watched.complaints
    assert {urlsplit(one).hostname for one in watched.requests} == {"127.0.0.1"}
    assert not [one for one in watched.requests if "token" in one]
