"""What an agent is told of a pushing channel: how many messages may still be sent to the customer, and until when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.channel.callback import TEMPLATE
from core.channel.tables import PARKED, WAITING, ChannelUser, Delivery, SendWindow
from core.channel.windows import Remaining, remaining_of
from core.conversation.tables import Conversation


@dataclass(frozen=True)
class Quota:
    """`left` None: as many as one likes; 0 without `until`: nothing may be sent until the customer writes.

    `reserved` of those left are for people alone. `waiting` are about to be sent, `parked` wait for the customer, who
    was `called` back by a template message.
    """

    left: int | None
    reserved: int
    until: datetime | None
    waiting: int = 0
    parked: int = 0
    called: bool = False
    followed: bool = True


def quotas_of(session: Session, conversations: Iterable[Conversation], *, now: datetime) -> dict[str, Quota]:
    """Return what may be sent, by conversation; those whose customer reads a page by himself have none."""
    users = {one.id: one.channel_user_id for one in conversations if one.channel_user_id is not None}
    if not users:
        return {}
    ids = sorted(set(users.values()))
    windows: dict[int, list[SendWindow]] = defaultdict(list)
    for row in session.scalars(select(SendWindow).where(SendWindow.channel_user_id.in_(ids))):
        windows[row.channel_user_id].append(row)
    query = select(ChannelUser.id).where(ChannelUser.id.in_(ids), ChannelUser.followed)
    followed, tallies = set(session.scalars(query)), _tallies(session, ids)
    return {
        conversation_id: _quota(remaining_of(windows[user], now), tallies[user], followed=user in followed)
        for conversation_id, user in users.items()
    }


def quota_of(session: Session, conversation: Conversation, *, now: datetime) -> Quota | None:
    """Return what may be sent to the customer of one conversation, None if nothing has to be sent."""
    return quotas_of(session, [conversation], now=now).get(conversation.id)


def _tallies(session: Session, ids: list[int]) -> dict[int, dict[tuple[str, bool], int]]:
    """Return how many deliveries there are by user, state, and whether the user was called back for them."""
    called = Delivery.way == TEMPLATE
    query = select(Delivery.channel_user_id, Delivery.state, called, func.count()).where(
        Delivery.channel_user_id.in_(ids), Delivery.state.in_((WAITING, PARKED))
    )
    found: dict[int, dict[tuple[str, bool], int]] = defaultdict(dict)
    for user, state, was_called, count in session.execute(
        query.group_by(Delivery.channel_user_id, Delivery.state, called)
    ):
        found[user][state, bool(was_called)] = found[user].get((state, bool(was_called)), 0) + count
    return found


def _quota(left: Remaining | None, tally: dict[tuple[str, bool], int], *, followed: bool) -> Quota:
    def count(state: str) -> int:
        return sum(found for (one, _), found in tally.items() if one == state)

    quota = Quota(
        0, 0, None, waiting=count(WAITING), parked=count(PARKED), called=(PARKED, True) in tally, followed=followed
    )
    if left is None or not followed:
        return quota
    return replace(quota, left=left.left, reserved=left.reserved, until=left.until)
