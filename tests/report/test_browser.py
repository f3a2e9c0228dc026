"""The report in headless Chromium, opened from disk as a reader would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plait.report.page import write_report
from plait.tasks.match.show.page import PAGE
from tests.report.sample import sample_gallery, sample_results

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    return write_report(sample_results(photos=60, seeds=2), sample_gallery(hostile=True), path, page=PAGE)


# A page opens in under a second; on a machine with other work it was seen to take more than Playwright's half minute.
SLOWEST_MS = 180_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """Give the opened page; whatever it complained of or asked for fails the test at its end."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(SLOWEST_MS)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: complaints.append(request.url) if _leaves(request.url) else None)
    opened.goto(report.as_uri())
    yield opened
    assert complaints == []
    opened.close()


def _leaves(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


def _names(page: Any) -> list[str]:
    return list(page.locator("#leaderboard tbody th .fusion").all_inner_texts())


def test_sorts_by_any_column_both_ways(page: Any) -> None:
    by_quality = _names(page)
    page.get_by_role("button", name="Parameters").click()
    down = _names(page)
    assert down[0] == "cross"
    page.get_by_role("button", name="Parameters").click()
    assert _names(page)[-1] == "cross"
    page.get_by_role("button", name="Text → image R@1 %").click()
    assert _names(page) == by_quality
    page.get_by_role("button", name="Fusion", exact=True).click()
    assert _names(page) == sorted(by_quality)


def test_switches_the_columns(page: Any) -> None:
    assert not page.get_by_role("columnheader", name="Peak memory").is_visible()
    page.locator("#views").get_by_role("button", name="Cost").click()
    assert page.get_by_role("columnheader", name="Peak memory").is_visible()


def test_switches_the_fusion_of_the_gallery(page: Any) -> None:
    place = page.locator("#gallery")
    shown = ".block:not([hidden])"
    before = place.locator(f"{shown} .answers").all_inner_texts()
    place.get_by_role("button", name="product").click()
    assert place.locator(shown).get_attribute("data-fusion") == "product"
    assert place.locator(f"{shown} .answers").all_inner_texts() != before
    assert place.locator(f"{shown} .hit.right").count() > 0
    page.wait_for_function("[...document.images].every((i) => !i.src || i.complete)")
    assert page.evaluate("[...document.images].every((i) => i.alt && (!i.src || i.naturalWidth > 0))")
    assert page.evaluate("[...document.querySelectorAll('.block:not([hidden]) img')].every((i) => i.src)")


def test_a_word_shows_its_map_by_pointer_and_by_keyboard(page: Any) -> None:
    card = page.locator(".map").first
    fills = "(card) => [...card.querySelectorAll('rect')].map((r) => r.getAttribute('fill'))"
    assert card.locator("rect").count() == 81
    card.locator(".words button").nth(0).hover()
    first = card.evaluate(fills)
    card.locator(".words button").nth(1).focus()
    assert card.evaluate(fills) != first
    assert card.locator("[aria-pressed=true]").count() == 1
    assert "9 × 9 cells" in card.inner_text()
    page.locator("#attention").get_by_role("button", name="cross").click()
    assert page.locator(".map").first.locator("rect").count() == 49


def test_captions_stay_text(page: Any) -> None:
    assert page.evaluate("window.broken") is None
    assert page.locator("#gallery blockquote", has_text="<script>window.broken").count() == 5


def test_switches_between_light_and_dark(page: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(paper) != before


@pytest.mark.parametrize("width", [390, 420])
def test_fits_a_phone(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lines = "[...document.querySelectorAll('.fusion > span')].map((s) => s.getClientRects().length)"
    assert set(page.evaluate(lines)) == {1}, "a name is broken over two lines"
