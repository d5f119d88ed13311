"""How far a campaign reaches: the customers of each group, who of them agreed, and who is told (core.campaign)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.fields import Keyring
from core.portrait.tables import Portrait, PortraitEvent
from core.proactive.choices import CUSTOMER
from core.proactive.tables import OFFER, Choice
from core.recommend.choosing import held_out
from core.recommend.rules import Rules
from core.recommend.tables import ALL, Refusal
from core.segment.runs import published
from core.segment.standing import counts_from, standing_of
from core.segment.tables import SEGMENTS, SegmentRun

STEP = 500
_RANK = {name: place for place, name in enumerate(SEGMENTS)}


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
    sizes = _sizes(session, run)
    found = {name: Reach(name, sizes.get(name, 0)) for name in SEGMENTS if name in segments}
    told: list[str] = []
    for numbers in _agreed(session):
        shut = set(
            session.scalars(select(Refusal.customer_no).where(Refusal.customer_no.in_(numbers), Refusal.kind == ALL))
        )
        for number, segment in _segments(session, run, numbers).items():
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
    rank = func.min(case(_RANK, value=Portrait.segment))
    mine = select(Portrait.customer_no, rank.label("rank")).where(
        Portrait.run_id == run.id, Portrait.segment.is_not(None)
    ).group_by(Portrait.customer_no).subquery()  # fmt: skip
    query = select(mine.c.rank, func.count()).group_by(mine.c.rank)
    return {SEGMENTS[place]: count for place, count in session.execute(query) if place is not None}


def _agreed(session: Session) -> Iterator[list[str]]:
    """Yield the customers who switched offers on, some hundred at a time."""
    after = CUSTOMER
    while True:
        query = select(Choice.subject).where(
            Choice.kind == OFFER, Choice.wanted, Choice.subject > after, Choice.subject.startswith(CUSTOMER)
        )
        subjects = list(session.scalars(query.order_by(Choice.subject).limit(STEP)))
        if not subjects:
            return
        yield [one.removeprefix(CUSTOMER) for one in subjects]
        after = subjects[-1]


def _segments(session: Session, run: SegmentRun, numbers: Sequence[str]) -> dict[str, str]:
    """Return the segment of each of these customers: by the run, and by what has happened to them since."""
    rank = func.min(case(_RANK, value=Portrait.segment))
    mine = Portrait.run_id == run.id, Portrait.customer_no.in_(numbers)
    query = select(Portrait.customer_no, rank).where(*mine, Portrait.segment.is_not(None))
    found = {number: SEGMENTS[place] for number, place in session.execute(query.group_by(Portrait.customer_no))}
    since = PortraitEvent.at >= counts_from(run.as_of)
    named = select(PortraitEvent.customer_no).where(PortraitEvent.customer_no.in_(numbers), since)
    by_account = select(Portrait.customer_no).join(
        PortraitEvent, (PortraitEvent.account_no == Portrait.account_no) & since
    )
    changed = {one for one in session.scalars(named) if one is not None} | set(session.scalars(by_account.where(*mine)))
    for number in changed:
        accounts = session.scalars(select(Portrait.account_no).where(mine[0], Portrait.customer_no == number)).all()
        now_in = standing_of(session, customer_no=number, account_nos=accounts).segment
        if now_in is None:
            found.pop(number, None)
        else:
            found[number] = now_in
    return found
