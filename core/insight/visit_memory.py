"""Contacts of days that are over, cut out of the log once.

A contact is made of messages from half an hour before its day until a day after it, of the cases that a person had
then, of surveys, and of which conversations were joined. As long as none of these has changed, and two days have
passed, the contacts of a day are those of the last time. Who the customer is, is asked for anew each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.channel.link import GONE
from core.channel.tables import ChannelUser
from core.conversation import DIALOGUE_IDLE, Conversation, Message
from core.db import Database
from core.insight.spans import Span, day_of
from core.insight.topics import topics_of
from core.insight.visits import LENGTH, Visit, customers_of, held_of, visits
from core.portrait.sql import ShanghaiDay
from core.survey import Survey

MOST_VISITS = 40_000  # that are kept, some 25 MB
DAY = timedelta(days=1)
_Kept = dict[date, tuple[Any, tuple[Visit, ...]]]
_kept: WeakKeyDictionary[Database, _Kept] = WeakKeyDictionary()


def visits_in(
    session: Session, database: Database, data_dir: Path, span: Span, *, apology: str, now: datetime
) -> list[Visit]:  # fmt: skip
    """Return what `core.insight.visits.visits` returns for these days; `session` reads `database`."""
    kept = _kept.setdefault(database, {})
    signs = _signs(session, span, (data_dir, apology, _emptied(session)))
    lasting = [day for day in span.days if Span(day, day).end + LENGTH <= now]
    before = dict(kept)  # another thread may put days aside meanwhile
    known = {day: before[day][1] for day in lasting if day in before and before[day][0] == signs[day]}
    for run in _runs([day for day in span.days if day not in known]):
        found: defaultdict[date, list[Visit]] = defaultdict(list)
        for one in visits(session, run.start, run.end, topics=topics_of(data_dir), apology=apology):
            found[day_of(one.at)].append(one)
        for day in run.days:
            known[day] = tuple(found[day])
    _keep(kept, {day: (signs[day], known[day]) for day in lasting})
    customers = customers_of(session, span.start - DIALOGUE_IDLE)
    return [_of(one, customers.get(one.talk)) for day in span.days for one in known[day]]


def _of(visit: Visit, customer_no: str | None) -> Visit:
    return visit if visit.customer_no == customer_no else replace(visit, customer_no=customer_no)


def _keep(kept: _Kept, fresh: _Kept) -> None:
    """Keep these days, and of the others as many of the newest as there is room for."""
    left = MOST_VISITS
    for day, one in sorted({**kept, **fresh}.items(), reverse=True):
        left -= len(one[1])
        if left >= 0:
            kept[day] = one
        else:
            kept.pop(day, None)


def _emptied(session: Session) -> int:
    """Return how many people were erased: their messages stay in their places, with nothing in them."""
    query = select(func.count()).select_from(ChannelUser)
    return session.scalar(query.where(ChannelUser.user_id.startswith(GONE, autoescape=True))) or 0


def _signs(session: Session, span: Span, always: object) -> dict[date, Any]:
    """Return by day a value that is another one as soon as the contacts of the day may be."""
    wide = Span(span.first - DAY, span.last + 2 * DAY)
    marks: defaultdict[date, list[object]] = defaultdict(list)
    for day, one in (*_counts(session, wide), *_cases(session, wide), *_others(session, wide)):
        marks[day].append(one)
    return {
        day: (always, tuple(tuple(marks[day + number * DAY]) for number in (-1, 0, 1, 2))) for day in span.days
    }  # fmt: skip


def _counts(session: Session, span: Span) -> Iterator[tuple[date, object]]:
    """Yield how many messages customers wrote on each day, the last of them, and how many wait for an answer."""
    day = ShanghaiDay(Message.at)
    query = (
        select(day, Message.turn, func.count(), func.min(Message.at), func.max(Message.at))
        .where(Message.turn.in_(("open", "done")), Message.at >= span.start, Message.at < span.end)
        .group_by(day, Message.turn)
        .order_by(day, Message.turn)
    )
    for found, *counted in session.execute(query):
        yield found, tuple(counted)


def _cases(session: Session, span: Span) -> Iterator[tuple[date, object]]:
    """Yield on each day which conversations a person had, and from when till when."""
    for talk, held in sorted(held_of(session, span.start, span.end).items()):
        for since, until in held:
            yield from ((day, (talk, since, until)) for day in _days(since, until or span.end, span))


def _others(session: Session, span: Span) -> Iterator[tuple[date, object]]:
    """Yield on each day the conversations that were joined, and the surveys with a comment."""
    joined = select(Conversation.id, Conversation.joined_to, Conversation.created_at, Conversation.last_at)
    wanted = joined.where(Conversation.joined_to.is_not(None), Conversation.last_at >= span.start)
    for talk, home, since, until in session.execute(wanted.order_by(Conversation.id)):
        yield from ((day, (talk, home)) for day in _days(since, until, span))
    surveys = select(Survey.handoff_id, Survey.answered_at, Survey.comment).where(
        Survey.comment.is_not(None), Survey.answered_at >= span.start, Survey.answered_at < span.end
    )
    for case, answered, comment in session.execute(surveys.order_by(Survey.handoff_id)):
        if answered is not None:
            yield day_of(answered), (case, comment)


def _days(since: datetime, until: datetime, span: Span) -> list[date]:
    first, last = max(day_of(since), span.first), min(day_of(until), span.last)
    return [first + number * DAY for number in range((last - first).days + 1)]


def _runs(days: Sequence[date]) -> Iterator[Span]:
    """Yield days as spans of neighbours."""
    run: list[date] = []
    for day in days:
        if run and day != run[-1] + DAY:
            yield Span(run[0], run[-1])
            run = []
        run.append(day)
    if run:
        yield Span(run[0], run[-1])
