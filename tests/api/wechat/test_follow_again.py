"""Who follows after having proved an account on the page, and who follows again after having left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from channel_kit import Phone
from sqlalchemy import select

from core.binding import Binding
from core.channel.erase import forget_traces
from core.channel.tables import ChannelUser
from core.channel.users import user_of
from core.conversation import Conversation

LATER = timedelta(seconds=5)
OWNER, ACCOUNT = "420000000007", "4201234567890"


def bound(phone: Phone, *, followed: bool) -> None:
    """Note what somebody has proved, whose contract it is, as the page and the billing system do."""
    with phone.bridge.parts.bridge.transaction() as session:
        user = user_of(session, "wechat", phone.openid, now=phone.bridge.clock())
        user.followed = followed
        session.add(Binding(
            conversation_id=user.conversation_id, channel="wechat", channel_user=phone.openid, account_no=ACCOUNT,
            owner_no=OWNER, since=phone.bridge.clock(),
        ))  # fmt: skip


@pytest.mark.parametrize("first", ["subscribe", "message"])
async def test_what_was_proved_on_the_page_counts_from_the_following_on(start_account: Any, first: str) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        bound(phone, followed=False)
        assert phone.user.customer_no is None
        await (phone.event("subscribe") if first == "subscribe" else phone.say("你好"))
        assert (phone.user.customer_no, phone.user.followed) == (OWNER, True)
        with bridge.parts.bridge.reading() as session:
            assert session.get_one(Conversation, phone.user.conversation_id).customer_no == OWNER


async def test_who_had_bound_and_left_is_told_once_to_bind_again_and_nothing_else_is_known(start_account: Any) -> None:
    async with start_account() as bridge:
        phone, words = Phone(bridge), bridge.parts.wechat.words
        assert words.bind_again not in (await phone.event("subscribe")).text
        bound(phone, followed=True)
        await phone.event("unsubscribe")
        with bridge.parts.bridge.reading() as session:
            left = session.scalars(select(ChannelUser)).one()
            assert (left.user_id.startswith("gone:"), len(left.trace)) == (True, 8)
        bridge.clock.ahead += LATER
        assert words.bind_again in (await phone.event("subscribe")).text
        with bridge.parts.bridge.reading() as session:
            assert {one.trace for one in session.scalars(select(ChannelUser))} == {None}
        assert phone.user.customer_no is None
        await phone.event("unsubscribe")  # had bound nothing since
        bridge.clock.ahead += LATER
        assert words.bind_again not in (await phone.event("subscribe")).text


async def test_somebody_else_who_follows_is_told_nothing_of_it(start_account: Any) -> None:
    async with start_account() as bridge:
        phone, other = Phone(bridge), Phone(bridge)
        await phone.event("subscribe")
        bound(phone, followed=True)
        await phone.event("unsubscribe")
        assert bridge.parts.wechat.words.bind_again not in (await other.event("subscribe")).text


@pytest.mark.parametrize(("days", "known"), [(1, True), (149, True), (181, False)])
async def test_a_trace_is_gone_after_half_a_year(start_account: Any, days: int, known: bool) -> None:
    async with start_account() as bridge:
        phone, words = Phone(bridge), bridge.parts.wechat.words
        await phone.event("subscribe")
        bound(phone, followed=True)
        await phone.event("unsubscribe")
        bridge.clock.ahead += timedelta(days=days)
        assert (words.bind_again in (await phone.event("subscribe")).text) == known


async def test_traces_that_are_too_old_are_erased_by_the_sweep(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.event("subscribe")
        bound(phone, followed=True)
        await phone.event("unsubscribe")
        left = bridge.clock()
        for days, kept in ((149, True), (180, False)):
            with bridge.parts.bridge.transaction() as session:
                forget_traces(session, now=left + timedelta(days=days))
            with bridge.parts.bridge.reading() as session:
                assert any(one.trace for one in session.scalars(select(ChannelUser))) == kept
