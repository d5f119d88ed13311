"""What a supervisor sees of a conversation whose case has ended, or that never had one, in the demonstration's past."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from desk_pages import Seat, objections
from insight_pages import chromium
from past_bridge import SUPERVISOR, past_bridge

from ops.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [pytest.mark.e2e, pytest.mark.browser]
SERVED = """SELECT h.conversation_id, a.name FROM handoffs h JOIN conversations c ON c.id = h.conversation_id
    JOIN agents a ON a.id = h.agent_id WHERE h.ended_at IS NOT NULL AND c.mode = ? ORDER BY h.id DESC LIMIT 1"""
ALONE = "SELECT id, mode FROM conversations WHERE mode = 'bot' AND id NOT IN (SELECT conversation_id FROM handoffs)"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with past_bridge(tmp_path_factory.mktemp("past").resolve()) as stack:
        yield stack


@pytest.fixture(scope="module")
def boss(past: Stack) -> Iterator[Seat]:
    with chromium() as browser:
        seat = Seat(browser, past.url, SUPERVISOR)
        seat.sign_in()
        yield seat
        seat.leave()


def found(past: Stack, query: str, *values: str) -> tuple[str, str]:
    with closing(sqlite3.connect(f"file:{past.root / 'var' / 'bridge.db'}?mode=ro", uri=True)) as database:
        one, two = database.execute(query, values).fetchone()
        return str(one), str(two)


def opened(boss: Seat, past: Stack, conversation_id: str) -> tuple[Locator, Locator]:
    """Open a conversation as a link of the dashboards does; return its head and its banners."""
    boss.page.goto("about:blank")
    boss.page.goto(f"{past.url}/desk#/conversations/{conversation_id}")
    boss.log.wait_for()
    boss.log.locator("li").first.wait_for()
    return boss.page.locator(".talk-head"), boss.page.locator(".banners")


def test_a_case_that_has_ended_says_when_by_whom_and_who_has_the_customer_now(boss: Seat, past: Stack) -> None:
    conversation, agent = found(past, SERVED, "bot")
    head, banners = opened(boss, past, conversation)
    banners.get_by_text(f"由 {agent} 接待").wait_for()
    assert banners.inner_text().startswith("人工服务已结束：")
    assert banners.inner_text().endswith("现在由电小服接待")
    assert "在旁看" not in banners.inner_text()
    assert head.locator(".mode").inner_text() == "已结束"
    assert head.locator(".holder").count() == 0
    assert head.get_by_role("button").all_inner_texts() == ["接管"]  # the server lets nothing else be done
    assert boss.box.count() == boss.note_box.count() == 0
    assert objections(boss.page) == []


def test_a_closed_conversation_offers_nothing(boss: Seat, past: Stack) -> None:
    conversation, agent = found(past, SERVED, "closed")
    head, banners = opened(boss, past, conversation)
    banners.get_by_text(f"由 {agent} 接待").wait_for()
    assert "现在由" not in banners.inner_text()
    assert head.get_by_role("button").count() == 0


def test_a_conversation_that_the_bot_has_alone_says_so_and_can_be_taken_over(boss: Seat, past: Stack) -> None:
    conversation, _ = found(past, ALONE)
    head, banners = opened(boss, past, conversation)
    head.get_by_text("电小服接待").wait_for()
    assert banners.inner_text() == ""
    head.get_by_role("button", name="接管").click()
    boss.box.wait_for()
    head.get_by_text("人工服务中").wait_for()
    assert head.get_by_role("button", name="结束服务").is_visible()
    boss.assert_clean()
