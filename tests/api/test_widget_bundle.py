"""The widget's one file: what is in it, how it is served, and that no host page can break it."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.widget import SCRIPTS, STATIC, STYLES, VENDORED, join_widget, router

if TYPE_CHECKING:
    from playwright.sync_api import Page

POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'"
OWN = sorted((STATIC / "widget").iterdir())
# A page with an AMD loader and a CommonJS module object, both of which a bare UMD would fall for.
LOADER = (
    "window.taken = []; window.define = (...all) => taken.push(all); define.amd = {}; window.module = {exports: {}};"
)
PAGE = (
    '<!doctype html><html lang="zh-CN"><title>营业厅</title><script src="/loader.js"></script>'
    '<script src="/widget/v1.js" async></script><script src="/widget/v1.js" async></script><body><p>营业厅</p>'
)


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


def test_every_file_of_the_widget_is_in_the_bundle_once() -> None:
    assert sorted((*SCRIPTS, *STYLES)) == [path.name for path in OWN]
    bundle = join_widget()
    for name in SCRIPTS:
        assert bundle.count((STATIC / "widget" / name).read_text("utf-8")) == 1
    assert bundle.count((STATIC / VENDORED).read_text("utf-8")) == 1


def test_the_bundle_comes_as_javascript_that_any_page_may_load(client: TestClient) -> None:
    answer = client.get("/widget/v1.js")
    assert answer.status_code == 200
    assert answer.text == join_widget()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_browser_that_has_the_bundle_hears_not_modified(client: TestClient) -> None:
    etag = client.get("/widget/v1.js").headers["etag"]
    again = client.get("/widget/v1.js", headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get("/widget/v1.js", headers={"If-None-Match": 'W/"older"'}).status_code == 200


def test_the_bundle_is_compressed_only_for_those_who_can_read_it(client: TestClient) -> None:
    with client.stream("GET", "/widget/v1.js", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).decode() == join_widget()
    assert len(raw) < 40_000
    plain = client.get("/widget/v1.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_the_head_of_the_bundle_has_its_length_and_no_body(client: TestClient) -> None:
    head = client.head("/widget/v1.js", headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(join_widget().encode())


@pytest.mark.parametrize("name", SCRIPTS)
def test_our_files_are_short_and_use_nothing_that_a_strict_policy_forbids(name: str) -> None:
    text = (STATIC / "widget" / name).read_text("utf-8")
    assert len(text.splitlines()) < 250
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\sstyle=|\.style\b|\(\?<[=!]"
    )
    assert re.findall(forbidden, text) == []


@pytest.fixture
def strict_page() -> Iterator[tuple[Page, list[str]]]:
    """A page under a strict policy that carries the tag twice, and what its console complained of."""
    from playwright.sync_api import Route, sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium here, and CI needs it")
        pytest.skip("there is no Chromium here: install Debian's chromium to run this test")
    script = "text/javascript"
    files = {"/": ("text/html", PAGE), "/loader.js": (script, LOADER), "/widget/v1.js": (script, join_widget())}

    def answer(route: Route) -> None:
        kind, body = files.get("/" + route.request.url.split("/", 3)[3], ("text/plain", ""))
        headers = {"Content-Security-Policy": POLICY, "Content-Type": f"{kind}; charset=utf-8"}
        route.fulfill(status=200 if body else 404, headers=headers, body=body)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(locale="zh-CN")
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        page.route("**/*", answer)
        page.goto("http://localhost:9/")
        page.wait_for_function("window.dianfu")
        yield page, errors
        browser.close()


@pytest.mark.browser
def test_a_strict_page_with_a_module_loader_of_its_own_gets_one_working_widget(
    strict_page: tuple[Page, list[str]],
) -> None:
    page, errors = strict_page
    page.get_by_role("button", name="在线客服").click()
    page.get_by_role("dialog", name="在线客服").get_by_label("输入您的问题").wait_for()
    assert page.get_by_role("button", name="发送").evaluate("e => getComputedStyle(e).color") == "rgb(75, 96, 94)"
    assert page.evaluate("document.querySelectorAll('dianfu-chat').length") == 1
    assert page.evaluate("[taken.length, Object.keys(module.exports).length, typeof htmPreact]") == [0, 0, "undefined"]
    assert page.evaluate("Object.keys(dianfu).sort()") == ["ask", "close", "login", "logout", "open"]
    assert errors == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 375])
def test_in_large_type_on_a_narrow_phone_the_name_stands_there_and_nothing_is_cut_off(
    strict_page: tuple[Page, list[str]], width: int
) -> None:
    page, errors = strict_page
    page.set_viewport_size({"width": width, "height": 600})
    page.get_by_role("button", name="在线客服").click()
    page.get_by_role("button", name="大字版").click()
    name = page.get_by_role("dialog", name="在线客服").get_by_text("电小服", exact=True)
    assert name.is_visible()
    header = page.locator("dianfu-chat header")
    assert header.evaluate("e => e.scrollWidth <= e.clientWidth")
    for part in (name, header.locator(".mode:not(svg)"), *header.get_by_role("button").all()):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert part.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    large = header.get_by_role("button", name="大字版").bounding_box()
    assert large is not None
    assert large["height"] >= 48
    assert errors == []


@pytest.mark.browser
def test_a_page_that_keeps_a_bar_above_the_chat_has_it_uncovered(strict_page: tuple[Page, list[str]]) -> None:
    page, _ = strict_page
    page.set_viewport_size({"width": 375, "height": 600})
    page.evaluate("document.documentElement.style.setProperty('--page-bar', '48px')")
    page.get_by_role("button", name="在线客服").click()
    box = page.get_by_role("dialog", name="在线客服").bounding_box()
    assert box is not None
    assert (box["y"], box["height"]) == (48, 552)
