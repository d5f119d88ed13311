"""The dashboards in a real browser: every tab, what can be opened and printed, and what happens when things end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from desk_pages import SHOTS, objections
from insight_pages import ENLARGED, LARGE, SMALL, beating, browser, counted, focused, page, settled, stage, visit
from insight_stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "page", "stage"]  # fixtures
PLACES = {
    "service": "#/service", "customers": "#/customers", "network": "#/network", "model": "#/model",
    "portrait": "#/customers/accounts/3101000012345", "learning": "#/learning", "group": "#/learning/groups/4",
    "faqs": "#/learning/faqs", "new-faq": "#/learning/faqs/new", "models": "#/learning/models", "offers": "#/offers",
    "weekly": "#/weekly", "rows": "#/service?rows=conversations",
}  # fmt: skip


def test_every_tab_can_be_used_by_everybody(page: Page, stage: Stage) -> None:
    found = {}
    for name, place in PLACES.items():
        visit(page, f"{stage.url}/insight{place}")
        page.locator("main").wait_for()
        settled(page)
        found[name] = objections(page)
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(SHOTS / f"insight-{name}.png"))
    assert {name: one for name, one in found.items() if one} == {}


@pytest.mark.parametrize("size", [SMALL, LARGE, *ENLARGED])
def test_nothing_runs_out_of_the_page(page: Page, stage: Stage, size: dict[str, int]) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]  # its own TypedDict
    for place in ("#/service", "#/customers", PLACES["portrait"], "#/learning", "#/offers"):
        visit(page, f"{stage.url}/insight{place}")
        page.locator("main").wait_for()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        sheet = page.locator(".page").evaluate("one => [one.scrollWidth, one.clientWidth]")
        assert sheet[0] <= sheet[1]


def test_days_and_channel_stand_in_the_address_and_come_back(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    page.get_by_role("button", name="昨天", exact=True).click()
    page.get_by_role("combobox", name="渠道").select_option("wechat")
    page.wait_for_url(re.compile(r"span=yesterday&channel=wechat"))
    page.get_by_role("button", name="客户", exact=True).click()
    page.get_by_role("button", name="服务", exact=True).click()
    page.reload()
    assert page.get_by_role("button", name="昨天", exact=True).get_attribute("aria-pressed") == "true"
    assert page.get_by_role("combobox", name="渠道").input_value() == "wechat"
    settled(page)
    assert "channel=wechat" in [one for one in stage.asked if one.startswith("boards/service")][-1]
    page.go_back()
    page.get_by_role("textbox", name="查一户的画像").wait_for()
    visit(page, f"{stage.url}/insight#/service?span=custom&from=2026-11-01&to=2026-11-03")
    assert stage.asked[-1].startswith("boards/service?from=2026-11-01&to=2026-11-03") or any(
        one.startswith("boards/service?from=2026-11-01&to=2026-11-03") for one in stage.asked
    )


def test_a_figure_tells_what_it_means_how_it_moved_and_what_is_behind_it(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    tile = page.locator(".figure").filter(has_text="没听懂的消息")
    assert "比前7天 +16.4% 变差" in tile.inner_text()
    assert tile.locator(".arrow").inner_text() == "▲"
    page.get_by_role("button", name="「没听懂的消息」怎么算的").click()
    note = tile.get_by_role("note")
    assert note.inner_text() == "机器人回答“没听懂”的客户消息。"
    page.keyboard.press("Escape")
    note.wait_for(state="hidden")
    tile.get_by_role("button", name="打开明细").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_text("共 742 条").wait_for()
    assert drawer.locator("tbody tr").count() == 25
    drawer.get_by_role("button", name="再看一些").click()
    counted(drawer.locator("tbody tr"), 50)
    assert any(one.startswith("rows/fallbacks?") and "after=25" in one for one in stage.asked)
    assert drawer.locator("tbody a").first.get_attribute("href") == "/desk#/conversations/c0"
    csv = drawer.get_by_role("link", name="下载 CSV").get_attribute("href")
    assert csv is not None
    assert csv.startswith("/v1/insight/rows/fallbacks.csv?from=")
    page.go_back()
    drawer.wait_for(state="hidden")


def test_what_has_no_change_to_tell_says_why_alone(page: Page, stage: Stage) -> None:
    figures = {one["name"]: one for group in stage.boards["service"]["groups"] for one in group["figures"]}
    figures["会话数"].update(change_text="本期未完", verdict="none")  # a count of days that are not over
    figures["客户消息数"].update(
        value=11702, text="11,702 条", change_text="本期未完", verdict="none"
    )  # so far as many
    figures["机器人独立解决率"].update(change_text="+2.3 个百分点（本期未完）")  # a share may be told
    visit(page, f"{stage.url}/insight")
    told = {
        name: page.locator(".figure").filter(has_text=name).locator(".figure-change").all_inner_texts()
        for name in ("会话数", "客户消息数", "机器人独立解决率", "15 分钟响应", "排队中离开")
    }
    assert told == {
        "会话数": ["本期未完"], "客户消息数": ["本期未完"], "15 分钟响应": ["持平"], "排队中离开": [],
        "机器人独立解决率": ["▲比前7天 +2.3 个百分点（本期未完） 变好"],
    }  # fmt: skip
    none = page.locator(".figure").filter(has_text="排队中离开")
    assert "无数据" in none.inner_text()
    assert none.get_by_role("button", name="打开明细").count() == 0  # nothing is behind it


def test_both_axes_of_points_have_a_name(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/customers")
    points = next(
        one for group in stage.boards["customers"]["groups"] for one in group["charts"] if one["kind"] == "scatter"
    )
    card = page.get_by_role("region", name=points["name"], exact=True)
    card.get_by_role("button", name="表格").click()
    assert card.locator("thead th").all_inner_texts() == ["名称", points["x_name"], points["y_name"]]


def test_an_answer_of_500_is_said_and_can_be_tried_again(page: Page, stage: Stage) -> None:
    stage.refusing.add("boards/service")
    visit(page, f"{stage.url}/insight")
    page.get_by_text("服务器出了点问题，请稍后再试。").wait_for()
    stage.refusing.clear()
    page.get_by_role("button", name="重试").click()
    page.locator(".figure").first.wait_for()


def test_a_chart_can_be_read_as_a_table_and_an_empty_one_says_so(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    card = page.get_by_role("region", name="等待时间", exact=True)
    card.get_by_role("button", name="等待时间：表格").click()
    rows = [re.split(r"\s+", one.strip()) for one in card.locator("tbody tr").all_inner_texts()]
    assert rows[0] == ["11月16日", "1分10秒", "4分"]
    assert rows[3] == ["11月19日", "—", "—"]
    page.get_by_role("region", name="回访", exact=True).get_by_text("这段时间没有应做的回访").wait_for()


def test_what_changes_is_read_again_without_moving_the_page(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    page.locator(".figure").first.wait_for()
    beating(page, stage)
    page.locator(".page").evaluate("one => { one.scrollTop = 600 }")
    page.evaluate("window.marked = document.querySelector('canvas')")
    stage.boards["service"]["groups"][0]["figures"][0].update(value=743, text="743 个")
    stage.version += 1
    page.evaluate("dispatchEvent(new Event('online'))")
    page.get_by_role("button", name="会话数 743 个").wait_for()
    assert page.locator(".page").evaluate("one => one.scrollTop") == 600
    assert page.evaluate("window.marked.isConnected")
    before = len([one for one in stage.asked if one.startswith("boards/")])
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(500)
    assert len([one for one in stage.asked if one.startswith("boards/")]) == before  # nothing new, nothing read


def test_a_lost_connection_is_said_and_its_return_too(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    page.locator(".figure").first.wait_for()
    beating(page, stage)
    stage.there = False
    page.evaluate("dispatchEvent(new Event('online'))")
    line = page.get_by_text(re.compile(r"连接中断，数据停在 \d\d:\d\d:\d\d"))
    line.wait_for()
    assert page.locator(".figure").count() > 5  # what was there stays
    stage.there = True
    page.get_by_role("button", name="现在重试").click()
    line.wait_for(state="hidden")


def test_a_session_that_is_over_asks_to_sign_in_and_keeps_the_place(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/customers/accounts/3101000012345?span=30")
    page.get_by_role("heading", name="王**").wait_for()
    stage.signed = False
    page.evaluate("dispatchEvent(new Event('online'))")
    page.get_by_text("登录已失效").wait_for()
    assert objections(page) == []
    page.get_by_label("密码", exact=True).fill("something long")
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("heading", name="王**").wait_for()
    assert page.url.endswith("#/customers/accounts/3101000012345?span=30")


def test_a_file_asked_for_after_the_session_ended_comes_after_signing_in(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    page.locator(".figure").filter(has_text="没听懂的消息").get_by_role("button", name="打开明细").click()
    link = page.get_by_role("dialog").get_by_role("link", name="下载 CSV")
    link.wait_for()
    stage.signed = False
    link.click()
    page.get_by_text("登录已失效").wait_for()
    assert not any(one.startswith("rows/fallbacks.csv") for one in stage.asked)
    page.get_by_label("密码", exact=True).fill("something long")
    page.get_by_role("button", name="登录", exact=True).click()
    with page.expect_download() as taken:
        link.click()
    assert taken.value.path().read_text("utf-8") == "\ufeff日期,会话"


def test_ten_messages_are_labelled_with_the_keyboard_alone(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/learning/groups/4")
    page.get_by_role("combobox").wait_for()
    focused(page.get_by_role("combobox"))
    total = page.locator(".item").count()
    for _ in range(9):
        page.keyboard.type("bgh")  # 过户、更名 is found by its first letters as well as by its words
        page.keyboard.press("Control+A")
        page.keyboard.type("gh")
        page.keyboard.press("Enter")
    counted(page.locator(".item"), total - 9)
    assert {deed for deed, _ in stage.deeds} == {"learning/items/label"}
    assert {body["intent"] for _, body in stage.deeds} == {"apply_transfer"}
    page.keyboard.press("Alt+D")
    counted(page.locator(".item"), total - 10)
    page.keyboard.press("Alt+Z")
    counted(page.locator(".item"), total - 9)
    assert [deed for deed, _ in stage.deeds[-2:]] == ["learning/items/dismiss", "learning/items/undo"]


def test_no_card_is_cut_when_the_page_is_printed(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1047, "height": 740})
    page.wait_for_timeout(300)
    cut = page.evaluate(
        "[...document.querySelectorAll('.canvas')].filter(one => one.firstElementChild.offsetWidth > one.clientWidth"
        " + 1 || getComputedStyle(one.closest('.card')).breakInside !== 'avoid').length"
    )
    assert cut == 0
    assert not page.get_by_role("navigation", name="看板").is_visible()
