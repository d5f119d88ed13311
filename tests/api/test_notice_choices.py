"""What customers chose in the chat: kept with the answer, and obeyed by the notices of their conversations."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from bridge_kit import IDENTITY_KEY, ROOT, Bridge, FakeRasa, SetClock, customer_token
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deliveries import deliver_notices
from api.rasa import BotTurn
from core import notice
from core.channel.link import linked
from core.channel.tables import ChannelUser, Delivery
from core.conversation import Draft, open_conversation
from core.db import Database
from core.identity import Grant, NoticeWish, issue_grant, turn_of
from core.migrations import upgrade
from core.proactive.choices import choose
from core.proactive.source_notices import Manner
from core.proactive.tables import Broadcast, Choice, Send
from core.recommend.refusals import refuse, refused

Start = Callable[..., Any]
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
OFF = (NoticeWish("outage", False, "sms"),)


class ChoosingRasa(FakeRasa):
    """Rasa whose actions keep a choice in each turn."""

    def __init__(self, clock: SetClock, subject: str, wishes: tuple[NoticeWish, ...] = OFF) -> None:
        super().__init__()
        self._clock, self.subject, self.wishes = clock, subject, wishes

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        conversation = sender.partition(".")[0]
        turn = turn_of(conversation, datetime.fromisoformat(metadata["asked_at"]))
        grant = Grant(conversation, turn, subject=self.subject, choices=self.wishes)
        return BotTurn((Draft("bot", "已关"),), grants=(issue_grant(IDENTITY_KEY, grant, now=self._clock()),))


def choices(bridge: Bridge) -> list[tuple[str, str, bool, str]]:
    with bridge.parts.bridge.reading() as session:
        rows = session.scalars(select(Choice).order_by(Choice.kind)).all()
    return [(row.subject, row.kind, row.wanted, row.channel) for row in rows]


async def test_a_choice_is_kept_with_the_answer_that_tells_of_it(start: Start) -> None:
    clock = SetClock()
    async with start(ChoosingRasa(clock, "customer:C1"), clock=clock) as bridge:
        customer = await bridge.customer(customer_token())
        answer = await customer.say("别再给我推停电消息")
        assert [message["text"] for message in answer["messages"]] == ["已关"]
        assert choices(bridge) == [("customer:C1", "outage", False, "sms")]


@pytest.mark.parametrize(
    ("subject", "wishes"),
    [
        ("user:4711", OFF), ("nobody", OFF), ("customer:C1", (NoticeWish("weather", True, "sms"),)),
        ("customer:C1", (*OFF, NoticeWish("bill_ready", True, "pigeon"))),
    ],
)  # fmt: skip
async def test_a_choice_that_cannot_be_kept_is_not_said_to_be(
    start: Start, subject: str, wishes: tuple[NoticeWish, ...]
) -> None:
    clock = SetClock()
    async with start(ChoosingRasa(clock, subject, wishes), clock=clock) as bridge:
        customer = await bridge.customer(customer_token())
        answer = await customer.say("别再给我推停电消息")
        assert "已关" not in [message["text"] for message in answer["messages"]]
        assert choices(bridge) == []


async def test_whoever_switches_recommendations_on_again_has_not_refused_them_any_more(start: Start) -> None:
    clock = SetClock()
    rasa = ChoosingRasa(clock, "customer:C1", (NoticeWish("bill_ready", True, "chat"),))
    async with start(rasa, clock=clock) as bridge:
        customer = await bridge.customer(customer_token())
        with bridge.parts.bridge.transaction() as session:
            refuse(session, "customer:C1", "*", now=clock())
            refuse(session, f"talk:{customer.conversation_id}", "*", now=clock())
        await customer.say("打开账单通知")
        with bridge.parts.bridge.reading() as session:
            assert refused(session, ["C1"]) == {"*"}
        rasa.wishes = (NoticeWish("offer", True, "chat"),)
        await customer.say("打开用电建议")
        with bridge.parts.bridge.reading() as session:
            assert refused(session, ["C1"], [customer.conversation_id]) == frozenset()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database of each dialect."""
    made = Database(new_url(request.param, tmp_path))
    upgrade("bridge", made)
    yield made
    made.dispose()


def _user(session: Session, now: datetime, customer_no: str | None = None) -> ChannelUser:
    """Add somebody who follows us, and is a customer if that is said."""
    conversation = open_conversation(
        session, channel="wechat", customer_no=customer_no, accounts=[], assurance=0, now=now
    )
    user = ChannelUser(
        channel="wechat",
        user_id=f"o-{uuid.uuid4()}",
        conversation_id=conversation.id,
        customer_no=customer_no,
        created_at=now,
    )
    session.add(user)
    session.flush()
    conversation.channel_user_id = user.id
    return user


