"""Who follows and who leaves, codes that were scanned, items of the menu, and what is none of our business."""

from __future__ import annotations

from typing import Any

import pytest
from channel_kit import Phone, account
from sqlalchemy import func, select

from core import conversation as log_of
from core.channel import windows
from core.channel.tables import ChannelUser


async def test_who_follows_is_greeted_with_the_main_things_to_do(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        heard = await phone.event("subscribe")
        words = bridge.parts.wechat.words
        assert words.welcome in heard.text
        assert "大字" in heard.text
        assert "人工" in heard.text
        assert all(one.title in heard.text for one in words.welcome_buttons)
        assert "https://kefu.example.cn/wechat/h5" in heard.text
        assert phone.user.followed
        assert phone.states == [("sent", "passive")]
        assert bridge.rasa.asked == []


async def test_a_button_of_the_welcome_does_what_it_says(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.event("subscribe")
        await phone.say("1")
        assert (bridge.rasa.asked[-1]["text"], bridge.rasa.asked[-1]["payload"]) == ("/query_bill", True)


async def test_the_same_follow_twice_is_one_welcome(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        fields = phone.fields("event", Event="subscribe")
        first, second = await phone.push(fields), await phone.push(fields)
        assert first.text is not None
        assert second.body == b"success"
        assert len(phone.log) == 1


async def test_a_follow_lets_three_messages_go_out_and_a_message_five(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.event("subscribe")
        with bridge.parts.bridge.reading() as session:
            assert windows.remaining(session, phone.user.id, bridge.clock()).left == 3
        await phone.say("你好")
        with bridge.parts.bridge.reading() as session:
            assert windows.remaining(session, phone.user.id, bridge.clock()).left == 5


@pytest.mark.parametrize(("event", "key"), [("subscribe", "qrscene_poster"), ("SCAN", "poster")])
async def test_a_code_that_no_paper_has_is_kept_in_mind_and_greeted(sqlite_urls: Any, event: str, key: str) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        heard = await phone.event(event, EventKey=key, Ticket="t")
        assert bridge.parts.wechat.words.welcome in heard.text
        assert phone.user.scene == "poster"


async def test_an_item_of_the_menu_says_what_it_stands_for(start_account: Any) -> None:
    async with start_account() as bridge:
        phone, menu = Phone(bridge), bridge.parts.wechat.menu
        item = next(one for button in menu.buttons for one in button.items if one.key and one.payload)
        fields = phone.fields("event", Event="CLICK", EventKey=item.key)
        assert (await phone.push(fields)).text == f"答：{item.payload}"
        assert (await phone.push(fields)).body == b"success"
        assert phone.log[0].text == item.text
        assert len(bridge.rasa.asked) == 1
        with bridge.parts.bridge.reading() as session:
            assert windows.remaining(session, phone.user.id, bridge.clock()).left == 3


async def test_an_item_that_the_menu_has_no_longer_is_explained(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        assert (await phone.event("CLICK", EventKey="long_gone")).text == bridge.parts.wechat.words.menu_gone
        assert bridge.rasa.asked == []


@pytest.mark.parametrize(
    "name", ["VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "kf_create_session", "", "WiFiConnected"]
)
async def test_other_events_are_heard_and_not_answered(sqlite_urls: Any, name: str) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        before = len(phone.log)
        heard = await phone.event(
            name, EventKey="https://x.cn", Latitude="28.1", Longitude="112.9", Precision="1", MsgID="9"
        )
        assert (heard.status, heard.body) == (200, b"success")
        assert len(phone.log) == before
        assert (await Phone(bridge).event(name)).body == b"success"


async def test_who_follows_again_after_the_end_begins_anew(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        first = phone.user.conversation_id
        with bridge.parts.bridge.transaction() as session:
            log_of.change_mode(log_of.find_conversation(session, first, lock=True), "close", now=bridge.clock())
        await phone.event("SCAN", EventKey="poster")
        assert phone.user.conversation_id != first
        assert [one.type for one in phone.log] == ["welcome"]


async def test_who_talks_to_a_person_is_not_greeted_in_between(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        with bridge.parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, phone.user.conversation_id, lock=True)
            log_of.change_mode(conversation, "take", now=bridge.clock())
        assert (await phone.event("SCAN", EventKey="poster")).body == b"success"


async def test_who_leaves_is_forgotten_and_meets_us_anew(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("我叫李雷")
        first = phone.user
        assert (await phone.event("unsubscribe")).body == b"success"
        assert (await phone.event("unsubscribe")).body == b"success"
        with bridge.parts.bridge.reading() as session:
            gone = session.get_one(ChannelUser, first.id)
            assert (gone.user_id != phone.openid, gone.followed) == (True, False)
        await phone.event("subscribe")
        assert phone.user.id != first.id
        assert [one.type for one in phone.log] == ["welcome"]


async def test_news_of_leaving_that_comes_once_more_does_not_erase_who_follows_again(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("我叫李雷")
        leaving = phone.fields("event", Event="unsubscribe")
        await phone.push(leaving)
        await phone.event("subscribe")
        again = phone.user
        assert (await phone.push(leaving)).body == b"success"
        assert (phone.user.id, phone.user.followed, [one.type for one in phone.log]) == (again.id, True, ["welcome"])


async def test_who_leaves_and_was_never_known_leaves_no_trace(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        assert (await Phone(bridge).event("unsubscribe")).body == b"success"
        with bridge.parts.bridge.reading() as session:
            assert session.scalar(select(func.count()).select_from(ChannelUser)) == 0
