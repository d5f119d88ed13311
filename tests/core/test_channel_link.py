"""Links: whose a WeChat user is, which conversation is the customer's home, and what each who writes there has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from handoff_kit import BOOK
from sqlalchemy import select

from core.binding import accounts_of_user
from core.channel import link, writer
from core.channel.tables import DROPPED, PARKED, WECHAT, Delivery
from core.conversation import ASSURED, Conversation, find_conversation
from core.db import Database
from core.handoff import life
from core.handoff.tables import Handoff
from core.proactive.choices import choose
from core.proactive.choices import customer as customer_subject
from core.proactive.choices import user as user_subject
from core.proactive.tables import Choice
from tests.core.channel_kit import ALICE, BOB, DAY, HERS, HIS, NOW, OWNERS, SECOND, World, fresh

if TYPE_CHECKING:
    from tests.conftest import NewUrl


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    yield from fresh(new_url, request.param, tmp_path)


@pytest.fixture
def world(bridge: Database) -> Iterator[World]:
    with bridge.transaction() as session:
        yield World(session)


def queued(world: World, conversation: Conversation) -> Handoff:
    return life.request(world.session, conversation.id, reason="asked", book=BOOK, now=world.now)


def test_who_proves_an_account_over_wechat_is_its_customer_and_the_conversation_is_the_home(world: World) -> None:
    user = world.user("o-alice")
    world.proves(world.talk(user), HERS)
    assert (user.customer_no, user.linked_at) == (ALICE, NOW)
    home = link.home_of(world.session, ALICE, now=NOW)
    assert home is not None
    assert (home.id, home.customer_no, home.accounts) == (user.conversation_id, ALICE, [HERS])
    assert world.bindings() == [("o-alice", HERS, ALICE, True)]


def test_a_customer_without_wechat_has_no_home(world: World) -> None:
    world.proves(world.web(None), HERS, world.seat(world.web(None)))
    assert link.home_of(world.session, ALICE, now=NOW) is None


def test_a_newer_telephone_takes_the_link_and_sees_nothing_of_the_older(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    world.proves(world.talk(older), HERS)
    before = older.conversation_id
    world.proves(world.talk(newer), HERS)
    assert (older.customer_no, newer.customer_no) == (None, ALICE)
    assert older.conversation_id == before != newer.conversation_id
    assert find_conversation(world.session, before).joined_to is None
    assert world.talk(older).accounts == [HERS]  # the older keeps what was proved there
    assert link.home_of(world.session, ALICE, now=NOW) is world.talk(newer)


def test_who_lets_the_last_account_go_begins_anew_and_the_next_customer_finds_nothing(world: World) -> None:
    user = world.user("o-one")
    first = world.talk(user)
    world.proves(first, HERS)
    world.says(first, "我家住在解放大道")
    world.lets_go(first, HERS)
    second = world.talk(user)
    assert (user.customer_no, second.accounts, second.customer_no) == (None, [], None)
    assert second.id != first.id
    assert first.mode == "closed"
    world.proves(second, HIS)
    home = link.home_of(world.session, BOB, now=NOW)
    assert home is second
    assert not any("解放大道" in text for text in world.texts(second.id))
    assert link.home_of(world.session, ALICE, now=NOW) is None


def test_a_conversation_in_which_another_was_bound_is_left_before_the_next_link(world: World) -> None:
    user = world.user("o-one")
    first = world.talk(user)
    world.proves(first, HERS)
    world.proves(first, HIS)
    assert user.customer_no == ALICE  # a second customer's account is bound and changes no link
    world.lets_go(first, HERS)
    assert user.customer_no == BOB
    assert world.talk(user).accounts == [HIS]
    assert world.talk(user).id != first.id
    assert world.texts(user.conversation_id) == []


def test_what_waits_for_the_earlier_customer_is_not_sent_to_the_next(world: World) -> None:
    user = world.user("o-one")
    talk = world.talk(user)
    world.proves(talk, HERS)
    world.session.add(Delivery(
        conversation_id=talk.id, seq=99, channel_user_id=user.id, kind="agent", state=PARKED, next_at=NOW,
        created_at=NOW - timedelta(days=1),
    ))  # fmt: skip
    world.lets_go(talk, HERS)
    rows = world.session.query(Delivery).filter_by(seq=99).all()
    assert [row.state for row in rows] == [DROPPED]


def test_the_customers_page_keeps_the_conversation_that_the_wechat_user_leaves(world: World) -> None:
    user = world.user("o-alice")
    home = world.talk(user)
    world.proves(home, HERS)
    seat = world.seat(home, ALICE, HERS, SECOND)
    world.says(home, "网页上问", seat)
    world.lets_go(home, HERS)
    assert (home.mode, home.channel, home.channel_user_id, home.customer_no) == ("bot", "web", None, ALICE)
    assert user.conversation_id != home.id
    world.says(home, "网页上再问", seat)
    assert home.accounts == [HERS, SECOND]


def test_each_writer_has_what_was_proved_or_named_for_them(world: World) -> None:
    user = world.user("o-alice")
    home = world.talk(user)
    world.proves(home, HERS)
    world.says(home, "网页", world.seat(home, ALICE, HERS, SECOND))
    assert home.accounts == [HERS, SECOND]
    world.says(home, "微信")
    assert home.accounts == [HERS]
    world.says(home, "陌生人", world.seat(home, BOB, HIS))
    assert home.accounts == []


def test_a_code_assures_only_who_typed_it(world: World) -> None:
    user = world.user("o-alice")
    home = world.talk(user)
    world.proves(home, HERS)
    assert home.assurance_at(NOW) == 2
    world.says(home, "网页", world.seat(home, ALICE, HERS))
    assert (home.assurance_at(NOW), home.assured_at(NOW)) == (1, ())
    assert home.assured_until is None or home.assured_until < NOW + ASSURED


def test_what_was_proved_in_a_turn_is_who_asks_though_another_has_written_since(world: World) -> None:
    user = world.user("o-alice")
    home = world.talk(user)
    world.proves(home, HERS)
    seat = world.seat(home, ALICE, HERS)
    asked = world.says(home, "绑定第二个", seat)
    world.says(home, "微信上又问")
    writer.grant_to(world.session, home, asked, world._grant(home, add=SECOND), now=NOW)
    assert home.accounts == [HERS]
    assert (None, SECOND, None, True) in world.bindings()
    world.says(home, "网页上再问", seat)
    assert home.accounts == [HERS, SECOND]


def test_a_user_who_has_left_is_nobodys_home(world: World) -> None:
    user = world.user("o-alice")
    world.proves(world.talk(user), HERS)
    user.followed = False
    world.session.flush()
    assert link.home_of(world.session, ALICE, now=NOW) is None


def test_a_home_that_was_closed_goes_on_in_a_new_conversation_with_what_was_proved(world: World) -> None:
    user = world.user("o-alice")
    first = world.talk(user)
    world.proves(first, HERS)
    first.mode = "closed"
    world.session.flush()
    home = link.home_of(world.session, ALICE, now=NOW)
    assert home is not None
    assert home.id == user.conversation_id != first.id
    assert (home.accounts, home.customer_no, home.channel_user_id) == ([HERS], ALICE, user.id)


def test_settling_the_same_again_changes_nothing(world: World) -> None:
    user = world.user("o-alice")
    world.proves(world.talk(user), HERS)
    row = 1
    assert link.settle(world.session, row, OWNERS[HERS], open_for=DAY, now=NOW) == []
    assert link.news(world.session) == []


def test_a_newer_telephone_takes_the_talk_of_the_pages_from_the_older(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    world.proves(world.talk(older), HERS)
    shared = world.talk(older)
    page = world.seat(shared, ALICE, HERS)
    world.answers(shared, world.says(shared, "网页上说的私事", page), "好的")
    world.proves(world.talk(newer), HERS)
    fresh = world.talk(older)
    assert fresh.id != shared.id
    assert (fresh.customer_no, fresh.accounts, fresh.channel_user_id) == (None, [HERS], older.id)
    assert world.texts(fresh.id) == []
    assert (shared.customer_no, shared.channel_user_id, shared.accounts) == (None, None, [])
    assert writer.user_at(world.session, shared.id) is None
    home = link.home_of(world.session, ALICE, now=NOW)
    assert home is world.talk(newer)
    assert not any("私事" in text for text in world.texts(home.id))
    assert shared.joined_to is None


def test_pages_that_were_joined_to_the_older_telephone_go_on_in_the_home_of_the_newer(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    page = world.web(ALICE, HERS)
    world.answers(page, world.says(page, "网页上", world.seat(page, ALICE, HERS)), "好的")
    world.proves(world.talk(older), HERS)
    assert page.joined_to == older.conversation_id
    world.proves(world.talk(newer), HERS)
    assert page.joined_to == newer.conversation_id
    assert page.joined_to != older.conversation_id
    assert find_conversation(world.session, page.id) is world.talk(newer)


@pytest.mark.parametrize("asked_on_page", [True, False])
def test_who_waits_for_a_person_goes_on_waiting_where_they_write_now(world: World, asked_on_page: bool) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    world.proves(world.talk(older), HERS)
    shared = world.talk(older)
    page = world.seat(shared, ALICE, HERS)
    world.answers(shared, world.says(shared, "网页上", page), "好的")
    if not asked_on_page:
        world.answers(shared, world.says(shared, "微信上"), "好的")
    case = queued(world, shared)
    world.proves(world.talk(newer), HERS)
    assert case.ended_at is None
    assert case.conversation_id == (newer if asked_on_page else older).conversation_id
    assert (find_conversation(world.session, case.conversation_id).mode, shared.mode) == ("queued", "closed")


def test_who_was_superseded_does_not_take_the_customer_back_by_binding_something_else(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    world.proves(world.talk(older), HERS)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(newer), HERS)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(older), HIS)
    assert (older.customer_no, newer.customer_no) == (BOB, ALICE)
    assert link.home_of(world.session, ALICE, now=world.now) is world.talk(newer)
    world.lets_go(world.talk(older), HIS)
    assert (older.customer_no, newer.customer_no) == (None, ALICE)


def test_who_was_superseded_takes_the_customer_back_by_a_new_proof(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    world.proves(world.talk(older), HERS)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(newer), HERS)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(older), SECOND)
    assert (older.customer_no, newer.customer_no) == (ALICE, None)


def test_who_was_superseded_takes_the_customer_back_by_proving_anew_what_they_still_hold(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    world.proves(world.talk(older), HERS)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(newer), HERS)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(older), HERS)
    assert (older.customer_no, newer.customer_no) == (ALICE, None)
    assert accounts_of_user(world.session, older) == [HERS]
    world.lets_go(world.talk(older), HERS)
    assert (older.customer_no, accounts_of_user(world.session, older)) == (None, [])


def test_who_wanted_to_hear_nothing_hears_nothing_after_the_link_either(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    choose(world.session, user_subject(older.id), "outage", wanted=False, channel=WECHAT, now=NOW)
    world.proves(world.talk(older), HERS)
    choose(world.session, customer_subject(ALICE), "bill_ready", wanted=True, channel="sms", now=NOW)
    choose(world.session, customer_subject(ALICE), "balance_low", wanted=False, channel="sms", now=NOW)
    world.now += timedelta(minutes=1)
    world.proves(world.talk(newer), HERS)
    rows = world.session.scalars(select(Choice).where(Choice.subject == user_subject(older.id))).all()
    assert {(row.kind, row.wanted) for row in rows} == {("outage", False), ("balance_low", False)}
    world.lets_go(world.talk(newer), HERS)
    assert world.session.get_one(Choice, (user_subject(newer.id), "outage")).wanted is False


def test_the_later_proof_counts_though_both_are_looked_at_late(world: World) -> None:
    older, newer = world.user("o-old"), world.user("o-new")
    for user in (older, newer):
        talk = world.talk(user)
        writer.grant_to(
            world.session, talk, world.says(talk, f"绑定 {user.user_id}"), world._grant(talk, add=HERS), now=world.now
        )
        world.now += timedelta(minutes=1)
    world.settle()
    assert (older.customer_no, newer.customer_no) == (None, ALICE)
