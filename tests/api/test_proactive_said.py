"""What was sent to a customer outside of any conversation stands in the log before what they write next."""

from __future__ import annotations

from datetime import timedelta

from bridge_kit import Bridge, customer_token

from api import dead_letters
from core import outbox
from core.clock import system_clock
from core.proactive.tables import Broadcast, Send


def sent(bridge: Bridge, customer_no: str, key: str) -> None:
    now = system_clock() - timedelta(hours=1)
    with bridge.parts.bridge.transaction() as session:
        row = Broadcast(
            kind="outage", key=key, wording="outage_begun", values={"area": "江岸区听涛苑"}, audience={"listed": True},
            state="done", not_before=now, created_at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.add(Send(
            broadcast_id=row.id, recipient=f"customer:{customer_no}", channel="sms", values={}, state="sent",
            next_at=now, sent_at=now,
        ))  # fmt: skip


async def test_a_notice_that_was_sent_comes_before_the_customers_next_words_once(bridge: Bridge) -> None:
    sent(bridge, "100000009001", "said-1")
    token = customer_token(customer_no="100000009001")
    customer, stranger = await bridge.customer(token), await bridge.customer()
    for one in (stranger, customer):
        await one.say("什么时候来电")
        await one.say("还要多久")
    rows = [(row.author, row.type) for row in bridge.rows(customer.conversation_id)]
    talk = [("customer", "text"), ("bot", "text")] * 2
    assert rows == [("system", "notice"), *talk]
    assert "已发给您）江岸区听涛苑停电了" in bridge.rows(customer.conversation_id)[0].text
    assert [(row.author, row.type) for row in bridge.rows(stranger.conversation_id)] == talk


async def test_figures_show_what_was_given_up(bridge: Bridge) -> None:
    with bridge.parts.bridge.transaction() as session:
        outbox.put(session, kind="sms", key="given-up", payload={}, now=system_clock())
        [item] = [one for one in outbox.undone(session) if one.key == "given-up"]
    assert dead_letters.settle(bridge.parts, item.id, "sms", "given-up", "UnknownKind", hopeless=True) is False
    assert dead_letters.count(bridge.parts) == 1
    assert bridge.figure("dianfu_outbox", state="dead") == 1
    assert bridge.figure("dianfu_deliveries_total", kind="sms", outcome="dead") == 1
