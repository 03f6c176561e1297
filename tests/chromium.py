"""A headless Chromium, where this machine has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def executable() -> str | None:
    """PHIMASK_CHROMIUM, or one that is on the path."""
    return os.environ.get("PHIMASK_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips the test where there is no browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (takes long to load)

    found = executable()
    if found is None:
        pytest.skip("there is no Chromium; install one, or name it in PHIMASK_CHROMIUM")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"] if as_root else [])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """What a page asked for, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type == "error" else None,
        )
