"""How far a campaign reaches: the customers of each group, who of them agreed, and who is told (core.campaign)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import case, func, select, union
from sqlalchemy.orm import Session

from core.fields import Keyring
from core.portrait.tables import Portrait, PortraitEvent
from core.proactive.choices import CUSTOMER
from core.proactive.tables import OFFER, Choice
from core.recommend.choosing import held_out
from core.recommend.refusals import refusing_all
from core.recommend.rules import Rules
from core.segment.runs import published
from core.segment.standing import after_events, counts_from, strongest
from core.segment.tables import SEGMENTS, SegmentRun

_STRONGEST = func.min(case({name: place for place, name in enumerate(SEGMENTS)}, value=Portrait.segment))
# The customers who switched offers on.
_WANTING = select(func.substr(Choice.subject, len(CUSTOMER) + 1)).where(
    Choice.kind == OFFER, Choice.wanted, Choice.subject.startswith(CUSTOMER)
)


class NoRun(Exception):
    """No run of the segmentation is published: there are no groups yet."""


@dataclass(frozen=True)
class Reach:
    """How many customers of one segment there are, who agreed, and of these were held out, refused, or are reached."""

    segment: str
    audience: int = 0
    consenting: int = 0
    held_out: int = 0
    refused: int = 0
    reached: int = 0


def reached(
    session: Session, rules: Rules, segments: Sequence[str], *, keyring: Keyring
) -> tuple[list[Reach], list[str]]:  # fmt: skip
    """Return how far a campaign reaches, and the numbers of the customers who are told.

    Raises:
        NoRun: if there are no groups yet.
    """
    run = published(session)
    if run is None:
        raise NoRun
    sizes, shut = _sizes(session, run), refusing_all(session)
    found = {name: Reach(name, sizes.get(name, 0)) for name in SEGMENTS if name in segments}
    told: list[str] = []
    for number, segment in _agreed(session, run).items():
        if segment not in found:
            continue
        out, refused = held_out(keyring, number, rules), number in shut
        told += [] if out or refused else [number]
        one = found[segment]
        found[segment] = replace(
            one, consenting=one.consenting + 1, held_out=one.held_out + out,
            refused=one.refused + (refused and not out), reached=one.reached + (not out and not refused),
        )  # fmt: skip
    return list(found.values()), told


def _sizes(session: Session, run: SegmentRun) -> dict[str, int]:
    """Return how many customers belong to each segment: to the strongest one of their accounts."""
    mine = select(Portrait.customer_no, _STRONGEST.label("rank")).where(
        Portrait.run_id == run.id, Portrait.segment.is_not(None)
    ).group_by(Portrait.customer_no).subquery()  # fmt: skip
    query = select(mine.c.rank, func.count()).group_by(mine.c.rank)
    return {SEGMENTS[place]: count for place, count in session.execute(query) if place is not None}


def _agreed(session: Session, run: SegmentRun) -> dict[str, str]:
    """Return the segment of each customer who switched offers on: by the run, and by what has happened since.

    As `core.segment.standing.standing_of` says it of each, in a number of statements that does not grow with them.
    """
    query = select(Portrait.customer_no, _STRONGEST).where(
        Portrait.run_id == run.id, Portrait.segment.is_not(None), Portrait.customer_no.in_(_WANTING)
    )
    rows = session.execute(query.group_by(Portrait.customer_no))
    found = {number: SEGMENTS[place] for number, place in rows if place is not None}
    happened, wanting = _happened(session, run), set(session.scalars(_WANTING))
    for number, accounts in _held(session, run, happened).items():
        if number not in wanting:
            continue
        segment = strongest(after_events(was, happened[number].get(one, ())) for one, was in accounts.items())
        found.pop(number, None)
        if segment is not None:
            found[number] = segment
    return dict(sorted(found.items()))


def _happened(session: Session, run: SegmentRun) -> dict[str, dict[str, list[PortraitEvent]]]:
    """Return what has happened since the run to those who want offers (and some more), by customer and account."""
    holds = (Portrait.account_no == PortraitEvent.account_no) & (Portrait.run_id == run.id)
    theirs = PortraitEvent.customer_no.in_(_WANTING) | Portrait.customer_no.in_(_WANTING)
    query = select(PortraitEvent, Portrait.customer_no).outerjoin(Portrait, holds).where(
        PortraitEvent.at >= counts_from(run.as_of), theirs
    )  # fmt: skip
    found: dict[str, dict[str, list[PortraitEvent]]] = {}
    for event, holder in session.execute(query.order_by(PortraitEvent.at, PortraitEvent.id)):
        for number in {one for one in (event.customer_no, holder) if one is not None}:
            found.setdefault(number, {}).setdefault(event.account_no, []).append(event)
    return found


def _held(
    session: Session, run: SegmentRun, happened: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, str | None]]:  # fmt: skip
    """Return the accounts of these customers with the segment of the run; None of those that are not theirs in it."""
    since = PortraitEvent.at >= counts_from(run.as_of)
    named = select(PortraitEvent.customer_no).where(since)
    holds = PortraitEvent.account_no == Portrait.account_no
    holding = select(Portrait.customer_no).join(PortraitEvent, holds).where(Portrait.run_id == run.id, since)
    query = select(Portrait.customer_no, Portrait.account_no, Portrait.segment).where(
        Portrait.run_id == run.id, Portrait.customer_no.in_(union(named, holding))
    )
    found: dict[str, dict[str, str | None]] = {number: dict.fromkeys(there) for number, there in happened.items()}
    for number, account_no, segment in session.execute(query):
        if number in found:
            found[number][account_no] = segment
    return found
