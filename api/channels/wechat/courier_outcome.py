"""What follows from WeChat's answer to a sending, for the deliveries and for the ledger of what may be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from api.channels.wechat.courier_plan import LIMIT, Habits, Shipment
from api.channels.wechat.errors import Verdict, WeChatError, WeChatRefused, WeChatUnreachable
from core.channel import deliveries, windows
from core.channel.windows import Taken

RATE_PAUSE = timedelta(seconds=60)
NARROWEST = 500  # bytes; what WeChat finds too long even so is given up
# A message that WeChat is ever too busy to take, though it takes others, is given up; if it takes none, much later.
TRIES, TRIES_AT_ALL = 8, 24
TRIED_FOR, TAKES_OTHERS = timedelta(minutes=5), timedelta(minutes=10)


class Outcome(StrEnum):
    """How a sending ended."""

    SENT = "sent"
    UNKNOWN = "unknown"  # nobody knows whether it arrived; it is not sent again
    PUT_OFF = "put_off"  # surely not sent, and tried again later
    AGAIN = "again"  # surely not sent, and tried again at once in another way
    PARKED = "parked"
    LOST = "lost"  # the user is gone
    DEAD = "dead"


@dataclass(frozen=True)
class Sending:
    """A shipment that was claimed for a user, and how it went: `sent` of its messages, then perhaps an error."""

    channel_user_id: int
    shipment: Shipment
    taken: Sequence[Taken]
    called_at: datetime
    sent: int = 0
    error: WeChatError | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Return what WeChat's refusal means, if it refused."""
        return self.error.verdict if isinstance(self.error, WeChatRefused) else None


def outcome_of(one: Sending, habits: Habits) -> Outcome:
    """Return how a sending ended; what was learned from it goes into `habits`."""
    if one.error is None:
        habits.taken_at = one.called_at
        return Outcome.SENT
    if isinstance(one.error, WeChatUnreachable):
        return Outcome.UNKNOWN if one.error.sent else Outcome.DEAD if one.sent else Outcome.PUT_OFF
    if one.verdict is Verdict.UNREACHABLE_USER:
        return Outcome.LOST
    if one.sent:
        return Outcome.DEAD  # a part of it is there: again from the start would double it
    return _refused(one, habits)


def _refused(one: Sending, habits: Habits) -> Outcome:
    match one.verdict:
        case Verdict.WINDOW_CLOSED | Verdict.COUNT_USED:
            return Outcome.PARKED
        case Verdict.RETRY:
            return Outcome.DEAD if _never_taken(one, habits) else Outcome.PUT_OFF
        case Verdict.TOKEN | Verdict.CONFIG | Verdict.RATE:
            return Outcome.PUT_OFF
        case Verdict.NOT_ALLOWED:
            return _without_menus(one, habits)
        case Verdict.MEDIA_GONE:
            again = (one.shipment.chosen[0].delivery.error or "").startswith(str(one.error).split()[0])
            return Outcome.DEAD if again else Outcome.AGAIN
        case Verdict.TOO_LONG:
            return _narrower(one, habits)
    return Outcome.DEAD


def settle(session: Session, one: Sending, outcome: Outcome, *, now: datetime) -> None:
    """Write down how a sending ended, and what it says about the windows."""
    ids, user = one.shipment.ids, one.channel_user_id
    if outcome in (Outcome.SENT, Outcome.UNKNOWN):
        error = deliveries.UNKNOWN if outcome is Outcome.UNKNOWN else None
        count = len(one.shipment.messages)
        deliveries.sent(session, ids, now=now, count=count, more=one.shipment.more, error=error)
        return
    if one.verdict in (Verdict.WINDOW_CLOSED, Verdict.COUNT_USED):
        closed = one.verdict is Verdict.WINDOW_CLOSED
        kind: windows.CodeKind = "window_closed" if closed else "count_used"
        windows.exhausted(session, user, kind, now=now, called_at=one.called_at)
    else:
        for taken in one.taken[one.sent :]:
            windows.give_back(session, user, taken)
    _keep(session, one, outcome, str(one.error), now)


def _keep(session: Session, one: Sending, outcome: Outcome, error: str, now: datetime) -> None:
    ids, user = one.shipment.ids, one.channel_user_id
    if outcome is Outcome.LOST:
        deliveries.lost(session, user, ids)
    elif outcome is Outcome.DEAD and one.verdict is Verdict.RETRY and not one.sent:
        deliveries.bury(session, ids[:1], now=now, error=error)  # which of them it was is not known
        deliveries.afresh(session, ids[1:], now=now)
    elif outcome is Outcome.DEAD:
        deliveries.bury(session, ids, now=now, error=error, count=one.sent)
    elif outcome is Outcome.PARKED:
        left = windows.remaining(session, user, now)
        if left is not None and left.left != 0:  # the user has written while we asked
            deliveries.failed(session, ids, now=now, error=error, wait=timedelta(0))
        else:
            deliveries.park(session, user, ids)
    elif outcome is Outcome.AGAIN:
        deliveries.failed(session, ids, now=now, error=error, wait=timedelta(0))
    else:
        wait = RATE_PAUSE if one.verdict is Verdict.RATE else None
        deliveries.failed(session, ids, now=now, error=error, wait=wait)


def _never_taken(one: Sending, habits: Habits) -> bool:
    """Tell whether the first of a shipment has been refused so often that it must be the message itself."""
    first = one.shipment.chosen[0]
    tried = first.delivery.attempts + 1
    takes = habits.taken_at is not None and one.called_at - habits.taken_at < TAKES_OTHERS
    long = one.called_at - first.delivery.created_at > TRIED_FOR
    return tried >= TRIES_AT_ALL or (tried >= TRIES and takes and long)


def _without_menus(one: Sending, habits: Habits) -> Outcome:
    if one.shipment.menu:
        habits.menus = False  # this account may not: links in a text will do
        return Outcome.AGAIN
    return Outcome.PUT_OFF


def _narrower(one: Sending, habits: Habits) -> Outcome:
    first = one.shipment.chosen[0].delivery
    limit = habits.narrow.get(first.id, LIMIT) // 2
    if limit < NARROWEST or first.part:
        return Outcome.DEAD
    habits.narrow[first.id] = limit
    return Outcome.AGAIN
