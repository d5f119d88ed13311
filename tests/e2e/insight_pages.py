"""A browser for the pages of the dashboards, in which nothing may break, and what their tests wait for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from desk_pages import SECONDS, WATCH
from insight_stage import Stage, staged

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SMALL, LARGE = {"width": 1366, "height": 768}, {"width": 1920, "height": 1080}
ENLARGED = ({"width": 911, "height": 512}, {"width": 683, "height": 384})  # a laptop at 150 and at 200 per cent
NETWORK = "Failed to load resource"  # what tests do on purpose; all else is a part of the page that was not drawn


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser, or skip the test where there is none."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium here, and CI needs it")
        pytest.skip("there is no Chromium here: install Debian's chromium and fonts-noto-cjk to run this test")
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield one
        one.close()


@contextmanager
def sound_page(browser: Browser) -> Iterator[Page]:
    """Give a page that nothing may break on: no error, no part that was not drawn, nothing against the policy."""
    context = browser.new_context(locale="zh-CN", viewport=SMALL, reduced_motion="reduce")  # type: ignore[arg-type]  # its own TypedDict
    context.add_init_script(WATCH)
    made, broken = context.new_page(), list[str]()
    made.set_default_timeout(10 * SECONDS)
    made.on("pageerror", lambda error: broken.append(str(error)))
    made.on(
        "console", lambda said: broken.append(said.text) if said.type == "error" and NETWORK not in said.text else None
    )
    yield made
    assert broken == []
    assert made.evaluate("window.__broken || []") == []
    context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with sound_page(browser) as made:
        yield made


def visit(page: Page, url: str) -> None:
    """Open an address and wait until what it shows is there."""
    page.goto(url)
    settled(page)


def settled(page: Page) -> None:
    """Wait until nothing is being read."""
    page.locator("main.page").wait_for()  # before that there is nothing to be read
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.locator(".bone").first.wait_for(state="hidden")
    page.get_by_text("正在读取").first.wait_for(state="hidden")


def beating(page: Page, stage: Stage) -> None:
    """Wait until the page has heard a beat of the bridge: from then on it reads anew whenever the version moves."""
    for _ in range(20):
        before = len([one for one in stage.asked if one.startswith("boards/")])
        stage.version += 1
        page.evaluate("dispatchEvent(new Event('online'))")
        page.wait_for_timeout(500)
        if len([one for one in stage.asked if one.startswith("boards/")]) > before:
            return settled(page)
    raise AssertionError("the page never heard a beat")


def counted(things: Locator, number: int) -> None:
    """Wait until there are so many; the page's policy lets no text be run, so Playwright has to look by itself."""
    from playwright.sync_api import expect

    expect(things).to_have_count(number)


def focused(thing: Locator) -> None:
    """Wait until it has the focus."""
    from playwright.sync_api import expect

    expect(thing).to_be_focused()
