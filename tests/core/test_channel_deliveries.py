from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from delivery_kit import NOW, bridge, session
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.channel import callback, deliveries, windows
from core.channel.deliveries import DeliveryChanged, Waiting
from core.channel.quota import Quota, quota_of
from core.channel.tables import WECHAT, ChannelUser, Delivery
from core.channel.users import conversation_of, user_of
from core.conversation import Conversation, Draft
from core.db import Database

__all__ = ["bridge", "session"]


SECOND = timedelta(seconds=1)


_names = count(1)


@dataclass
class Someone:
    session: Session
    user: ChannelUser
    conversation: Conversation

    def told(self, text: str, author: Any = "bot", now: datetime = NOW, kind: str = "text") -> Delivery:
        message = log_of.record_reply(self.session, self.conversation, Draft(author, text, kind), now=now)
        self.session.flush()
        return self.session.scalars(
            select(Delivery).where(Delivery.conversation_id == self.conversation.id, Delivery.seq == message.seq)
        ).one()

    def due(self, now: datetime = NOW) -> list[Waiting]:
        return deliveries.due(self.session, self.user.id, now=now)

    def claim(self, chosen: list[Waiting], now: datetime = NOW, kind: str = "answer", **more: Any) -> Any:
        return deliveries.claim(self.session, self.user.id, chosen, kind=kind, now=now, **more)

    def states(self) -> list[str]:
        self.session.flush()
        self.session.expire_all()
        query = select(Delivery.state).where(Delivery.channel_user_id == self.user.id).order_by(Delivery.id)
        return list(self.session.scalars(query))


@pytest.fixture
def someone(session: Session) -> Someone:
    user = user_of(session, WECHAT, f"o{next(_names)}", now=NOW)
    windows.open_window(session, user.id, "message", now=NOW)
    return Someone(session, user, conversation_of(session, user))


def test_what_waits_is_in_the_order_of_the_log_conversation_by_conversation(someone: Someone) -> None:
    session, first = someone.session, someone.conversation
    later = log_of.open_conversation(session, channel=WECHAT, customer_no=None, accounts=[], assurance=0, now=NOW)
    later.channel_user_id = someone.user.id
    someone.told("一")
    someone.conversation = later
    someone.told("乙")
    someone.conversation = first
    someone.told("二")
    pending = deliveries.pending(session, someone.user.id)
    assert [(row.conversation_id, row.seq) for row in pending] == [(first.id, 1), (first.id, 2), (later.id, 1)]
    assert someone.user.id in deliveries.users_due(session, now=NOW, limit=999)
    assert someone.user.id not in deliveries.users_due(session, now=NOW, but=[someone.user.id], limit=999)


def test_what_is_due_ends_at_the_first_that_has_to_wait(someone: Someone) -> None:
    rows = [someone.told(text) for text in "一二三"]
    rows[1].next_at = NOW + 9 * SECOND
    assert [one.message.text for one in someone.due()] == ["一"]
    assert [row.next_at for row in rows] == [NOW, NOW + 9 * SECOND, NOW + 9 * SECOND]
    assert [one.message.text for one in someone.due(NOW + 9 * SECOND)] == ["一", "二", "三"]


@pytest.mark.parametrize("state", ["passing", "sending"])
def test_nothing_is_due_while_something_is_on_its_way(someone: Someone, state: str) -> None:
    first, second = someone.told("一"), someone.told("二")
    first.state = state
    assert someone.due() == []
    assert second.next_at == NOW + SECOND


def test_a_claim_takes_one_message_for_all_that_goes_along(someone: Someone) -> None:
    someone.told("一")
    someone.told("二")
    (taken,) = someone.claim(someone.due())
    assert (taken.kind, someone.states()) == ("message", ["sending", "sending"])
    deliveries.sent(someone.session, [one.id for one in someone.session.scalars(select(Delivery).where(
        Delivery.channel_user_id == someone.user.id))], now=NOW)  # fmt: skip
    rows = list(someone.session.scalars(select(Delivery).where(Delivery.channel_user_id == someone.user.id)))
    assert sorted(row.part for row in rows) == [0, 1]
    windows.open_window(someone.session, someone.user.id, "message", now=NOW + SECOND, at=NOW)
    left = windows.remaining(someone.session, someone.user.id, NOW + SECOND)
    assert left is not None
    assert left.left == 4


