"""What users send: text, choices, voice, photos, places, and what nobody can read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import FakeRasa
from channel_kit import Phone, account
from sqlalchemy import update

from api.rasa import BotTurn
from api.schemas import MAX_TEXT
from core import conversation as log_of
from core.channel.tables import Delivery
from core.channel.users import begin_anew, conversation_of
from core.conversation import Draft

CHOICES = (("看9月", '/query_bill{"period": "2026-09"}'), ("缴费", "/pay_bill"))


def asking(*buttons: tuple[str, str], text: str = "还要看什么？") -> FakeRasa:
    return FakeRasa(answer=lambda _: BotTurn((Draft("bot", "10月电费152.30元。"), Draft("bot", text, buttons=buttons))))


@pytest.mark.parametrize(
    "text", ["查电费", "\uff21\uff22相电压", "电费😀多少", "/::)", "/query_bill", "第一行\n第二行"]
)
async def test_a_text_is_asked_as_it_was_typed(sqlite_urls: Any, text: str) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        await phone.say(text)
        assert phone.log[0].text == text
        assert bridge.rasa.asked[0]["payload"] is False
        assert not bridge.rasa.asked[0]["text"].startswith("/")


async def test_a_text_that_is_too_long_is_kept_as_far_as_it_goes_and_the_customer_is_told(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        heard = await phone.say("长" * (MAX_TEXT + 50))
        assert len(phone.log[0].text) == MAX_TEXT
        assert heard.text == bridge.parts.wechat.words.too_long
        assert bridge.rasa.asked == []


async def test_a_tapped_choice_is_the_button_that_was_shown(start_account: Any) -> None:
    async with start_account(asking(*CHOICES)) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        shown = phone.log[-1].buttons[1]
        await phone.say("随便什么字", bizmsgmenuid=shown["id"])
        assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == ("/pay_bill", True)
        assert phone.said[3] == ("customer", "缴费")


async def test_a_choice_that_this_conversation_never_showed_is_over(start_account: Any) -> None:
    async with start_account(asking(*CHOICES)) as bridge:
        other, phone = Phone(bridge), Phone(bridge)
        await other.say("电费")
        asked = len(bridge.rasa.asked)
        for key in (other.log[-1].buttons[1]["id"], "b_unknown"):
            assert (await phone.say("缴费", bizmsgmenuid=key)).text == bridge.parts.wechat.words.choice_gone
        assert len(bridge.rasa.asked) == asked


async def test_a_choice_that_is_none_of_ours_is_read_as_its_text(start_account: Any) -> None:
    async with start_account(asking(*CHOICES)) as bridge:
        phone = Phone(bridge)
        for key in ("101", "x" * 300):
            await phone.say("缴费", bizmsgmenuid=key)
            assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == ("缴费", False)


async def test_a_choice_of_an_earlier_conversation_is_over(start_account: Any) -> None:
    async with start_account(asking(*CHOICES)) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        old = phone.log[-1].buttons[1]["id"]
        with bridge.parts.bridge.transaction() as session:
            begin_anew(session, session.merge(phone.user), now=bridge.clock())
        assert (await phone.say("缴费", bizmsgmenuid=old)).text == bridge.parts.wechat.words.choice_gone


async def test_a_digit_after_a_persons_question_is_said_to_them(start_account: Any) -> None:
    async with start_account(asking(*CHOICES)) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        with bridge.parts.bridge.transaction() as session:
            conversation = conversation_of(session, session.merge(phone.user), lock=True)
            log_of.record_reply(session, conversation, Draft("agent", "家里几口人"), now=bridge.clock())
        await phone.say("1")
        assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == ("1", False)


async def test_a_digit_after_a_later_open_question_is_its_answer(start_account: Any) -> None:
    async with start_account(asking(*CHOICES)) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        with bridge.parts.bridge.transaction() as session:
            conversation = conversation_of(session, session.merge(phone.user), lock=True)
            asked = log_of.record_reply(session, conversation, Draft("system", "家里几口人？"), now=bridge.clock())
            query = update(Delivery).where(Delivery.conversation_id == conversation.id, Delivery.seq == asked.seq)
            session.execute(query.values(state="sent", sent_at=bridge.clock() + timedelta(seconds=9)))
        await phone.say("1")
        assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == ("1", False)


@pytest.mark.parametrize("style", ["links", "menu", "numbers"])
@pytest.mark.parametrize("typed", ["2", "\uff12", "2。", " 2 ", "二", "选2", "选\uff12", "我选二", "第二个", "第2项"])
async def test_a_bare_number_is_the_choice_with_that_number(sqlite_urls: Any, style: str, typed: str) -> None:
    async with account(sqlite_urls, asking(*CHOICES), wechat_choices=style) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        await phone.say(typed)
        assert bridge.rasa.asked[-1]["text"] == "/pay_bill"


@pytest.mark.parametrize("typed", ["3", "9", "22", "两个", "2月"])
async def test_another_number_is_read_as_itself(sqlite_urls: Any, typed: str) -> None:
    async with account(sqlite_urls, asking(*CHOICES)) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        await phone.say(typed)
        assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == (typed, False)


async def test_a_number_that_was_asked_for_is_no_choice(sqlite_urls: Any) -> None:
    ways = (("先跳过", "/skip"), ("不办了", "/cancel"))
    async with account(sqlite_urls, asking(*ways, text="家里常住几口人？")) as bridge:
        phone = Phone(bridge)
        await phone.say("一户多人口")
        await phone.say("2")
        assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == ("2", False)


async def test_numbers_run_through_what_came_in_one_answer_and_end_with_it(start_account: Any) -> None:
    turn = BotTurn((Draft("bot", "甲", buttons=CHOICES[:1]), Draft("bot", "乙", buttons=CHOICES[1:])))
    async with start_account(FakeRasa(answer=lambda _: turn)) as bridge:
        phone = Phone(bridge)
        await phone.say("电费")
        bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "好"),))
        await phone.say("2")
        assert bridge.rasa.asked[-1]["text"] == "/pay_bill"
        await phone.say("2")
        assert bridge.rasa.asked[-1]["text"] == "2"


async def test_a_voice_that_was_recognised_is_a_text(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        heard = await phone.push(phone.fields("voice", MediaId="m", Format="amr", Recognition="家里没电了。"))
        assert heard.text == "答：家里没电了。"
        assert phone.log[0].type == "voice"


@pytest.mark.parametrize("recognised", [{}, {"Recognition": ""}, {"Recognition": " \u200b"}])
async def test_a_voice_nobody_can_read_gets_a_kind_request(sqlite_urls: Any, recognised: dict[str, str]) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        heard = await phone.push(phone.fields("voice", MediaId="m", Format="amr", **recognised))
        assert heard.text == bridge.parts.wechat.words.voice
        assert phone.said == [("customer", "[语音]"), ("system", bridge.parts.wechat.words.voice)]
        assert bridge.rasa.asked == []


async def test_a_place_is_its_address_and_its_coordinates(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        label = "湖南省长沙市岳麓区麓山南路932号"
        await phone.push(
            phone.fields("location", Location_X="28.181234567", Location_Y="112.944", Scale="16", Label=label)
        )
        await phone.push(phone.fields("location", Location_X="28.18", Location_Y="112.94", Scale="16", Label=""))
        await phone.push(phone.fields("location", Location_X="一", Location_Y="112.94", Label=label))
        first, second, third = [one for one in phone.log if one.author == "customer"]
        assert (first.type, first.text, first.card) == (
            "location",
            label,
            {"lat": 28.181235, "lon": 112.944, "label": label},
        )
        assert bridge.rasa.asked[0]["text"] == label
        assert second.text == "位置：北纬28.18，东经112.94"
        assert (third.type, third.text) == ("text", label)


@pytest.mark.parametrize(
    ("kind", "more", "shown", "answer"),
    [
        ("link", {"Title": "停电通知", "Url": "http://x.cn/1"}, "[链接] 停电通知", "link"),
        ("video", {"MediaId": "m", "ThumbMediaId": "t"}, "[视频]", "video"),
        ("shortvideo", {"MediaId": "m", "ThumbMediaId": "t"}, "[视频]", "video"),
        ("file", {"Title": "a.pdf"}, "[无法显示的消息]", "unknown"),
        ("miniprogrampage", {}, "[无法显示的消息]", "unknown"),
        ("text", {"Content": "\u200b"}, "[无法显示的消息]", "unknown"),
        ("image", {"PicUrl": "http://x.cn"}, "[无法显示的消息]", "unknown"),
    ],
)
async def test_what_nobody_can_read_is_noted_and_answered(
    sqlite_urls: Any, kind: str, more: dict[str, str], shown: str, answer: str
) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        heard = await phone.push(phone.fields(kind, **more))
        assert heard.text == getattr(bridge.parts.wechat.words, answer)
        assert phone.said[0] == ("customer", shown)
        assert bridge.rasa.asked == []


async def test_a_voice_while_a_person_has_the_conversation_is_noted_for_them(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        with bridge.parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, phone.user.conversation_id, lock=True)
            log_of.change_mode(conversation, "take", now=bridge.clock())
        heard = await phone.push(phone.fields("voice", MediaId="m"))
        assert heard.text == bridge.parts.wechat.words.voice
        assert ("customer", "[语音]") in phone.said
