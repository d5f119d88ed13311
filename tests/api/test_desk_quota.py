"""What the desk is told of a customer who writes over WeChat: the channel of messages, and what may still be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import Customer
from supervision_kit import Office, Seat, office

from core.channel import callback, deliveries, windows
from core.channel.tables import WECHAT, ChannelUser
from core.conversation import Draft, find_conversation, record_customer, record_reply


@pytest.fixture
async def desk(urls: Any, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(urls, upload_dir=tmp_path / "photos") as one:
        yield one


async def _over_wechat(desk: Office) -> tuple[Seat, Customer, str, int]:
    """Return an agent who has the conversation of a customer who has gone on over WeChat."""
    seat = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, seat)

    def work(session: Any) -> int:
        conversation, now = find_conversation(session, customer.conversation_id, lock=True), desk.clock()
        user = ChannelUser(channel=WECHAT, user_id="o1", conversation_id=conversation.id, created_at=now)
        session.add(user)
        session.flush()
        conversation.channel, conversation.channel_user_id = WECHAT, user.id
        record_customer(session, conversation, external_id="msg:1", text="还在吗", payload=None, now=now)
        windows.open_window(session, user.id, "message", now=now)
        return user.id

    return seat, customer, f"/conversations/{customer.conversation_id}", desk.write(work)


async def test_the_case_and_the_card_say_how_many_may_still_be_sent_and_until_when(desk: Office) -> None:
    seat, _, path, user = await _over_wechat(desk)
    desk.write(lambda session: windows.take(session, user, "agent", now=desk.clock()))
    quota = (await seat.get(path))["case"]["wechat_quota"]
    card = (await seat.get(f"{path}/customer"))["channel"]
    rest = {"reserved": 2, "waiting": 0, "parked": 0, "called": False, "followed": True}
    assert {name: value for name, value in quota.items() if name != "until"} == {"left": 4} | rest
    assert (card["name"], {name: card["wechat_quota"][name] for name in ("left", *rest)}) == (
        "wechat",
        {"left": 4} | rest,
    )
    assert datetime.fromisoformat(card["wechat_quota"]["until"]) == datetime.fromisoformat(quota["until"])
    inbox = await seat.get("/inbox")
    assert [one["wechat_quota"]["left"] for one in inbox["mine"]] == [4]


async def test_the_case_says_when_nothing_may_be_sent_and_that_the_customer_was_called(desk: Office) -> None:
    seat, customer, path, user = await _over_wechat(desk)

    def work(session: Any) -> None:
        conversation = find_conversation(session, customer.conversation_id, lock=True)
        windows.exhausted(session, user, "window_closed", now=desk.clock())
        record_reply(session, conversation, Draft("agent", "已经修好了"), now=desk.clock())
        session.flush()
        deliveries.park(session, user)
        callback.mark(session, user)

    desk.write(work)
    assert (await seat.get(path))["case"]["wechat_quota"] == {
        "left": 0, "reserved": 0, "until": None, "waiting": 0, "parked": 1, "called": True, "followed": True,
    }  # fmt: skip


async def test_each_message_tells_its_channel(desk: Office) -> None:
    seat, _, path, _ = await _over_wechat(desk)
    found = await seat.get(path)
    assert [one["channel"] for one in found["messages"] if one["author"] == "customer"] == ["web", "wechat"]
    assert found["case"]["channel"] == "wechat"


async def test_a_customer_on_the_page_has_no_quota(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, seat)
    path = f"/conversations/{customer.conversation_id}"
    assert (await seat.get(path))["case"]["wechat_quota"] is None
    assert (await seat.get(f"{path}/customer"))["channel"] == {"name": "web", "wechat_quota": None}