def test_a_claim_that_wants_more_than_there_is_takes_nothing_and_parks(someone: Someone) -> None:
    someone.told("很长")
    assert someone.claim(someone.due(), times=4) is None
    left = windows.remaining(someone.session, someone.user.id, NOW)
    assert (left.left if left else None, someone.states()) == (5, ["parked"])


def test_what_somebody_else_took_is_not_claimed(bridge: Database) -> None:
    with bridge.transaction() as session:
        user = user_of(session, WECHAT, f"o{next(_names)}", now=NOW)
        windows.open_window(session, user.id, "message", now=NOW)
        conversation = conversation_of(session, user)
        log_of.record_reply(session, conversation, Draft("bot", "一"), now=NOW)
    with bridge.transaction() as session:
        chosen = deliveries.due(session, user.id, now=NOW)

    def one(_: int) -> bool:
        try:
            with bridge.transaction() as session:
                return bool(deliveries.claim(session, user.id, chosen, kind="answer", now=NOW))
        except DeliveryChanged:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(4))) == 1
    with bridge.reading() as session:
        left = windows.remaining(session, user.id, NOW)
        assert left is not None
        assert left.left == 4  # the others took nothing


def test_of_a_long_message_the_parts_count_and_the_rest_waits(someone: Someone) -> None:
    row = someone.told("很长")
    someone.claim(someone.due())
    deliveries.sent(someone.session, [row.id], now=NOW, more=True)
    assert (row.state, row.part, row.way, row.sent_at) == ("waiting", 1, "service", NOW)
    someone.claim(someone.due())
    deliveries.sent(someone.session, [row.id], now=NOW)
    assert (row.state, row.part) == ("sent", 2)


