"""Plain wording over HTTP: who is served plainly reads a long answer in several messages, and all the others in one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import ROOT, Customer
from service_fit_kit import fitted_office, token
from supervision_kit import Office

from api.channels.wechat.render import LIMIT, Render
from api.channels.wechat.words import Words
from api.plain import spoken
from api.rasa import BotTurn
from core.conversation import CONFIRM, Draft
from core.segment.tables import SEGMENTS
from tests.dialects import NewUrl

LONG = (
    "我能帮您：\n① 查电费、用电量、欠费、缴费，开发票；\n② 报停电和故障，查停电、查进度、催办；\n"
    "③ 讲电价，算哪种划算，教您省电；\n④ 办新装、增容、过户、销户、充电桩、光伏；\n⑤ 收投诉、举报和建议，转人工。\n"
    "您想先办哪一样？"
)
BUTTONS = (("查电费", "/query_bill"), ("转人工", "/request_human"))
CARD = Draft("bot", "10月电费39.06元。一共70度，不算多，也不算少，和去年一样。", "bill_card", {"amount": "39.06"})


@pytest.fixture
async def desk(urls: tuple[str, str], new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Office]:
    async with fitted_office(urls, new_url, tmp_path) as one:
        one.bridge.rasa.answer = lambda _: BotTurn((Draft("bot", LONG, buttons=BUTTONS),))
        yield one


async def says(desk: Office, segment: str, text: str) -> tuple[Customer, list[dict[str, Any]]]:
    customer = await desk.bridge.customer(token(desk, segment))
    return customer, (await customer.say(text))["messages"]


async def test_a_long_answer_comes_in_two_messages_with_the_buttons_under_the_last(desk: Office) -> None:
    _, messages = await says(desk, "special_service", "你会什么")
    assert len(messages) == 2
    assert "".join(one["text"] for one in messages).replace("\n", "") == LONG.replace("\n", "")
    assert [[button["title"] for button in one["buttons"]] for one in messages] == [[], ["查电费", "转人工"]]


@pytest.mark.parametrize("segment", [one for one in SEGMENTS if one != "special_service"])
async def test_everybody_else_reads_it_as_it_was_written(desk: Office, segment: str) -> None:
    _, messages = await says(desk, segment, "你会什么")
    assert [one["text"] for one in messages] == [LONG]


async def test_on_wechat_it_is_one_text_with_a_pause_and_every_word(desk: Office) -> None:
    customer, messages = await says(desk, "special_service", "你会什么")
    rows = [row for row in desk.bridge.rows(customer.conversation_id) if row.author == "bot"]
    render = Render(
        Words.load(ROOT / "data" / "wechat" / "wording.yaml"), style="links", public_url="https://dianfu.test"
    )
    (said,) = render.as_service(rows[-2:])
    text = said["text"]["content"]
    assert text.startswith(f"{messages[0]['text']}\n\n{messages[1]['text']}\n\n")
    assert all(title in text for title, _ in BUTTONS)
    assert len(text.encode()) <= LIMIT


@pytest.mark.parametrize("more", [{"handoff": "danger"}, {"understood": {"intent": "report_danger+query_bill"}}])
def test_words_of_danger_are_the_same_to_the_byte(more: dict[str, Any]) -> None:
    turn = BotTurn((Draft("bot", "先断电。别碰。离远点。" * 9),), **more)
    assert spoken(turn, "plain") is turn


@pytest.mark.parametrize("style", ["", "business"])
def test_no_other_style_changes_an_answer(style: str) -> None:
    turn = BotTurn((Draft("bot", LONG),))
    assert spoken(turn, style) is turn


def test_cards_stay_and_what_is_to_be_confirmed_is_seen_at_once() -> None:
    ask = Draft("bot", LONG + "没有问题就确认提交；要改哪一项，直接告诉我。", CONFIRM, buttons=BUTTONS)
    turn = spoken(BotTurn((CARD, ask), {"intent": "apply_new"}, "asked", ("grant",)), "plain")
    card, asked = turn.drafts
    assert card is CARD
    assert (asked.type, asked.buttons) == (CONFIRM, BUTTONS)
    assert (asked.text.replace("\n", ""), asked.text.count("\n")) == (ask.text.replace("\n", ""), 8)
    assert (turn.understood, turn.handoff, turn.grants) == ({"intent": "apply_new"}, "asked", ("grant",))
