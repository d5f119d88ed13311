"""A refusal is theirs who say it, and follows them to whatever they prove to be later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from sqlalchemy.orm import Session

from core.binding import Binding
from core.channel.join import join, talks_of
from core.channel.tables import ChannelUser
from core.clock import SHANGHAI
from core.conversation import Conversation, open_conversation
from core.db import Database
from core.migrations import upgrade
from core.proactive.choices import choose
from core.proactive.tables import Choice
from core.recommend.record import Decided, decide
from core.recommend.refusals import refused, refusing_all, wants_again
from core.recommend.tables import ALL, Recommendation, Refusal

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=SHANGHAI)
ACCOUNT = "4201234567890"
NEVER = Decided((), never=ALL)


@pytest.fixture(params=DIALECTS)
def session(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Session]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    with database.transaction() as one:
        yield one
    database.dispose()


def talk(session: Session, customer_no: str | None = None, *, channel: str = "web") -> Conversation:
    return open_conversation(session, channel=channel, customer_no=customer_no, accounts=[], assurance=0, now=NOW)


def follower(session: Session, where: Conversation) -> ChannelUser:
    user = ChannelUser(channel="wechat", user_id=f"o-{where.id}", conversation_id=where.id, created_at=NOW)
    session.add(user)
    session.flush()
    return user


def test_a_tenant_refuses_for_the_tenant_alone(session: Session) -> None:
    where = talk(session, "TENANT")
    decide(session, Decided(("TENANT",), never=ALL), now=NOW, conversation=where)
    assert refused(session, ["TENANT"], [where.id]) == {ALL}
    assert refused(session, ["LANDLORD"], [talk(session, "LANDLORD").id]) == frozenset()
    assert refusing_all(session) == {"TENANT"}


def test_whoever_speaks_unknown_is_remembered_by_the_conversation(session: Session) -> None:
    where, other = talk(session), talk(session)
    decide(session, NEVER, now=NOW, conversation=where)
    assert refused(session, [], [where.id]) == {ALL}
    assert refused(session, [], [other.id]) == frozenset()
    assert refusing_all(session) == set()


def test_it_goes_along_when_the_conversation_is_joined(session: Session) -> None:
    where, home = talk(session), talk(session, "C1", channel="wechat")
    decide(session, NEVER, now=NOW, conversation=where)
    assert refused(session, ["C1"], [home.id]) == frozenset()
    assert join(session, where, home, now=NOW)
    assert talks_of(session, home.id) == (where.id,)
    for talks in ([home.id, where.id], [home.id], [talk(session, "C1", channel="app").id]):
        assert refused(session, ["C1"], talks) == {ALL}
    assert refusing_all(session) == {"C1"}


def test_it_is_theirs_as_whom_an_account_proves_them_on_every_channel(session: Session) -> None:
    where = talk(session)
    decide(session, Decided((), never="tier_warning"), now=NOW, conversation=where)
    decide(session, NEVER, now=NOW, conversation=where)
    bound = Binding(
        conversation_id=where.id, channel="web", customer_no=None, channel_user=None, account_no=ACCOUNT,
        owner_no="C1", since=NOW + timedelta(days=1), ended_at=None,
    )  # fmt: skip
    session.add(bound)
    session.flush()
    assert refused(session, ["C1"]) == {ALL, "tier_warning"}
    assert refused(session, ["C2"]) == frozenset()
    assert refusing_all(session) == {"C1"}
    bound.customer_no = "TENANT"  # a tenant's login has bound the landlord's account
    session.flush()
    assert refused(session, ["C1"]) == frozenset()


def test_a_user_of_wechat_keeps_it_when_they_are_linked(session: Session) -> None:
    where = talk(session, channel="wechat")
    user = follower(session, where)
    choose(session, f"user:{user.id}", "offer", wanted=True, channel="chat", now=NOW)
    decide(session, NEVER, now=NOW, conversation=where)
    assert session.get_one(Choice, (f"user:{user.id}", "offer")).wanted is False
    assert session.get(Refusal, (f"user:{user.id}", ALL)) is not None
    assert refused(session, [], [where.id]) == {ALL}
    user.customer_no = where.customer_no = "C1"
    session.flush()
    assert refused(session, ["C1"]) == {ALL}
    assert refusing_all(session) == {"C1"}


def test_the_button_of_an_old_one_decides_about_its_own_and_nobody_elses(session: Session) -> None:
    where, other = talk(session, "C1"), talk(session, "C2")

    def row(at: datetime, customer_no: str, there: Conversation) -> Recommendation:
        made = Recommendation(
            customer_no=customer_no, account_no=ACCOUNT, month=at.date().replace(day=1), kind="saving_measure", yuan=80,
            basis={}, state="shown", segment=None, conversation_id=there.id, shown_at=at, decided_at=None,
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made

    old, new = row(NOW, "C1", where), row(NOW + timedelta(days=31), "C1", where)
    theirs = row(NOW, "C2", other)
    later = NOW + timedelta(days=32)
    told_at = NOW - timedelta(seconds=3)  # of the question
    decide(
        session, Decided(("C1",), "accepted", of=(ACCOUNT, told_at)), now=later, conversation=where, talks=[where.id]
    )
    assert (old.state, new.state, theirs.state) == ("accepted", "shown", "shown")
    decide(session, Decided((), "refused", of=(ACCOUNT, told_at)), now=later, conversation=other, talks=[other.id])
    assert (old.state, new.state, theirs.state) == ("accepted", "shown", "refused")
    decide(session, Decided(("C1",), "refused"), now=later, conversation=where, talks=[where.id])
    assert new.state == "refused"  # where none is named, it is the latest


def test_whoever_asks_for_recommendations_again_gets_them_however_they_refused(session: Session) -> None:
    before, home = talk(session), talk(session, "C1", channel="wechat")
    decide(session, Decided((), never="tier_warning"), now=NOW, conversation=before)
    decide(session, NEVER, now=NOW, conversation=before)
    assert join(session, before, home, now=NOW)
    decide(session, Decided(("C1",), never=ALL), now=NOW, conversation=home)
    decide(session, Decided(("C2",), never=ALL), now=NOW, conversation=talk(session, "C2"))
    wants_again(session, ["C1"], [home.id])
    assert refused(session, ["C1"], [home.id]) == {"tier_warning"}
    assert refusing_all(session) == {"C2"}
    decide(session, Decided(("C1",), never=ALL), now=NOW, conversation=home)
    assert refusing_all(session) == {"C1", "C2"}