def test_what_failed_waits_one_two_four_seconds_up_to_five_minutes(someone: Someone) -> None:
    row, waits = someone.told("一"), []
    for _ in range(11):
        deliveries.failed(someone.session, [row.id], now=NOW, error="no answer")
        waits.append((row.next_at - NOW).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    deliveries.hurry(someone.session, now=NOW)
    someone.session.refresh(row)
    assert row.next_at == NOW


@pytest.mark.parametrize("state", ["passing", "sent", "dropped"])
def test_what_somebody_else_has_settled_is_not_settled_again(someone: Someone, state: str) -> None:
    row = someone.told("一")
    row.state = state
    someone.session.flush()
    deliveries.failed(someone.session, [row.id], now=NOW, error="x")
    deliveries.bury(someone.session, [row.id], now=NOW, error="x")
    deliveries.sent(someone.session, [row.id], now=NOW)
    assert (row.state, row.attempts) == (state, 0)


def test_what_was_given_up_can_be_sent_after_all(someone: Someone) -> None:
    row = someone.told("一")
    deliveries.bury(someone.session, [row.id], now=NOW, error="40033 no")
    assert (row.state, row.error, someone.due()) == ("dead", "40033 no", [])
    assert deliveries.revive(someone.session, row.id, now=NOW)
    assert not deliveries.revive(someone.session, row.id, now=NOW)
    assert [one.message.text for one in someone.due()] == ["一"]


def test_what_the_page_has_shown_is_not_sent(someone: Someone) -> None:
    for text in ("一", "二", "三"):
        someone.told(text)
    someone.claim(someone.due()[:1])
    assert deliveries.seen(someone.session, someone.conversation.id, 2) == 1
    assert someone.states() == ["sending", "dropped", "waiting"]


def test_what_a_gone_process_was_sending_counts_as_sent_after_half_a_minute(someone: Someone) -> None:
    row = someone.told("一")
    someone.claim(someone.due())
    user = someone.user.id
    deliveries.recover(someone.session, now=NOW + 29 * SECOND)
    deliveries.recover(someone.session, now=NOW + 31 * SECOND, but=[user])
    assert row.state == "sending"
    assert deliveries.recover(someone.session, now=NOW + 31 * SECOND) >= 1
    assert (row.state, row.error, row.part) == ("sent", "unknown", 1)


def test_who_is_lost_gets_nothing(someone: Someone) -> None:
    first, _ = someone.told("一"), someone.told("二")
    someone.claim(someone.due()[:1])
    deliveries.lost(someone.session, someone.user.id, [first.id])
    assert (someone.states(), someone.user.followed) == (["dropped", "dropped"], False)


def test_a_run_with_a_persons_word_in_it_may_use_the_reserve(someone: Someone) -> None:
    someone.told("一")
    assert deliveries.kind_of(someone.due()) == "answer"
    someone.told("二", "agent")
    assert deliveries.kind_of(someone.due()) == "agent"


def test_the_quota_tells_what_waits_and_whether_the_customer_was_called(someone: Someone) -> None:
    session, conversation = someone.session, someone.conversation
    someone.told("一", "agent")
    until = NOW + timedelta(hours=48)
    assert quota_of(session, conversation, now=NOW) == Quota(5, 2, until, waiting=1)
    windows.exhausted(session, someone.user.id, "window_closed", now=NOW)
    deliveries.park(session, someone.user.id)
    assert quota_of(session, conversation, now=NOW) == Quota(0, 0, None, parked=1)
    callback.mark(session, someone.user.id)
    assert quota_of(session, conversation, now=NOW) == Quota(0, 0, None, parked=1, called=True)
    someone.user.followed = False
    assert quota_of(session, conversation, now=NOW) == Quota(0, 0, None, parked=1, called=True, followed=False)
    conversation.channel_user_id = None
    assert quota_of(session, conversation, now=NOW) is None


def test_calls_are_due_once_for_all_that_is_parked(someone: Someone) -> None:
    session = someone.session
    for text, author in (("一", "bot"), ("二", "agent"), ("三", "agent")):
        someone.told(text, author)
    deliveries.park(session, someone.user.id)

    def due(now: datetime) -> list[str]:
        calls = callback.calls_due(session, now=now, limit=999)
        return [call.message.text for call in calls if call.openid == someone.user.user_id]

    assert due(NOW) == ["二"]
    callback.put_off(session, someone.user.id, now=NOW)
    assert (due(NOW), due(NOW + 2 * SECOND)) == ([], ["二"])
    callback.mark(session, someone.user.id)
    someone.told("四", "agent")
    deliveries.park(session, someone.user.id)
    assert due(NOW + 2 * SECOND) == []
    assert callback.called(session, someone.user.id)


def test_who_is_called_is_called_again_for_what_is_parked_after_they_wrote(someone: Someone) -> None:
    someone.told("一", "agent")
    deliveries.park(someone.session, someone.user.id)
    assert len(callback.calls_due(someone.session, now=NOW)) == 1
    callback.mark(someone.session, someone.user.id)
    assert callback.calls_due(someone.session, now=NOW) == []
    windows.unpark(someone.session, someone.user.id, now=NOW)
    someone.session.expire_all()
    deliveries.park(someone.session, someone.user.id)
    assert len(callback.calls_due(someone.session, now=NOW)) == 1


@pytest.mark.parametrize("end", ["failed", "parked", "dead", "lost"])
def test_what_counted_as_sent_too_early_is_corrected_by_who_knows_better(someone: Someone, end: str) -> None:
    row, session, user = someone.told("一"), someone.session, someone.user.id
    someone.claim(someone.due())
    later = NOW + 31 * SECOND
    assert deliveries.recover(session, now=later) == 1
    assert (row.state, row.error, row.part) == ("sent", "unknown", 1)
    match end:
        case "failed":
            deliveries.failed(session, [row.id], now=later, error="-1")
        case "parked":
            deliveries.park(session, user, [row.id])
        case "dead":
            deliveries.bury(session, [row.id], now=later, error="40033")
        case "lost":
            deliveries.lost(session, user, [row.id])
    session.flush()
    session.expire_all()
    state = {"failed": "waiting", "lost": "dropped"}.get(end, end)
    assert (row.state, row.part, row.sent_at, row.way) == (state, 0, None, None)
