"""Who writes over WeChat, and which conversation is theirs."""

from __future__ import annotations

from typing import Any

from channel_kit import Phone
from sqlalchemy import func, select

from core import conversation as log_of
from core.binding import apply_grant
from core.channel.tables import WECHAT, ChannelUser
from core.channel.users import conversation_of, user_of
from core.conversation import Conversation
from core.identity import Grant


def close(phone: Phone) -> str:
    bridge = phone.bridge
    with bridge.parts.bridge.transaction() as session:
        conversation = log_of.find_conversation(session, phone.user.conversation_id, lock=True)
        log_of.change_mode(conversation, "close", now=bridge.clock())
        return conversation.id


async def test_somebody_new_gets_an_anonymous_conversation_and_keeps_it(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        first = phone.user.conversation_id
        await phone.say("在吗")
        assert phone.user.conversation_id == first
        with bridge.parts.bridge.reading() as session:
            conversation = session.get_one(Conversation, first)
            assert (conversation.channel, conversation.customer_no, conversation.accounts) == (WECHAT, None, [])
            assert (conversation.assurance, conversation.channel_user_id) == (0, phone.user.id)


async def test_two_users_share_nothing(start_account: Any) -> None:
    async with start_account() as bridge:
        one, other = Phone(bridge), Phone(bridge)
        await one.say("我是甲")
        await other.say("我是乙")
        assert [text for _, text in one.said] == ["我是甲", "答：我是甲"]
        assert [text for _, text in other.said] == ["我是乙", "答：我是乙"]


async def test_the_same_number_of_another_user_gets_nothing_of_the_answer(start_account: Any) -> None:
    async with start_account() as bridge:
        one, other = Phone(bridge), Phone(bridge)
        fields = one.fields("text", Content="查电费")
        await one.push(fields)
        heard = await other.push(fields | {"FromUserName": other.openid})
        assert heard.body == b"success"
        assert other.log == []


async def test_after_the_end_the_next_message_opens_a_new_conversation_with_what_was_proved(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        with bridge.parts.bridge.transaction() as session:
            user = session.merge(phone.user)
            user.customer_no = "C0000007"
            conversation = conversation_of(session, user, lock=True)
            grant = Grant(conversation.id, "t", add=("4201234567890",))
            apply_grant(session, conversation, grant, now=bridge.clock(), user=user)
        ended = close(phone)
        assert (await phone.say("再问一句")).text == "答：再问一句"
        assert phone.user.conversation_id != ended
        with bridge.parts.bridge.reading() as session:
            fresh = session.get_one(Conversation, phone.user.conversation_id)
            assert (fresh.accounts, fresh.customer_no, fresh.assurance) == (["4201234567890"], "C0000007", 1)
            assert fresh.assurance_at(bridge.clock()) == 1


async def test_a_danger_after_the_end_stays_where_the_case_was(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        ended = close(phone)
        heard = await phone.say("电线断了掉在路上冒火花")
        assert "95598" in heard.text
        assert phone.user.conversation_id == ended


async def test_a_repeated_message_does_not_open_a_conversation_again(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        close(phone)
        fields = phone.fields("text", Content="还在吗")
        await phone.push(fields)
        fresh = close(phone)
        assert (await phone.push(fields)).body == b"success"
        assert phone.user.conversation_id == fresh


async def test_finding_a_user_twice_makes_one(start_account: Any) -> None:
    async with start_account() as bridge:
        with bridge.parts.bridge.transaction() as session:
            first = user_of(session, WECHAT, "oTwice", now=bridge.clock())
            assert user_of(session, WECHAT, "oTwice", now=bridge.clock()) is first
            assert session.scalar(select(func.count()).select_from(ChannelUser)) == 1
