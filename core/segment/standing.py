"""To which segment somebody belongs now: the published run, and what happened since. Never told to them.

Cheap: three look-ups by index, and no numpy, so that the bridge and the actions may ask at every message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.portrait.tables import Portrait, PortraitEvent
from core.segment.runs import published_day
from core.segment.tables import HIGH_RISK, SEGMENTS

_CLEARED, _GIVEN_UP = "cleared", "given_up"
_NOBODYS: Mapping[str, str] = {}
NEW = "new"


class _Placed(NamedTuple):
    """What is asked of a portrait at every message; its fifty figures are not."""

    account_no: str
    customer_no: str
    segment: str | None
    tags: list[str]
    thin: str | None


@dataclass(frozen=True)
class AccountStanding:
    """One account; `thin` says why its use cannot be told (new, vacant, gaps), None where it can.

    `known`: the published run has its portrait, and it is not that of an earlier holder.
    """

    account_no: str
    segment: str | None
    tags: tuple[str, ...]
    thin: str | None
    known: bool = True


@dataclass(frozen=True)
class Standing:
    """A customer: the strongest segment of the accounts, all their tags; `thin`: of none of them is enough known."""

    segment: str | None
    tags: tuple[str, ...]
    thin: bool
    run_id: int | None
    accounts: tuple[AccountStanding, ...]


def standing_of(
    session: Session, *, customer_no: str | None, account_nos: Sequence[str] = (), holders: Mapping[str, str] = _NOBODYS
) -> Standing:
    """Return where a customer stands: by number, with further accounts that are known to be theirs.

    Without a published run only events count; of somebody quite unknown the segment is None. What is known of an
    account under another number is its earlier holder's: to whoever took it over it is a new one, and whoever gave it
    up has it no more. `holders`: whose accounts are, where it is known, of somebody without a number.
    """

    def theirs(account_no: str, otherwise: str | None) -> str | None:
        return customer_no or holders.get(account_no, otherwise)

    run_id, as_of = published_day(session) or (None, None)
    rows = _portraits(session, run_id, customer_no, account_nos) if run_id is not None else []
    happened = _events(session, as_of, customer_no, account_nos)
    gone = {(event.account_no, event.customer_no) for event in happened if event.kind == _GIVEN_UP}

    def counts(event: PortraitEvent) -> bool:
        who = theirs(event.account_no, None)
        if who is None:  # nobody is asked for by name: what was the earlier holder's is out
            return (event.account_no, event.customer_no) not in gone
        return event.account_no not in taken_over or event.customer_no == who

    known = {
        row.account_no: row for row in rows
        if row.customer_no == theirs(row.account_no, row.customer_no) and (row.account_no, row.customer_no) not in gone
    }  # fmt: skip
    taken_over = {row.account_no for row in rows} - set(known)
    events = [event for event in happened if event.kind != _GIVEN_UP and counts(event)]
    every = dict.fromkeys([row.account_no for row in rows] + [event.account_no for event in events])
    numbers = [number for number in every if (number, theirs(number, None)) not in gone]
    accounts = tuple(
        _account(number, known.get(number), [event for event in events if event.account_no == number])
        for number in numbers
    )
    return Standing(
        segment=strongest(one.segment for one in accounts),
        tags=tuple(dict.fromkeys(tag for one in accounts for tag in one.tags)),
        thin=all(one.thin is not None for one in accounts),
        run_id=run_id,
        accounts=accounts,
    )


def strongest(segments: Iterable[str | None]) -> str | None:
    """Return the segment with the strongest claim, None if there is none.

    One that this process does not know (a newer one has published it) claims nothing: no turn may fail for it.
    """
    found = [one for one in segments if one in SEGMENTS]
    return min(found, key=SEGMENTS.index) if found else None


def counts_from(as_of: date) -> datetime:
    """Return the instant from which on events are not in the portraits of a run yet."""
    return datetime.combine(as_of, time(), SHANGHAI)


def after_events(segment: str | None, events: Iterable[PortraitEvent]) -> str | None:
    """Return the segment of an account after what happened to it, oldest first.

    Settled arrears take an account out of high risk, to what it would be without them; nothing else makes a segment
    weaker.
    """
    for event in events:
        if event.kind == _CLEARED:
            segment = event.segment if segment == HIGH_RISK else segment
        else:
            segment = strongest((segment, event.segment))
    return segment


def _account(number: str, row: _Placed | None, events: Sequence[PortraitEvent]) -> AccountStanding:
    tags = [*(row.tags if row is not None else ()), *(tag for event in events for tag in event.tags)]
    return AccountStanding(
        account_no=number,
        segment=after_events(row.segment if row is not None else None, events),
        tags=tuple(dict.fromkeys(tags)),
        thin=row.thin if row is not None else NEW,
        known=row is not None,
    )


def _portraits(session: Session, run_id: int, customer_no: str | None, numbers: Sequence[str]) -> list[_Placed]:
    whose = [Portrait.customer_no == customer_no] if customer_no else []
    if numbers:
        whose.append(Portrait.account_no.in_(list(numbers)))
    if not whose:
        return []
    columns = (Portrait.account_no, Portrait.customer_no, Portrait.segment, Portrait.tags, Portrait.thin)
    query = select(*columns).where(Portrait.run_id == run_id, or_(*whose)).order_by(Portrait.account_id)
    return [_Placed(*row) for row in session.execute(query)]


def _events(
    session: Session, as_of: date | None, customer_no: str | None, numbers: Sequence[str]
) -> list[PortraitEvent]:
    whose = [PortraitEvent.customer_no == customer_no] if customer_no else []
    if numbers:
        whose.append(PortraitEvent.account_no.in_(list(numbers)))
    if not whose:
        return []
    query = select(PortraitEvent).where(or_(*whose)).order_by(PortraitEvent.at, PortraitEvent.id)
    if as_of is not None:
        query = query.where(PortraitEvent.at >= counts_from(as_of))
    return list(session.scalars(query))
