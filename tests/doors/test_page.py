"""The report that a comparison wrote, opened in headless Chromium from disk as a reader would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from plait.report.words import verdict_of
from tests.doors.conftest import Compared

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture
def page(compared: Compared) -> Iterator[Any]:
    """Give the opened page; whatever it complained of or asked for fails the test at its end."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: complaints.append(request.url) if _leaves(request.url) else None)
        opened.goto((compared.out / "report.html").as_uri())
        yield opened
        assert complaints == []
        browser.close()


def _leaves(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


def test_a_comparison_can_be_read(page: Any, compared: Compared) -> None:
    names = list(page.locator("#leaderboard tbody th .fusion").all_inner_texts())
    assert names == [entry["fusion"] for entry in compared.results["summary"]]
    finding, _, warnings = verdict_of(compared.results)
    assert page.locator(".finding").inner_text() == finding
    assert page.locator(".warnings li").all_inner_texts() == warnings
    best = compared.results["summary"][0]["t2i_r1"]["mean"]
    assert f"{best:.1f}" in page.locator("#leaderboard").inner_text()
    # every photo is there, and what the runs answered is shown
    assert page.evaluate("document.images.length") > 0
    page.wait_for_function("[...document.images].every((i) => !i.src || i.complete)")
    assert page.evaluate("[...document.images].every((i) => i.alt && (!i.src || i.naturalWidth > 0))")
    assert page.locator("#gallery .block:not([hidden]) .hit img[src]").count() > 0
    # a word shows its map: one cell per token of the image grid
    card = page.locator(".map").first
    fills = "(card) => [...card.querySelectorAll('rect')].map((r) => r.getAttribute('fill'))"
    card.locator(".words button").first.hover()
    first = card.evaluate(fills)
    card.locator(".words button").last.hover()
    assert len(first) > 1
    assert card.evaluate(fills) != first
    # how to make it again
    assert "plait" in page.locator("#command").inner_text()
    assert "torch" in page.locator("body").inner_text()
