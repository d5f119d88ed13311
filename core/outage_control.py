"""How an outage goes on, and who is told: each subscriber once for each piece of news, above all for another time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import notice, promise
from core.outage import Outage, OutageReport, subscribers
from core.promise import RESTORE, Promise, Subject

# What may follow what; `restored` and `cancelled` are the end.
NEXT: Mapping[str, tuple[str, ...]] = {
    "suspected": ("confirmed", "active", "restored", "cancelled"),
    "confirmed": ("active", "restored", "cancelled"),
    "planned": ("active", "restored", "cancelled"),
    "active": ("restored",),
    "restored": (),
    "cancelled": (),
}


class OutageNotFound(Exception):
    """No outage has this number."""


class WrongOutageState(Exception):
    """The outage is over, or its state cannot follow the present one."""


def outage_of(session: Session, outage_no: str) -> Outage:
    """Return an outage by its number, locked until the transaction ends.

    Raises:
        OutageNotFound: if there is none.
    """
    found = session.scalar(select(Outage).where(Outage.outage_no == outage_no).with_for_update())
    if found is None:
        raise OutageNotFound(outage_no)
    return found


def tell_expected(session: Session, outage: Outage, conversation_id: str, *, now: datetime) -> None:
    """Note that a conversation was told the expected time, so that it hears when that changes."""
    if outage.expected_at is not None:
        promise.tell(session, _subject(outage), RESTORE, outage.expected_at, conversation_id=conversation_id, now=now)


def expect(session: Session, outage: Outage, expected_at: datetime, *, now: datetime) -> int:
    """Set when power is expected back; return how many subscribers hear of it.

    Who was told another time hears that it has moved; who was told none gets the first one.

    Raises:
        WrongOutageState: if it is over.
        ValueError: if the time is not after the beginning.
    """
    if outage.is_over:
        raise WrongOutageState(outage.state)
    if expected_at <= outage.started_at:
        raise ValueError("power is expected back before it went")
    outage.expected_at, outage.expected_said_at = expected_at, now
    told = _told(session, outage)
    count = promise.move(session, _subject(outage), RESTORE, expected_at, now=now, values={"area": outage.area})
    values = {"area": outage.area, "due_at": expected_at.isoformat()}
    for conversation_id in subscribers(session, outage):
        if conversation_id not in told:
            key = f"outage:{outage.id}:expected:{int(expected_at.timestamp())}:{conversation_id}"
            count += notice.put(
                session, key=key, conversation_id=conversation_id, wording="outage_expected", values=values, now=now
            )
            promise.tell(session, _subject(outage), RESTORE, expected_at, conversation_id=conversation_id, now=now)
    return count


def reschedule(session: Session, outage: Outage, started_at: datetime, expected_at: datetime, *, now: datetime) -> int:
    """Move planned works to another time; return how many subscribers hear of it. The same times change nothing.

    Raises:
        WrongOutageState: if they are not planned any more, or have begun.
        ValueError: if they would end before they begin, or begin in the past.
    """
    if outage.state != "planned" or outage.started_at <= now:
        raise WrongOutageState(outage.state)
    if expected_at <= started_at or started_at <= now:
        raise ValueError("planned works lie ahead, and end after they begin")
    if (started_at, expected_at) == (outage.started_at, outage.expected_at):
        return 0
    outage.started_at, outage.expected_at, outage.expected_said_at = started_at, expected_at, now
    mark = f"moved:{int(started_at.timestamp())}-{int(expected_at.timestamp())}"
    values = {"started_at": started_at.isoformat(), "until_at": expected_at.isoformat()}
    promise.keep(session, _subject(outage), now=now)  # nobody is to hear of the end of the old time by itself
    count = _inform(session, outage, "outage_moved", now, mark=mark, **values)
    for conversation_id in subscribers(session, outage):
        tell_expected(session, outage, conversation_id, now=now)
    return count


def find_cause(session: Session, outage: Outage, cause: str, cause_text: str, *, now: datetime) -> int:
    """Set the cause (a code, and its words for the customers); return how many subscribers hear of it.

    Raises:
        WrongOutageState: if it is over.
    """
    if outage.is_over:
        raise WrongOutageState(outage.state)
    if outage.state == "suspected":
        outage.state = "confirmed"
    outage.cause = cause
    return _inform(session, outage, "outage_cause", now, mark=f"cause:{cause}", cause=cause_text)


def change_state(session: Session, outage: Outage, state: str, *, now: datetime) -> int:
    """Move an outage on; return how many subscribers hear of it. The state that it has already changes nothing.

    Raises:
        WrongOutageState: if the state cannot follow the present one.
    """
    if state == outage.state:
        return 0
    if state not in NEXT[outage.state]:
        raise WrongOutageState(f"{outage.state} → {state}")
    before, outage.state = outage.state, state
    if state == "restored":
        outage.restored_at = now
        promise.keep(session, _subject(outage), now=now)
        return _inform(session, outage, "outage_restored", now, restored_at=now.isoformat())
    if state == "cancelled":
        promise.keep(session, _subject(outage), now=now)
        return _inform(session, outage, "outage_cancelled", now)
    return _inform(session, outage, "outage_confirmed", now) if before == "suspected" else 0


def restore(session: Session, outage: Outage, *, now: datetime) -> int:
    """Power is back: tell all subscribers; return how many there are. Once more changes nothing."""
    return change_state(session, outage, "restored", now=now)


def has_order(session: Session, outage: Outage) -> bool:
    """Tell whether somebody who reported it has filed an order, so that a crew knows of it."""
    query = select(OutageReport.id).where(OutageReport.outage_id == outage.id, OutageReport.order_no.is_not(None))
    return session.scalar(query.limit(1)) is not None


def _inform(session: Session, outage: Outage, wording: str, now: datetime, *, mark: str = "", **values: str) -> int:
    named = mark or wording.removeprefix("outage_")
    return sum(
        notice.put(
            session, key=f"outage:{outage.id}:{named}:{conversation_id}"[:80], conversation_id=conversation_id,
            wording=wording, values={"area": outage.area, **values}, now=now,
        )
        for conversation_id in subscribers(session, outage)
    )  # fmt: skip


def _told(session: Session, outage: Outage) -> set[str]:
    """Return the conversations that were told a time which still stands."""
    query = select(Promise.conversation_id).where(
        Promise.subject_kind == "outage", Promise.subject_id == outage.id, Promise.kind == RESTORE,
        Promise.moved_to.is_(None), Promise.kept_at.is_(None), Promise.conversation_id.is_not(None),
    )  # fmt: skip
    return {str(one) for one in session.scalars(query)}


def _subject(outage: Outage) -> Subject:
    return Subject("outage", outage.id)
