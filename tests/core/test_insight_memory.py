"""What is kept of finished days is what the log would tell again, also after the log of such a day has changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.channel.link import GONE
from core.channel.tables import ChannelUser
from core.conversation import Conversation, Message
from core.handoff.tables import Handoff
from core.insight.kpi import Sources
from core.insight.spans import Span
from core.insight.topics import topics_of
from core.insight.visit_memory import visits_in
from core.insight.visits import Visit, visits
from tests.core.insight_kit import APOLOGY, DATA, NOW, Log, databases

SPAN = Span(NOW.date() - timedelta(days=17), NOW.date())


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Sources]:
    def url(_dialect: str, folder: Path) -> str:
        return f"sqlite:///{folder}/{random.randrange(10**9)}.db"

    made = databases(url, "sqlite", tmp_path)
    Log(made, random.Random(5)).write()
    yield made
    for database in (made.bridge, made.workorder, made.billing):
        database.dispose()


def remembered(sources: Sources) -> list[Visit]:
    with sources.bridge.reading() as session:
        found = visits_in(session, sources.bridge, DATA, SPAN, apology=APOLOGY, now=NOW)
    return sorted(found, key=lambda one: (one.at, one.talk))


def told(sources: Sources) -> list[Visit]:
    with sources.bridge.reading() as session:
        return visits(session, SPAN.start, SPAN.end, topics=topics_of(DATA), apology=APOLOGY)


def _first(session: Session) -> Message:
    query = select(Message).where(Message.author == "customer", Message.turn == "done").order_by(Message.at).limit(1)
    return session.scalars(query).one()


def _more(session: Session) -> None:
    one = _first(session)
    session.add(Message(
        conversation_id=one.conversation_id, seq=900, at=one.at + timedelta(minutes=1), author="customer", type="text",
        text="还有", buttons=[], channel=one.channel, turn="done",
    ))  # fmt: skip


def _join(session: Session) -> None:
    one, two = session.scalars(select(Conversation).where(Conversation.joined_to.is_(None)).limit(2)).all()
    one.joined_to, one.joined_at = two.id, NOW


def _bind(session: Session) -> None:
    session.get_one(Conversation, _first(session).conversation_id).customer_no = "C9"


def _end(session: Session) -> None:
    session.execute(update(Handoff).values(ended_at=NOW, left_message=False))


def _erase(session: Session) -> None:
    session.add(ChannelUser(channel="wechat", user_id=f"{GONE}1", conversation_id="talk-000", created_at=NOW))
    session.execute(update(Message).values(understood=None, payload=None, text=""))


@pytest.mark.parametrize("change", [_more, _join, _bind, _end, _erase])
def test_what_is_kept_of_finished_days_is_what_the_log_would_tell(
    sources: Sources, change: Callable[[Session], None]
) -> None:
    assert told(sources) == remembered(sources) == remembered(sources)
    with sources.bridge.transaction() as session:
        change(session)
    assert told(sources) == remembered(sources)
