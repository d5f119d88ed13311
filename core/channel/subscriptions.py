"""What users have agreed to be sent once: the ledger of subscription messages.

Each agreement lets one message go out that is made from that template, whenever. One is taken when a message is taken
up to be sent, and given back if the channel surely has not sent it. What the channel says counts more than the ledger:
if it refuses, the ledger is empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.channel.tables import Subscription

Key = tuple[int, str]  # user of a channel, template


def agreed(session: Session, channel_user_id: int, template_id: str, *, now: datetime) -> None:
    """Count one more message to which a user (locked) has agreed."""
    give_back(session, {(channel_user_id, template_id): 1}, now=now)


def ended(session: Session, keys: Collection[Key], *, now: datetime) -> None:
    """Note that these users take no more messages of these templates."""
    for user_id, template_id in keys:
        mine = (Subscription.channel_user_id == user_id, Subscription.template_id == template_id)
        session.execute(update(Subscription).where(*mine).values(left=0, changed_at=now))


def forget(session: Session, channel_user_id: int) -> None:
    """Delete all that a user has agreed to."""
    session.execute(delete(Subscription).where(Subscription.channel_user_id == channel_user_id))


def take(session: Session, wanted: Iterable[Key], *, now: datetime) -> Counter[Key]:
    """Take as many of the wanted messages from the ledger as there are, and return how many of each."""
    asked = Counter(wanted)
    taken: Counter[Key] = Counter()
    for row in _rows(session, asked):
        key = (row.channel_user_id, row.template_id)
        taken[key] = min(row.left, asked[key])
        row.left, row.changed_at = row.left - taken[key], now
    session.flush()
    return +taken


def give_back(session: Session, counts: Mapping[Key, int], *, now: datetime) -> None:
    """Put back into the ledger what was taken and not sent."""
    rows = {(row.channel_user_id, row.template_id): row for row in _rows(session, counts)}
    for key, count in counts.items():
        row = rows.get(key)
        if row is None:
            session.add(Subscription(channel_user_id=key[0], template_id=key[1], left=count, changed_at=now))
        else:
            row.left, row.changed_at = row.left + count, now
    session.flush()


def left(session: Session, channel_user_id: int, template_id: str) -> int:
    """Return how many messages of a template a user still takes."""
    row = session.get(Subscription, (channel_user_id, template_id))
    return row.left if row is not None else 0


def _rows(session: Session, keys: Collection[Key]) -> list[Subscription]:
    """Return the rows of these keys, locked, always in the same order."""
    if not keys:
        return []
    query = select(Subscription).where(
        Subscription.channel_user_id.in_({user_id for user_id, _ in keys}),
        Subscription.template_id.in_({template_id for _, template_id in keys}),
    )
    query = query.order_by(Subscription.channel_user_id, Subscription.template_id).with_for_update()
    rows = session.scalars(query.execution_options(populate_existing=True))
    return [row for row in rows if (row.channel_user_id, row.template_id) in keys]
