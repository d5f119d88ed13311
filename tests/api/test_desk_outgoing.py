"""What goes out of our own accord: seen, stopped, gone on with; dead letters sent again or given up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from supervision_kit import Office, office, refused, text_of

from core import outbox
from core.audit import AuditEntry
from core.channel.tables import ChannelUser, Delivery
from core.conversation import Draft, open_conversation, record_reply
from core.outbox import OutboxItem
from core.proactive.tables import Broadcast, Send

CUSTOMER, PHONE = "C20012345678", "13812345678"


@pytest.fixture
async def desk(sqlite_urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(sqlite_urls) as one:
        yield one


def broadcast(desk: Office, states: dict[str, int], state: str = "running", **more: Any) -> int:
    """Put a broadcast with so many sends in each state."""

    def work(session: Session) -> int:
        now = desk.clock()
        row = Broadcast(
            kind="outage", key=f"outage:{state}:{len(states)}", wording="outage_begun", values={"area": "听涛苑"},
            audience={"all_followers": True}, state=state, fanned_out=True, not_before=now, created_at=now, **more,
        )  # fmt: skip
        session.add(row)
        session.flush()
        recipients = [(one, f"user:{number}") for one, count in states.items() for number in range(count)]
        session.add_all(
            Send(
                broadcast_id=row.id, recipient=f"{who}-{one}", channel="wechat", channel_user_id=None, values={},
                state=one, next_at=now, attempts=8, error="wechat 47003" if one == "dead" else None,
            ) for one, who in recipients
        )  # fmt: skip
        session.flush()
        return row.id

    return desk.write(work)


def dead_item(desk: Office) -> int:
    def work(session: Session) -> int:
        outbox.put(session, kind="sms", key="k:1", payload={"phone": PHONE}, now=desk.clock())
        item = session.scalars(select(OutboxItem)).one()
        item.attempts, item.dead_at, item.error = 12, desk.clock(), "ConnectTimeout"
        return item.id

    return desk.write(work)


def dead_delivery(desk: Office) -> int:
    def work(session: Session) -> int:
        now = desk.clock()
        talk = open_conversation(session, channel="wechat", customer_no=None, accounts=[], assurance=0, now=now)
        user = ChannelUser(
            channel="wechat", user_id="oSecret", conversation_id=talk.id, customer_no=CUSTOMER, created_at=now
        )
        session.add(user)
        session.flush()
        talk.channel_user_id = user.id
        record_reply(session, talk, Draft("agent", f"请打{PHONE}"), now=now)
        session.flush()
        row = session.scalars(select(Delivery)).one()
        row.state, row.error, row.attempts = "dead", "45002 content size out of limit", 1
        return row.id

    return desk.write(work)


def state_of(desk: Office, table: Any, number: int) -> str:
    return desk.write(lambda session: session.get_one(table, number).state)


async def test_progress_is_shown_by_state_and_nothing_personal_with_it(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    number = broadcast(desk, {"sent": 3, "waiting": 2, "skipped": 1, "dead": 1})
    dead_item(desk)
    dead_delivery(desk)
    page = await boss.get("/outgoing")
    (one,) = page["broadcasts"]
    assert (one["id"], one["kind"], one["state_text"]) == (number, "故障停电和来电通知", "发送中")
    assert one["counts"] == {"sent": 3, "waiting": 2, "skipped": 1, "dead": 1}
    assert page["dead_counts"] == {"outbox": 1, "delivery": 1, "send": 1}
    reasons = {letter["source"]: letter["reason"] for letter in page["dead"]}
    assert reasons == {
        "outbox": "对方系统多次没有应答", "delivery": "内容太长，微信不收",
        "send": "模板或内容不符合要求，需要管理员检查模板设置",
    }  # fmt: skip
    told = text_of(page)
    assert not any(secret in told for secret in (PHONE, CUSTOMER, "oSecret"))


async def test_a_broadcast_is_stopped_and_goes_on_and_both_are_written_down(desk: Office) -> None:
    boss = await desk.seat("supervisor", name="赵班长")
    number = broadcast(desk, {"waiting": 2})
    stopped = await boss.post(f"/outgoing/broadcasts/{number}/stop")
    assert (stopped["state"], stopped["stopped_by"]) == ("stopped", "赵班长")
    assert (await boss.post(f"/outgoing/broadcasts/{number}/resume"))["state"] == "running"
    over = broadcast(desk, {"sent": 1}, "done", ended_at=desk.clock())
    assert refused(await boss.call("POST", f"/outgoing/broadcasts/{over}/stop")) == (409, "broadcast_over")
    late = broadcast(desk, {}, "stopped", expires_at=desk.clock() - timedelta(hours=1))
    assert refused(await boss.call("POST", f"/outgoing/broadcasts/{late}/resume")) == (409, "broadcast_expired")
    actions = desk.write(lambda session: list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))))
    assert actions[-2:] == ["broadcast_stopped", "broadcast_resumed"]


async def test_each_dead_letter_is_sent_again_once(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    number = broadcast(desk, {"dead": 1}, "done", ended_at=desk.clock())
    item, delivery = dead_item(desk), dead_delivery(desk)
    send = desk.write(lambda session: session.scalars(select(Send.id)).one())
    for source, one in (("outbox", item), ("delivery", delivery), ("send", send)):
        assert await boss.post(f"/outgoing/dead/{source}/{one}/again") == {"again": 1}
        answer = await boss.call("POST", f"/outgoing/dead/{source}/{one}/again")
        assert refused(answer) == (404, "no_such_letter")
    assert (state_of(desk, Delivery, delivery), state_of(desk, Send, send)) == ("waiting", "waiting")
    assert state_of(desk, Broadcast, number) == "running"
    assert desk.write(lambda session: session.get_one(OutboxItem, item).dead_at) is None


async def test_all_are_sent_again_but_for_what_nobody_wants_to_hear_any_more(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    broadcast(desk, {"dead": 2})
    broadcast(desk, {"dead": 3, "sent": 1}, "done", ended_at=desk.clock(), expires_at=desk.clock())
    dead_item(desk)
    dead_delivery(desk)
    assert await boss.post("/outgoing/dead/again") == {"again": 4}
    assert (await boss.get("/outgoing"))["dead_counts"] == {"outbox": 0, "delivery": 0, "send": 3}


async def test_what_is_given_up_has_a_reason_and_is_not_sent(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    broadcast(desk, {"dead": 1}, "done", ended_at=desk.clock())
    item, delivery = dead_item(desk), dead_delivery(desk)
    send = desk.write(lambda session: session.scalars(select(Send.id)).one())
    await boss.get("/outgoing")
    for source, one in (("outbox", item), ("delivery", delivery), ("send", send)):
        short = await boss.call("POST", f"/outgoing/dead/{source}/{one}/give_up", why=" ")
        assert short.status_code == 422
        await boss.post(f"/outgoing/dead/{source}/{one}/give_up", why=f"已打{PHONE}告诉客户")
    page = await boss.get("/outgoing")
    assert page["dead"] == []
    assert page["broadcasts"][0]["counts"] == {"skipped": 1}
    assert (state_of(desk, Delivery, delivery), state_of(desk, Send, send)) == ("dropped", "skipped")
    details = desk.write(lambda session: text_of([one.detail for one in session.scalars(select(AuditEntry))]))
    assert PHONE not in details
    assert "告诉客户" in details


async def test_messages_say_over_which_channel_they_went_and_whether_they_arrived(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    number = dead_delivery(desk)
    talk = desk.write(lambda session: session.get_one(Delivery, number).conversation_id)
    (message,) = (await boss.get(f"/conversations/{talk}"))["messages"]
    assert (message["channel"], message["delivery"]) == ("wechat", "failed")
    for state, error, shown in (
        ("waiting", None, "waiting"), ("parked", None, "waiting"), ("sent", None, "arrived"),
        ("sent", "unknown", "unsure"), ("dropped", "seen", "seen"), ("dropped", "unreachable", "failed"),
    ):  # fmt: skip

        def work(session: Session, state: str = state, error: str | None = error) -> None:
            row = session.get_one(Delivery, number)
            row.state, row.error = state, error

        desk.write(work)
        (message,) = (await boss.get(f"/conversations/{talk}/messages?after=0"))["messages"]
        assert message["delivery"] == shown


async def test_earlier_talk_of_another_channel_is_shown_masked_above(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    customer, home = await desk.bridge.customer(), await desk.bridge.customer()
    await customer.say(f"我电话{PHONE}")

    def join(session: Session) -> None:
        from core.conversation import Conversation

        own = session.get_one(Conversation, customer.conversation_id)
        own.joined_to, own.joined_at = home.conversation_id, desk.clock()
        session.get_one(Conversation, home.conversation_id).channel = "wechat"

    desk.write(join)
    shown = await boss.get(f"/conversations/{home.conversation_id}")
    assert shown["channels"] == ["web", "wechat"]
    (earlier,) = shown["earlier"]
    assert (earlier["channel"], len(earlier["messages"]), earlier["more"]) == ("web", 2, False)
    assert PHONE not in text_of(shown)
