"""The page in a real browser, of thousands of partitions: what it draws, how it is read, what it says when alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from page_site import TOKEN, Site, served
from pymongo import MongoClient
from pymongo.database import Database

from chromium import Watched, chromium
from phimask.ledger.opening import open_ledger
from simulated_ledger import SimulatedRun

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COLOURS = """
() => {
  const strip = document.querySelector('.strip');
  const { data } = strip.getContext('2d').getImageData(0, 5, strip.width, 1);
  const at = (share) => [...data.slice(4 * Math.floor(share * strip.width)).slice(0, 3)].join();
  return [at(0.05), at(0.45), at(0.95)];
}
"""
NAMELESS = """
() => [...document.querySelectorAll('button, a[href], [tabindex="0"], progress, canvas, svg[role=img], input')]
  .filter((one) => !one.closest('[hidden]') && !one.closest('dialog'))
  .filter((one) => !(one.getAttribute('aria-label') || one.getAttribute('aria-labelledby') || one.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as begun:
        yield begun


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light") as context:
        page = context.new_page()
        page.set_default_timeout(30_000)
        yield page


@pytest.mark.soak
def test_thousands_of_partitions(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]], page: Page
) -> None:
    run = SimulatedRun(open_ledger(client, database.name, "ledger"))
    run.done(1600)
    run.step()
    run.past(100)
    run.note("alert", "AlertRaised", "memory above 2 GB: <b>2.1 GB</b>")
    watched = Watched(page)
    with served(run.ledger) as site:
        _open(page, site)
        page.wait_for_selector("#notes li")
        assert page.locator("#workers tbody tr").count() == 64
        done, edge, still_open = page.evaluate(COLOURS)
        assert len({done, still_open}) == 2
        assert edge == done
        assert "3,200 partitions: 1,600 done" in (page.get_attribute(".strip", "aria-label") or "")
        assert page.locator("#notes b").count() == 0  # text is text
        assert page.evaluate(NAMELESS) == []
        assert {page.locator(one).count() for one in ("header", "nav", "main", "h1")} == {1}
        assert page.get_attribute("#spoken", "aria-live") == "polite"
        assert "Run running. 5" in (page.text_content("#spoken") or "")

        page.focus(".plot svg")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert "Documents/s, " in (page.text_content("#spoken") or "")
        page.click("#plots-table summary")
        assert page.locator("#plots-table tbody tr").count() > 10
        page.click("#plots-whole")
        assert page.get_attribute("#plots-whole", "aria-pressed") == "true"

        before = page.evaluate(COLOURS)
        run.done(3100)
        page.wait_for_function(f"before => ({COLOURS})()[2] !== before", arg=before[2])

        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.wait_for_selector("#lost:not([hidden])")
    assert page.get_attribute("#pause", "aria-disabled") == "true"
    assert not [
        one for one in watched.complaints if "ERR_CONNECTION_REFUSED" not in one and "INCOMPLETE" not in one
    ]


@pytest.mark.soak
def test_a_wrong_token_is_told_and_nothing_shown(unchanged_site: Site, page: Page) -> None:
    watched = Watched(page)
    page.goto(f"{unchanged_site.origin}/signin#token=wrong")
    page.wait_for_function("() => document.getElementById('wrong').textContent.includes('not the token')")
    assert [one for one in watched.requests if "events" in one or "main.js" in one] == []
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#shown:not([hidden])")
    assert page.context.cookies()[0]["httpOnly"]
    assert page.evaluate("document.cookie") == ""
    assert [one for one in watched.requests if "token" in one] == []


def _open(page: Page, site: Site) -> None:
    page.goto(f"{site.origin}/signin#token={TOKEN}")
