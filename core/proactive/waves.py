"""What many customers are told of their own accounts in one day: a few broadcasts, in each of which everybody has one.

Somebody with three accounts hears of each: what concerns the second goes into the day's second broadcast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.proactive import fanout
from core.proactive.broadcast import announce
from core.proactive.kinds import Notices
from core.proactive.tables import DONE, RUNNING, Broadcast, NoticeMark, Send

MOST = 20  # of one kind that anybody hears in a day


@dataclass(frozen=True)
class News:
    """What somebody is told of one account."""

    recipient: str
    wording: str
    values: Mapping[str, str]


def tell(session: Session, notices: Notices, kind: str, news: Iterable[News], *, today: date, now: datetime) -> int:
    """Have everybody told; return how many sends are new. The caller's mark moves in the same transaction."""
    told = list(news)
    places = _places(session, kind, {one.recipient for one in told}, today)
    by_wave: dict[tuple[str, int], list[tuple[str, Mapping[str, str]]]] = {}
    for one in told:
        place = places[one.recipient] = places.get(one.recipient, 0) + 1
        if place <= MOST:
            by_wave.setdefault((one.wording, place), []).append((one.recipient, one.values))
    count = 0
    for (wording, place), people in by_wave.items():
        broadcast = _wave(session, notices, kind, wording, place, today=today, now=now)
        count += fanout.add(session, notices, broadcast.id, people, now=now)
    return count


def has_open(session: Session, kind: str) -> bool:
    """Tell whether the day's broadcasts of a kind may get more people."""
    return session.scalar(_open(kind).limit(1)) is not None


def close(session: Session, kind: str) -> None:
    """Let the day's broadcasts of a kind end when all is sent."""
    for row in session.scalars(_open(kind)).all():
        row.fanned_out = True


def told_since(session: Session, kind: str, recipients: Iterable[str], since: datetime) -> set[tuple[str, str]]:
    """Return of which accounts (by their tails) people were told by such broadcasts since then."""
    days = select(Broadcast.id).where(
        Broadcast.kind == kind, Broadcast.created_at > since, Broadcast.key.startswith(f"{kind}:", autoescape=True)
    )
    query = select(Send.recipient, Send.values).where(
        Send.recipient.in_(list(recipients)), Send.broadcast_id.in_(list(session.scalars(days)))
    )
    return {(recipient, str(values.get("account_tail"))) for recipient, values in session.execute(query)}


def mark_of(session: Session, source: str, *, lock: bool = False) -> dict[str, object]:
    """Return how far a source was read; empty at first."""
    query = select(NoticeMark).where(NoticeMark.source == source)
    row = session.scalar(query.with_for_update() if lock else query)
    return dict(row.value) if row is not None else {}


def move_mark(session: Session, source: str, value: Mapping[str, object], *, now: datetime) -> None:
    """Note how far a source was read."""
    session.merge(NoticeMark(source=source, value=dict(value), changed_at=now))
    session.flush()


def _open(kind: str) -> Select[Broadcast]:
    return select(Broadcast).where(
        Broadcast.kind == kind, Broadcast.state == RUNNING, Broadcast.fanned_out.is_(False),
        Broadcast.key.startswith(f"{kind}:", autoescape=True),
    )  # fmt: skip


def _places(session: Session, kind: str, recipients: Iterable[str], today: date) -> dict[str, int]:
    """Return how much of a kind people were told today."""
    prefix = f"{kind}:{today}:"
    query = select(Broadcast.id, Broadcast.key).where(
        Broadcast.key.startswith(prefix, autoescape=True), Broadcast.kind == kind
    )
    keys = {row[0]: int(row[1].removeprefix(prefix).partition(":")[0]) for row in session.execute(query)}
    found: dict[str, int] = {}
    sends = select(Send.recipient, Send.broadcast_id).where(
        Send.recipient.in_(list(recipients)), Send.broadcast_id.in_(list(keys))
    )
    for recipient, broadcast_id in session.execute(sends):
        found[recipient] = max(found.get(recipient, 0), keys[broadcast_id])
    return found


def _wave(
    session: Session, notices: Notices, kind: str, wording: str, place: int, *, today: date, now: datetime
) -> Broadcast:
    row = announce(
        session, notices, kind=kind, key=f"{kind}:{today}:{place}:{wording}", wording=wording, values={},
        audience={"listed": True}, now=now, expires_at=now + timedelta(hours=notices.kinds[kind].good_for),
    )  # fmt: skip
    row.fanned_out = False
    if row.state == DONE:
        row.state, row.ended_at = RUNNING, None
    session.flush()
    return row
