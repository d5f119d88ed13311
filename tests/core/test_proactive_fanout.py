"""Who is told of an event: choices, defaults, one send for everybody, and steps that may be cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from proactive_kit import NOTICES, NOW, VALUES, A, B, C, bind, fan_out, follower, outage, recipients
from sqlalchemy import func, select

from core.db import Database
from core.migrations import upgrade
from core.proactive import fanout
from core.proactive.broadcast import BadAudience, announce, stop
from core.proactive.choices import BadChoice, choices_of, choose, chosen, subject_of
from core.proactive.kinds import MissingValue, UnknownWording
from core.proactive.tables import Broadcast, Send


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def test_the_last_choice_counts_and_without_one_the_file_does(bridge: Database) -> None:
    with bridge.transaction() as session:
        for wanted, channel in ((True, "sms"), (False, "wechat")):
            choose(session, "customer:1", "outage", wanted=wanted, channel=channel, now=NOW)
        found = chosen(session, ["customer:1", "customer:2", "user:3"], "outage", NOTICES)
        bills = chosen(session, ["customer:1", "user:3"], "bill_ready", NOTICES)
        everything = choices_of(session, "customer:1", NOTICES)
    assert {subject: (one.wanted, one.channel, one.own) for subject, one in found.items()} == {
        "customer:1": (False, "wechat", True), "customer:2": (True, "wechat", False), "user:3": (True, "wechat", False),
    }  # fmt: skip
    assert (bills["customer:1"].wanted, bills["user:3"].wanted) == (True, False)
    assert (everything["outage"].wanted, everything["bill_ready"].wanted) == (False, True)


def test_a_choice_of_something_that_is_not_there_is_refused(bridge: Database) -> None:
    with bridge.transaction() as session:
        for subject, kind, channel in (
            ("customer:1", "weather", "sms"), ("customer:1", "outage", "fax"), ("o-1", "outage", "sms"),
        ):  # fmt: skip
            with pytest.raises(BadChoice):
                choose(session, subject, kind, wanted=True, channel=channel, now=NOW)


def test_the_same_event_announced_again_is_the_same_broadcast(bridge: Database) -> None:
    with bridge.transaction() as session:
        first, again = outage(session, {"all_followers": True}).id, outage(session, {"accounts": [A]}).id
        other = outage(session, {"all_followers": True}, key="outage:1:restored").id
    assert first == again != other
    with bridge.reading() as session:
        assert session.get_one(Broadcast, first).audience == {"all_followers": True}


def test_what_cannot_be_said_or_names_nobody_is_refused(bridge: Database) -> None:
    with bridge.transaction() as session:
        for audience in ({}, {"nodes": ["n1"]}, {"accounts": [A], "all_followers": True}, {"accounts": "x"}):
            with pytest.raises(BadAudience):
                outage(session, audience)
        with pytest.raises(MissingValue):
            outage(session, {"accounts": [A]}, wording="outage_expected")
        with pytest.raises(UnknownWording):
            outage(session, {"accounts": [A]}, wording="bill_ready")
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 0


def test_who_is_reached_by_several_accounts_and_channels_has_one_send(bridge: Database) -> None:
    with bridge.transaction() as session:
        linked = follower(session, "linked", customer_no="1001", accounts=(A, B))
        stranger = follower(session, "stranger", accounts=(A,))
        gone = follower(session, "gone", accounts=(A,))
        gone.followed = False
        bind(session, B, customer_no="1001")  # the same customer in the app
        bind(session, A, customer_no="1002")
        bind(session, A, customer_no="1003").ended_at = NOW
        bind(session, C, customer_no="1004")
        audience = {"accounts": [A, B], "customers": ["1001", "1005"], "users": [linked.id, stranger.id]}
        number = outage(session, audience).id
        expected = {
            "customer:1001": "wechat", f"user:{stranger.id}": "wechat", "customer:1002": "sms", "customer:1005": "sms",
        }  # fmt: skip
    fan_out(bridge, number, size=1)
    fan_out(bridge, number, size=1)
    with bridge.reading() as session:
        assert recipients(session, number) == expected


def test_choices_decide_who_is_told_and_where(bridge: Database) -> None:
    with bridge.transaction() as session:
        users = [follower(session, str(number), customer_no=str(number), accounts=(A,)) for number in range(4)]
        anonymous = follower(session, "anonymous")
        for number, (wanted, channel) in enumerate([(False, "wechat"), (True, "sms"), (True, "chat")]):
            choose(session, subject_of(users[number]), "planned_outage", wanted=wanted, channel=channel, now=NOW)
        values = VALUES | {"started_at": NOW.isoformat(), "expected_at": NOW.isoformat(), "cause": "检修"}
        number = announce(
            session, NOTICES, kind="planned_outage", key="p", wording="planned_outage", values=values, now=NOW,
            audience={"all_followers": True},
        ).id  # fmt: skip
        assert anonymous.customer_no is None
    fan_out(bridge, number)
    with bridge.reading() as session:  # who is no customer did not ask for planned works
        assert recipients(session, number) == {"customer:1": "sms", "customer:2": "chat", "customer:3": "wechat"}


def test_a_fan_out_that_is_cut_off_goes_on_at_its_cursor(bridge: Database) -> None:
    with bridge.transaction() as session:
        for number in range(7):
            follower(session, str(number))
        number_ = outage(session, {"all_followers": True}).id

    def die() -> None:
        with bridge.transaction() as session:
            fanout.step(session, NOTICES, number_, now=NOW, size=3)
            raise RuntimeError

    with bridge.transaction() as session:
        assert fanout.step(session, NOTICES, number_, now=NOW, size=3) == 3
    with pytest.raises(RuntimeError):
        die()
    assert fan_out(bridge, number_, size=3) == [3, 1, 0]
    with bridge.reading() as session:
        assert fanout.unfinished(session, now=NOW) is None
        assert session.scalar(select(func.count()).select_from(Send)) == 7


def test_somebody_who_becomes_a_customer_between_two_steps_is_told_once(bridge: Database) -> None:
    with bridge.transaction() as session:
        user = follower(session, "one")
        number = outage(session, {"users": [user.id], "customers": ["1001"]}).id
        session.get_one(Broadcast, number).audience = {"users": [user.id, user.id]}
        fanout.step(session, NOTICES, number, now=NOW, size=1)
        user.customer_no, user.linked_at = "1001", NOW
    fan_out(bridge, number, size=1)
    with bridge.reading() as session:
        assert recipients(session, number) == {f"user:{user.id}": "wechat"}


def test_a_stopped_broadcast_is_not_fanned_out(bridge: Database) -> None:
    with bridge.transaction() as session:
        follower(session, "one")
        number = outage(session, {"all_followers": True}).id
        stop(session, number, by="zhang", now=NOW)
        assert fanout.unfinished(session, now=NOW) is None
        assert fanout.step(session, NOTICES, number, now=NOW) == 0


def test_recipients_that_are_listed_bring_their_own_values_and_are_added_once(bridge: Database) -> None:
    bill = {"account_tail": "7788", "month": "10月", "energy": "231", "amount": "128.50", "due_at": NOW.isoformat()}
    with bridge.transaction() as session:
        user = follower(session, "one", customer_no="1001")
        number = announce(
            session, NOTICES, kind="bill_ready", key="bill:2026-10", wording="bill_ready", values={}, now=NOW,
            audience={"listed": True},
        ).id  # fmt: skip
    for made in (2, 0):
        with bridge.transaction() as session:
            people = [("customer:1001", bill), ("customer:1002", bill | {"amount": "9.90"})]
            assert fanout.add(session, NOTICES, number, people, now=NOW) == made
    with bridge.transaction() as session:
        with pytest.raises(MissingValue):
            fanout.add(session, NOTICES, number, [("customer:1003", {})], now=NOW)
        assert fanout.unfinished(session, now=NOW) is None
        fanout.complete(session, number)
        rows = {row.recipient: row for row in session.scalars(select(Send))}
        assert {name: (row.channel, row.channel_user_id, row.values["amount"]) for name, row in rows.items()} == {
            "customer:1001": ("wechat", user.id, "128.50"), "customer:1002": ("chat", None, "9.90"),
        }  # fmt: skip