def test_what_a_follower_chose_holds_for_the_customer_that_they_turn_out_to_be(database: Database) -> None:
    with database.transaction() as session:
        user = _user(session, NOW)
        subject = f"user:{user.id}"
        choose(session, subject, "outage", wanted=False, channel="wechat", now=NOW)
        choose(session, subject, "bill_ready", wanted=False, channel="wechat", now=NOW)
        choose(session, "customer:C1", "bill_ready", wanted=True, channel="sms", now=NOW)
        linked(session, user, "C1", open_for=timedelta(hours=1), now=NOW)
    with database.reading() as session:
        rows = session.scalars(select(Choice).order_by(Choice.kind)).all()
        found = [(row.subject, row.kind, row.wanted, row.channel) for row in rows]
    assert found == [("customer:C1", "bill_ready", True, "sms"), ("customer:C1", "outage", False, "wechat")]


def _noticed(bridge: Bridge, customer_no: str, wording: str, **values: str) -> tuple[list[str], list[Send]]:
    """Deliver one notice to the conversation of a linked user; return its deliveries' states, and what is sent."""
    mine = select(ChannelUser).where(ChannelUser.customer_no == customer_no)
    with bridge.parts.bridge.reading() as session:
        conversation_id = session.scalars(mine).one().conversation_id
    with bridge.parts.workorder.transaction() as session:
        notice.put(
            session, key=f"{conversation_id}:k", conversation_id=conversation_id, wording=wording, now=bridge.clock(),
            values={"order_no": "20261122000001", "title": "过户", "reason": "", **values},
        )  # fmt: skip
    deliver_notices(bridge.parts)
    assert [row.type for row in bridge.rows(conversation_id)] == ["notice"]
    with bridge.parts.bridge.reading() as session:
        deliveries = session.scalars(select(Delivery).where(Delivery.conversation_id == conversation_id))
        sends = session.scalars(select(Send).where(Send.recipient == f"customer:{customer_no}"))
        return [one.state for one in deliveries], list(sends)


def _linked(bridge: Bridge, kind: str = "", *, wanted: bool = True, channel: str = "wechat") -> str:
    """Add a customer who follows us, with one choice; return the number."""
    number = f"C{uuid.uuid4().hex[:8]}"
    with bridge.parts.bridge.transaction() as session:
        _user(session, bridge.clock(), number)
        if kind:
            choose(session, f"customer:{number}", kind, wanted=wanted, channel=channel, now=bridge.clock())
    return number


async def test_progress_is_pushed_unless_it_was_declined(bridge: Bridge) -> None:
    number = _linked(bridge)
    states, sends = _noticed(bridge, number, "order_taken")
    by_night = bridge.parts.manner.notices.quiet.holds(bridge.clock())
    assert (states, sends) == (["parked" if by_night else "waiting"], [])


async def test_declined_progress_is_in_the_log_alone(bridge: Bridge) -> None:
    number = _linked(bridge, "order_progress", wanted=False)
    states, sends = _noticed(bridge, number, "order_taken")
    assert (states, sends) == (["dropped"], [])


async def test_progress_goes_by_short_message_to_those_who_chose_that(bridge: Bridge) -> None:
    number = _linked(bridge, "order_progress", channel="sms")
    states, sends = _noticed(bridge, number, "order_taken")
    assert states == ["dropped"]
    [send] = sends
    assert (send.recipient, send.channel, send.state) == (f"customer:{number}", "sms", "waiting")
    assert send.told_at is not None  # the log has it already
    with bridge.parts.bridge.reading() as session:
        broadcast = session.get_one(Broadcast, send.broadcast_id)
    assert broadcast.values == {"title": "过户", "order_no": "20261122000001", "state": "已有人接单"}


async def test_what_was_asked_for_is_told_whatever_was_declined(bridge: Bridge) -> None:
    number = _linked(bridge, "outage", wanted=False)
    restored = (bridge.clock() - timedelta(minutes=5)).isoformat()
    states, _ = _noticed(bridge, number, "outage_restored", area="江岸区听涛苑", restored_at=restored)
    assert states == ["waiting"]


async def test_a_declined_change_of_time_is_in_the_log_alone(bridge: Bridge) -> None:
    number = _linked(bridge, "promise_moved", wanted=False)
    due = (bridge.clock() + timedelta(hours=3)).isoformat()
    states, _ = _noticed(bridge, number, "moved_order_arrival", due_at=due)
    assert states == ["dropped"]


def test_every_notice_that_can_be_declined_is_one_of_the_wording_file() -> None:
    manner = Manner.load(ROOT / "data")
    known = yaml.safe_load((ROOT / "data" / "wording.yaml").read_text(encoding="utf-8"))["notices"]
    orders = {one for one in known if one.startswith(("order_", "moved_order_"))}
    assert {one for one in known if manner.kind_of(one)} == orders
