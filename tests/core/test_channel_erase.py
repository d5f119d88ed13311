"""Erasing: after somebody has left nothing of them is in any table, and what is a customer's own stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from handoff_kit import BOOK
from sqlalchemy import select

from core import conversation as log_of
from core import outbox
from core.channel import link
from core.channel.erase import FORGET, forget_pushes, user_left
from core.channel.tables import DROPPED, PASSING, WECHAT, ChannelUser, Delivery, Push, SendWindow
from core.conversation import Draft, Message
from core.db import BridgeBase, Database
from core.desk_note import DeskNote
from core.handoff import life
from core.outbox import OutboxItem
from core.proactive.tables import Choice, Send
from core.recommend.tables import CallBack, Recommendation
from tests.core.channel_kit import ALICE, HERS, NOW, SECOND, World, fresh

if TYPE_CHECKING:
    from tests.conftest import NewUrl

OPENID, CANARY = "oCANARYopenid", "CANARY"
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    yield from fresh(new_url, request.param, tmp_path)


@pytest.fixture
def world(bridge: Database) -> Iterator[World]:
    with bridge.transaction() as session:
        yield World(session)


def everything(world: World) -> str:
    """Return all values of all tables of the bridge."""
    world.session.flush()
    rows = [
        repr(tuple(row))
        for table in BridgeBase.metadata.sorted_tables
        for row in world.session.execute(select(table)).all()
    ]
    return "\n".join(rows)


def full(world: World) -> ChannelUser:
    """A user of whom there is something in every table."""
    user = world.user(OPENID)
    talk = world.talk(user)
    asked = world.says(talk, f"{CANARY} 我叫王小明")
    asked.payload, asked.understood = f"/inform{CANARY}", {"intent": CANARY}
    log_of.record_reply(world.session, talk, Draft(
        "bot", CANARY, "fact_card", {"name": CANARY}, ((CANARY, f"/{CANARY}"),)
    ), now=NOW, in_reply_to=asked.seq)  # fmt: skip
    asked.turn = "done"
    world.proves(talk, HERS)
    case = life.request(world.session, talk.id, reason="asked", book=BOOK, now=NOW, summary={"said": CANARY})
    world.session.add_all([
        DeskNote(
            conversation_id=talk.id, handoff_id=case.id, at=NOW, agent_id=1, kind="note", after_seq=1, text=CANARY
        ),
        Choice(subject=f"user:{user.id}", kind="outage", wanted=True, channel="wechat", changed_at=NOW),
        Send(broadcast_id=1, recipient=f"user:{user.id}", channel="wechat", channel_user_id=user.id,
             values={"name": CANARY}, next_at=NOW),
        SendWindow(channel_user_id=user.id, kind="message", opened_at=NOW, until=LATER, left=3),
        Push(channel=WECHAT, external_id=f"evt:{OPENID}:1:CLICK:x", channel_user_id=user.id, received_at=NOW,
             conversation_id=talk.id, reply={"text": CANARY}),
    ])  # fmt: skip
    outbox.put_done(world.session, kind="urgent_order", key=f"{talk.id}:1", payload={"description": CANARY}, now=NOW)
    talk.note = {"done": [CANARY]}
    user.scene = CANARY
    return user


def test_nothing_of_who_has_left_is_in_any_table(world: World) -> None:
    user = full(world)
    assert CANARY in everything(world)
    changed = user_left(world.session, user, LATER)
    forget_pushes(world.session, user.id)
    found = [line for line in everything(world).split("\n") if CANARY in line or HERS in line and OPENID in line]
    assert found == []
    assert len(changed) == 1
    assert (user.followed, user.customer_no) == (False, None)


def test_what_waits_is_dropped_the_case_ends_and_the_rest_is_asked_for(world: World) -> None:
    user = full(world)
    talk = world.talk(user)
    user_left(world.session, user, LATER)
    states = set(world.session.scalars(select(Delivery.state).where(Delivery.channel_user_id == user.id)))
    assert states == {DROPPED}
    assert life.open_case(world.session, talk.id) is None
    assert talk.mode == "closed"
    rows = world.session.scalars(select(Message).where(Message.conversation_id == talk.id)).all()
    assert {(row.type, row.text) for row in rows} == {("erased", "")}
    item = world.session.scalars(select(OutboxItem).where(OutboxItem.kind == FORGET)).one()
    assert item.payload == {"conversations": [talk.id], "user": user.id}


def test_nobody_calls_back_who_has_left_and_no_call_says_whose_it_was(world: World) -> None:
    user = full(world)
    talk = world.talk(user)
    assert talk.customer_no == ALICE
    rows = [
        CallBack(
            handoff_id=number, conversation_id=where, customer_no=ALICE, segment="special_service", due_at=LATER,
            state=state, note=CANARY if state == "done" else None,
        )
        for number, (where, state) in enumerate([(talk.id, "open"), (talk.id, "done"), ("another", "open")], 1)
    ]  # fmt: skip
    world.session.add_all(rows)
    world.session.flush()
    user_left(world.session, user, LATER)
    for row in rows:
        world.session.refresh(row)
    assert [(row.state, row.customer_no, row.segment, row.note) for row in rows] == [
        ("dropped", None, None, None), ("done", None, None, None), ("open", ALICE, "special_service", None),
    ]  # fmt: skip


def test_what_was_recommended_no_longer_says_in_which_conversation(world: World) -> None:
    user = full(world)
    rows = [
        Recommendation(
            customer_no=ALICE, account_no=HERS, month=NOW.date().replace(month=month, day=1), kind="tier_warning",
            yuan=Decimal("12.30"), basis={}, state="shown", conversation_id=where, shown_at=NOW,
        )
        for month, where in ((1, world.talk(user).id), (2, "another"))
    ]  # fmt: skip
    world.session.add_all(rows)
    world.session.flush()
    user_left(world.session, user, LATER)
    for row in rows:
        world.session.refresh(row)
    assert [(row.customer_no, row.conversation_id) for row in rows] == [(ALICE, ""), (ALICE, "another")]


def test_an_answer_that_was_being_given_to_who_leaves_is_not_on_its_way_for_ever(world: World) -> None:
    user = world.user(OPENID)
    talk = world.talk(user)
    world.answers(talk, world.says(talk, "在吗"), "在")
    row = world.session.scalars(select(Delivery).where(Delivery.channel_user_id == user.id)).one()
    row.state = PASSING
    user_left(world.session, user, NOW)
    world.session.refresh(row)
    assert row.state == DROPPED


def test_who_follows_again_is_somebody_new(world: World) -> None:
    before = full(world)
    user_left(world.session, before, LATER)
    again = world.user(OPENID)
    assert again.id != before.id
    assert (again.customer_no, world.talk(again).accounts) == (None, [])
    assert user_left(world.session, before, LATER) == []


def test_the_conversation_that_the_customers_login_shares_stays_without_the_user(world: World) -> None:
    user = world.user(OPENID)
    home = world.talk(user)
    world.proves(home, HERS)
    seat = world.seat(home, ALICE, HERS, SECOND)
    world.answers(home, world.says(home, "网页上的话", seat), "网页上的回答")
    user_left(world.session, user, LATER)
    assert "网页上的话" in world.texts(home.id)
    assert (home.mode, home.customer_no, home.channel_user_id) == ("bot", ALICE, None)
    assert link.home_of(world.session, ALICE, now=LATER) is None
    assert OPENID not in everything(world)
    item = world.session.scalars(select(OutboxItem).where(OutboxItem.kind == FORGET)).one()
    assert item.payload["conversations"] == []
