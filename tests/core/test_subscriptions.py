"""Subscription messages: one agreement is one message; taken, given back, refused; what the channel says later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from proactive_kit import NOTICES, NOW, VALUES, fan_out, follower, outage
from sqlalchemy import select

from core.channel import subscriptions
from core.channel.tables import ChannelUser
from core.db import Database
from core.migrations import upgrade
from core.proactive import picking, sends
from core.proactive.arrived import Fate, heard
from core.proactive.broadcast import find
from core.proactive.sends import Item, Outcome
from core.proactive.tables import Send
from tests.dialects import DIALECTS, NewUrl

TEMPLATE = "T-outage"
SINGLES = {"outage": TEMPLATE}
CUSTOMER = "420000000001"


@pytest.fixture(params=DIALECTS)
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database of each dialect, with two followers, the second one a customer."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    with database.transaction() as session:
        follower(session, "plain")
        follower(session, "customer", customer_no=CUSTOMER)
    yield database
    database.dispose()


def users(bridge: Database) -> tuple[int, int]:
    with bridge.reading() as session:
        one, two = session.scalars(select(ChannelUser).order_by(ChannelUser.id))
        return one.id, two.id


def agree(bridge: Database, user_id: int, times: int = 1) -> None:
    with bridge.transaction() as session:
        for _ in range(times):
            subscriptions.agreed(session, user_id, TEMPLATE, now=NOW)


def left(bridge: Database, user_id: int) -> int:
    with bridge.reading() as session:
        return subscriptions.left(session, user_id, TEMPLATE)


def told(bridge: Database, key: str = "k") -> int:
    with bridge.transaction() as session:
        values = VALUES | {"restored_at": NOW.isoformat()}
        number = outage(session, {"users": list(users(bridge))}, key=key, values=values).id
    fan_out(bridge, number)
    return number


def take(bridge: Database, *, channel: str = "wechat") -> list[Item]:
    with bridge.transaction() as session:
        picked = picking.pick(session, NOTICES, channel=channel, limit=100, now=NOW)
        return picking.take(session, picked, singles=SINGLES, now=NOW)


def rows(bridge: Database) -> list[tuple[str, str, str | None]]:
    with bridge.reading() as session:
        found = session.scalars(select(Send).order_by(Send.id))
        return [(row.state, row.channel, row.error) for row in found]


def settle(bridge: Database, *outcomes: Outcome) -> None:
    with bridge.transaction() as session:
        sends.settle(session, outcomes, now=NOW)


def test_one_agreement_is_taken_for_one_message_and_who_has_none_is_told_over_the_other_channel(
    bridge: Database,
) -> None:
    plain, customer = users(bridge)
    agree(bridge, customer, 2)
    told(bridge)
    (item,) = take(bridge)
    assert (item.channel_user_id, item.channel, item.template_id) == (customer, "subscribe", TEMPLATE)
    assert left(bridge, customer) == 1
    assert rows(bridge) == [("waiting", "chat", None), ("sending", "subscribe", None)]  # no telephone is known of one
    assert [one.channel_user_id for one in take(bridge, channel="chat")] == [plain]


def test_a_customer_who_has_agreed_to_nothing_is_told_as_the_kind_says(bridge: Database) -> None:
    told(bridge)
    assert take(bridge) == []
    assert rows(bridge) == [("waiting", "chat", None), ("waiting", "sms", None)]
    assert [one.channel for one in take(bridge, channel="sms")] == ["sms"]


def test_two_messages_at_once_do_not_share_one_agreement(bridge: Database) -> None:
    plain, _ = users(bridge)
    agree(bridge, plain)
    told(bridge, "first")
    told(bridge, "second")
    assert [one.channel_user_id for one in take(bridge)] == [plain]
    assert left(bridge, plain) == 0


def test_a_kind_with_a_template_of_its_own_needs_no_agreement(bridge: Database) -> None:
    told(bridge)
    with bridge.transaction() as session:
        picked = picking.pick(session, NOTICES, channel="wechat", limit=100, now=NOW)
        items = picking.take(session, picked, now=NOW)
    assert [(one.channel, one.template_id) for one in items] == [("wechat", None)] * 2


def test_what_was_surely_not_sent_is_given_back_and_tried_again(bridge: Database) -> None:
    plain, _ = users(bridge)
    agree(bridge, plain)
    told(bridge)
    (item,) = take(bridge)
    settle(bridge, Outcome(item, "waiting", "ConnectError", again_after=0, counts=False))
    assert left(bridge, plain) == 1
    assert rows(bridge)[0] == ("waiting", "wechat", "ConnectError")
    (again,) = take(bridge)
    with bridge.transaction() as session:
        sends.give_back(session, [again], now=NOW)
    assert (left(bridge, plain), rows(bridge)[0][:2]) == (1, ("waiting", "wechat"))
    (last,) = take(bridge)
    settle(bridge, Outcome(last, "sent"))
    assert (left(bridge, plain), rows(bridge)[0]) == (0, ("sent", "subscribe", None))


def test_a_refusal_empties_the_ledger_and_the_notice_goes_the_other_way(bridge: Database) -> None:
    _, customer = users(bridge)
    agree(bridge, customer, 3)
    told(bridge)
    (item,) = take(bridge)
    refused = Outcome(
        item, "waiting", "wechat 43101", again_after=0, counts=False, channel=item.fallback, ended=True
    )  # fmt: skip
    settle(bridge, refused)
    assert (left(bridge, customer), rows(bridge)[1]) == (0, ("waiting", "sms", "wechat 43101"))


def test_after_a_crash_it_counts_as_sent_at_once_since_a_second_one_would_be_shown_too(bridge: Database) -> None:
    plain, _ = users(bridge)
    agree(bridge, plain, 2)
    told(bridge)
    take(bridge)
    with bridge.transaction() as session:
        assert sends.recover(session, now=NOW + timedelta(seconds=1)) == {"sent": 1}
    assert rows(bridge)[0] == ("sent", "subscribe", "unknown")
    assert (left(bridge, plain), take(bridge)) == (1, [])


def test_the_channel_says_later_that_it_arrived_and_what_was_unknown_is_known(bridge: Database) -> None:
    plain, _ = users(bridge)
    agree(bridge, plain)
    told(bridge)
    take(bridge)
    with bridge.transaction() as session:
        sends.recover(session, now=NOW)
        assert heard(session, NOTICES, plain, ["outage"], Fate("1700", None), now=NOW) is not None
        assert heard(session, NOTICES, plain, ["outage"], Fate("1701", None), now=NOW) is None  # nothing else was sent
        assert heard(session, NOTICES, plain, ["bill_ready"], Fate("1702", None), now=NOW) is None
    assert rows(bridge)[0] == ("sent", "subscribe", None)


def test_what_the_channel_could_not_deliver_goes_the_other_way_and_the_broadcast_goes_on(bridge: Database) -> None:
    _, customer = users(bridge)
    agree(bridge, customer)
    number = told(bridge)
    (item,) = take(bridge)
    settle(bridge, Outcome(item, "sent", remote_id="1700"))
    (chat,) = take(bridge, channel="chat")
    settle(bridge, Outcome(chat, "sent"))
    assert take(bridge) == []  # which finds that the broadcast is over
    with bridge.transaction() as session:
        find(session, number).state = "done"
        assert heard(session, NOTICES, customer, ["outage"], Fate("1700", "wechat 43101"), now=NOW) is not None
    assert rows(bridge)[1] == ("waiting", "sms", "wechat 43101")
    with bridge.reading() as session:
        assert find(session, number).state == "running"


def test_of_two_messages_each_gets_its_own_news(bridge: Database) -> None:
    plain, _ = users(bridge)
    agree(bridge, plain, 2)
    told(bridge, "first")
    told(bridge, "second")
    settle(bridge, *(Outcome(item, "sent", remote_id=f"n{item.broadcast_id}") for item in take(bridge)))
    with bridge.transaction() as session:
        second = session.scalars(
            select(Send).where(Send.channel == "subscribe").order_by(Send.id.desc()).limit(1)
        ).one()
        told_of = heard(session, NOTICES, plain, ["outage"], Fate(str(second.remote_id), "wechat 1"), now=NOW)
        assert told_of is second


def test_news_of_a_send_that_came_first_are_not_overwritten_by_what_the_call_said(bridge: Database) -> None:
    plain, _ = users(bridge)
    agree(bridge, plain)
    told(bridge)
    (item,) = take(bridge)
    with bridge.transaction() as session:
        heard(session, NOTICES, plain, ["outage"], Fate("1700", "wechat 43101"), now=NOW)
    settle(bridge, Outcome(item, "sent"))
    assert rows(bridge)[0] == ("waiting", "chat", "wechat 43101")


def test_what_comes_too_late_or_was_read_elsewhere_is_not_sent_again(bridge: Database) -> None:
    plain, customer = users(bridge)
    agree(bridge, plain)
    agree(bridge, customer)
    told(bridge)
    settle(bridge, *(Outcome(item, "sent") for item in take(bridge)))
    with bridge.transaction() as session:
        read = session.scalars(select(Send).where(Send.channel_user_id == customer)).one()
        read.told_at = NOW
        heard(session, NOTICES, customer, ["outage"], Fate("2", "wechat 1"), now=NOW)
        heard(session, NOTICES, plain, ["outage"], Fate("1", "wechat 1"), now=NOW + timedelta(hours=5))
    assert rows(bridge)[1] == ("sent", "subscribe", "wechat 1")
    with bridge.transaction() as session:
        found = session.scalars(select(Send).where(Send.channel_user_id == plain)).one()
        found.state, found.channel, found.next_at = "sent", "subscribe", NOW + timedelta(hours=5)
        find(session, found.broadcast_id).expires_at = NOW
        heard(session, NOTICES, plain, ["outage"], Fate("1", "wechat 1"), now=NOW + timedelta(hours=6))
    assert rows(bridge)[0][0] == "dead"


def test_who_leaves_takes_the_ledger_along(bridge: Database) -> None:
    plain, customer = users(bridge)
    agree(bridge, plain)
    agree(bridge, customer)
    with bridge.transaction() as session:
        subscriptions.forget(session, plain)
    assert (left(bridge, plain), left(bridge, customer)) == (0, 1)
