"""Joining: what goes along to the customer's home, what stays, and when it has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from handoff_kit import BOOK
from sqlalchemy import select

from core import conversation as log_of
from core import survey
from core.agent import Agent
from core.channel import link
from core.channel.join import join, joined_to
from core.conversation import Conversation, Draft, find_button, find_conversation
from core.db import Database
from core.handoff import life
from core.handoff.ending import WrapUp
from core.handoff.tables import Handoff
from tests.core.channel_kit import ALICE, DAY, HERS, NOW, World, fresh

if TYPE_CHECKING:
    from tests.conftest import NewUrl


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    yield from fresh(new_url, request.param, tmp_path)


@pytest.fixture
def world(bridge: Database) -> Iterator[World]:
    with bridge.transaction() as session:
        yield World(session)


def page(world: World) -> Conversation:
    """A conversation of the customer's own page, with a question and its answer."""
    own = world.web(ALICE, HERS)
    world.answers(own, world.says(own, "网页上的话", world.seat(own, ALICE, HERS)), "网页上的回答")
    return own


def home(world: World) -> Conversation:
    user = world.user("o-alice")
    return world.talk(user)


def queued(world: World, conversation: Conversation) -> Handoff:
    return life.request(world.session, conversation.id, reason="asked", book=BOOK, now=world.now)


def agent(world: World) -> int:
    row = Agent(
        login="wang", name="小王", staff_no="8001", role="agent", skills=["billing", "business"], capacity=4,
        password_hash="x", password_set_at=NOW, active=True, status="online", last_seen_at=NOW, created_at=NOW,
    )  # fmt: skip
    world.session.add(row)
    world.session.flush()
    return row.id


def test_the_page_is_joined_when_its_customer_binds_over_wechat(world: World) -> None:
    own, there = page(world), home(world)
    world.proves(there, HERS)
    assert (own.joined_to, own.joined_at) == (there.id, NOW)
    assert find_conversation(world.session, own.id) is there
    assert world.texts(own.id) == ["网页上的话", "网页上的回答"]
    assert "网页上的话" not in world.texts(there.id)
    assert joined_to(world.session, there.id) == [own]


def test_an_older_page_than_its_session_lasts_is_not_joined(world: World) -> None:
    own, there = page(world), home(world)
    own.created_at = NOW - DAY - timedelta(minutes=1)
    world.session.flush()
    world.proves(there, HERS)
    assert own.joined_to is None


def test_a_page_with_an_answer_due_is_joined_later(world: World) -> None:
    own, there = page(world), home(world)
    asked = world.says(own, "还没答", world.seat(own, ALICE, HERS))
    world.proves(there, HERS)
    assert own.joined_to is None
    world.answers(own, asked, "答了")
    assert join(world.session, own, there, now=NOW)
    assert not join(world.session, own, there, now=NOW)


def test_the_place_in_the_queue_goes_along(world: World) -> None:
    own, there = page(world), home(world)
    case = queued(world, own)
    world.now = NOW + timedelta(minutes=3)
    world.proves(there, HERS)
    assert (case.conversation_id, case.requested_at, case.ended_at) == (there.id, NOW, None)
    assert (there.mode, there.mode_since, own.mode) == ("queued", NOW, "closed")
    assert life.open_case(world.session, there.id) is case
    assert [event.kind for event in life.events_of(world.session, case.id)][-1] == "joined"


def test_of_two_cases_the_one_with_a_person_goes_on(world: World) -> None:
    own, there = page(world), home(world)
    waiting, talking = queued(world, there), queued(world, own)
    life.claim(world.session, talking.id, agent(world), book=BOOK, now=NOW)
    assert join(world.session, own, there, now=NOW)
    assert (waiting.ended_at, talking.ended_at) == (NOW, None)
    assert (there.mode, talking.conversation_id) == ("human", there.id)
    assert life.open_case(world.session, there.id) is talking


def test_of_two_that_wait_the_one_at_home_goes_on(world: World) -> None:
    own, there = page(world), home(world)
    here, brought = queued(world, there), queued(world, own)
    assert join(world.session, own, there, now=NOW)
    assert (here.ended_at, brought.ended_at) == (None, NOW)
    assert (there.mode, own.mode) == ("queued", "closed")


def test_an_agent_answers_in_the_home_after_the_join(world: World) -> None:
    own, there = page(world), home(world)
    case, who = queued(world, own), agent(world)
    life.claim(world.session, case.id, who, book=BOOK, now=NOW)
    assert join(world.session, own, there, now=NOW)
    life.agent_said(
        world.session, there.id, agent_id=who, client_id="c1", draft=Draft("agent", "您好"), book=BOOK, now=NOW
    )
    assert world.texts(there.id)[-1] == "您好"


def test_a_survey_that_is_still_to_be_put_is_put_in_the_home(world: World) -> None:
    own, there = page(world), home(world)
    case, who = queued(world, own), agent(world)
    life.claim(world.session, case.id, who, book=BOOK, now=NOW)
    life.agent_said(
        world.session, own.id, agent_id=who, client_id="c1", draft=Draft("agent", "好了"), book=BOOK, now=NOW
    )
    life.finish(world.session, own.id, agent_id=who, book=BOOK, now=NOW)
    life.wrap_up(world.session, own.id, WrapUp("bill", "solved"), agent_id=who, book=BOOK, now=NOW)
    assert join(world.session, own, there, now=NOW)
    asked = survey.ask(world.session, case.id, order_open=False, book=BOOK, now=NOW)
    assert asked is not None
    assert asked.conversation_id == there.id


def test_what_the_page_still_shows_can_be_pressed(world: World) -> None:
    own, there = page(world), home(world)
    draft = Draft("bot", "要办吗", buttons=(("确认", "/affirm"),))
    shown = log_of.record_reply(world.session, own, draft, now=NOW)
    world.session.flush()
    assert join(world.session, own, there, now=NOW)
    assert find_button(world.session, there, shown.buttons[0]["id"]).payload == "/affirm"


def test_replies_go_where_the_customer_wrote_last(world: World) -> None:
    own, there = page(world), home(world)
    own.last_at = NOW + timedelta(minutes=1)
    assert join(world.session, own, there, now=NOW + timedelta(minutes=1))
    assert (there.channel, there.channel_user_id) == ("web", None)


def test_somebody_unknown_who_proves_an_account_on_a_page_comes_home(world: World) -> None:
    there = home(world)
    world.proves(there, HERS)
    own = world.web(None)
    world.proves(own, HERS, world.seat(own))
    assert own.joined_to == there.id
    world.says(there, "接着问", world.seat(own))
    assert there.accounts == [HERS]
    world.lets_go(there, HERS, world.seat(own))
    assert there.accounts == []
    world.says(there, "微信上问")
    assert there.accounts == [HERS]  # what was proved over WeChat is WeChat's to let go
    assert link.user_of_customer(world.session, ALICE) is not None


def test_an_empty_page_is_left_alone(world: World) -> None:
    world.web(ALICE, HERS)
    there = home(world)
    world.proves(there, HERS)
    joined = world.session.scalars(select(Conversation).where(Conversation.joined_to.is_not(None))).all()
    assert joined == []
