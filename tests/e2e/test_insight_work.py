"""The pages of the dashboards on which work is done: what a slip of the hand, a second try and a reload come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from desk_pages import objections
from insight_pages import browser, counted, page, stage, visit
from insight_stage import Stage, read

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "page", "stage"]  # fixtures
DRAFT = {"key": "learned_wire_low", "question": "电线垂到树上怎么办", "source": "抢修规程"}


def test_what_the_last_export_held_back_is_told_with_the_reason(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/learning")
    held = page.get_by_role("listitem").filter(has_text="标注了但不能训练")
    assert "与验证集里的消息相同或几乎相同 2 条" in held.inner_text()
    ready = page.get_by_role("listitem").filter(has_text="可以训练的标准问答")
    assert "另有不能训练的：可能含个人信息 1 条" in ready.inner_text()
    assert objections(page) == []
    visit(page, f"{stage.url}/insight#/learning/groups/4")
    counted(page.get_by_text("不会用来训练：与验证集里的消息相同或几乎相同"), 1)
    visit(page, f"{stage.url}/insight#/learning/faqs")
    page.get_by_text("不会用来训练：可能含个人信息").wait_for()


def test_the_page_of_groups_stands_in_the_address_and_the_places_go_on(page: Page, stage: Stage) -> None:
    stage.more = "6.5:12"
    visit(page, f"{stage.url}/insight#/learning")
    rows = page.locator(".groups tbody tr")
    first = len(read("learning_groups")["groups"])
    counted(rows, first)
    page.get_by_role("button", name="下一页").click()
    place = rows.first.locator("td").first
    place.get_by_text(str(first + 1), exact=True).wait_for()
    page.reload()
    place.get_by_text(str(first + 1), exact=True).wait_for()
    assert any(one.startswith("learning/groups?") and "after=6.5%3A12" in one for one in stage.asked)
    rows.first.get_by_role("button").click()
    page.get_by_role("combobox").wait_for()
    page.get_by_role("button", name="消息分组").click()
    place.get_by_text(str(first + 1), exact=True).wait_for()
    page.get_by_role("button", name="回到开头").click()
    place.get_by_text("1", exact=True).wait_for()


def test_nothing_can_be_labelled_as_not_understood(page: Page, stage: Stage) -> None:
    assert "nlu_fallback" in {one["understood"] for one in read("learning_group")["items"]}
    visit(page, f"{stage.url}/insight#/learning/groups/4")
    box = page.get_by_role("combobox")
    box.wait_for()
    page.get_by_role("option").first.wait_for()
    assert page.get_by_role("option").filter(has_text="nlu_fallback").count() == 0
    box.fill("nlu_fallback")
    page.get_by_text("没有这样的意图").wait_for()


def test_a_key_held_down_labels_one_message_and_a_second_click_takes_back_one_step(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/learning/groups/4")
    page.get_by_role("option").first.wait_for()
    total = page.locator(".item").count()
    page.get_by_role("combobox").focus()
    page.keyboard.down("Enter")
    for _ in range(3):
        page.keyboard.down("Enter")  # as a key that is held down
    page.keyboard.up("Enter")
    counted(page.locator(".item"), total - 1)
    page.get_by_role("button", name="撤销").dblclick()
    counted(page.locator(".item"), total)
    assert [deed for deed, _ in stage.deeds] == ["learning/items/label", "learning/items/undo"]


def test_a_second_try_to_release_an_answer_makes_no_second_answer(page: Page, stage: Stage) -> None:
    stage.refusing.add("learning/faqs/77")  # the answer is kept, and what should follow fails
    visit(page, f"{stage.url}/insight#/learning/faqs/new")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="问题").fill(DRAFT["question"])
    dialog.get_by_role("textbox", name="编号").fill(DRAFT["key"])
    dialog.get_by_placeholder("文件名或文号").fill(DRAFT["source"])
    for text in ("电线耷拉在树枝上", "树压着电线了", "线掉到树上危险吗"):
        dialog.get_by_placeholder("另一种问法，按回车添加").fill(text)
        dialog.get_by_placeholder("另一种问法，按回车添加").press("Enter")
    dialog.get_by_role("textbox", name="答复").fill("请远离，不要碰树，马上报修，抢修人员会先停电再处理。")
    dialog.get_by_role("button", name="设为可用").click()
    dialog.get_by_text("服务器出了点问题，请稍后再试。").wait_for()
    stage.refusing.clear()
    dialog.get_by_role("button", name="设为可用").click()
    dialog.wait_for(state="hidden")
    made = [deed for deed, _ in stage.deeds]
    assert made == ["learning/faqs", "learning/faqs/77", "learning/faqs/77"]
    assert stage.deeds[-1][1] == {"version": 1, "state": "ready"}


def test_a_campaign_is_sent_only_after_a_second_look(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/offers")
    page.get_by_role("button", name="开始发送：冬季用电").click()
    dialog = page.get_by_role("dialog")
    assert "同意接收的有 41 位，其中 4 位留作对照" in dialog.inner_text()
    assert objections(page) == []
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert stage.deeds == []
    page.get_by_role("button", name="开始发送：冬季用电").click()
    dialog.get_by_role("button", name="开始发送").dblclick()
    dialog.wait_for(state="hidden")
    page.get_by_text("已开始").wait_for()
    assert [deed for deed, _ in stage.deeds] == ["campaigns/1/start"]


def test_esc_throws_nothing_away_that_was_written_without_asking(page: Page, stage: Stage) -> None:
    asked, answers = list[str](), [False, True]

    def answered(one: Dialog) -> None:
        asked.append(one.message)
        _ = one.accept() if answers.pop(0) else one.dismiss()

    page.on("dialog", answered)
    visit(page, f"{stage.url}/insight#/learning/faqs/new")
    dialog = page.get_by_role("dialog")
    question = dialog.get_by_role("textbox", name="问题")
    question.fill(DRAFT["question"])
    page.keyboard.press("Escape")
    assert question.input_value() == DRAFT["question"]
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert asked == ["还没有保存。放弃刚才写的内容吗？"] * 2
    visit(page, f"{stage.url}/insight#/learning/models")
    visit(page, f"{stage.url}/insight#/learning/faqs/new")
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert len(asked) == 2  # nothing written, nothing asked


def test_going_back_to_the_model_before_names_the_one_that_goes(page: Page, stage: Stage) -> None:
    visit(page, f"{stage.url}/insight#/learning/models")
    page.get_by_role("button", name="退回", exact=False).first.click()
    page.get_by_role("dialog").get_by_role("button", name="退回", exact=True).click()
    page.get_by_text("已退回").wait_for()
    assert stage.deeds == [("models/rollback", {"running": read("models")["running"]})]
