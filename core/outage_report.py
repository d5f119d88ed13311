"""Customers' reports that there is no power, and when they make a suspected outage.

A report never files an order by itself; three reports from different premises below one transformer within half an
hour open a *suspected* outage of that transformer, once, also when they arrive at the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.network import NetworkNode
from core.outage import FAULT, Outage, OutageReport, open_outage, outage_at, subscribe
from core.place import Place

REPORT_WINDOW = timedelta(minutes=30)
REPORTS_FOR_AN_OUTAGE = 3


@dataclass(frozen=True)
class Reported:
    """What became of a report: the outage it belongs to, whether it opened it, and how many premises reported."""

    outage: Outage | None
    opened: bool
    count: int


def report(
    session: Session, place: Place, *, conversation_id: str, account_no: str | None, now: datetime,
    window: timedelta = REPORT_WINDOW, threshold: int = REPORTS_FOR_AN_OUTAGE, order_no: str | None = None,
) -> Reported:  # fmt: skip
    """Record that there is no power at a place; open a suspected outage when enough premises have said so.

    A conversation or premises that reported the place within the window count once. The transformers are locked, so
    that of reports that arrive together each sees the ones before it.
    """
    if place.known:
        query = select(NetworkNode.code).where(NetworkNode.code.in_(place.codes)).order_by(NetworkNode.code)
        session.execute(query.with_for_update(key_share=True))
    mine = _record(session, place, conversation_id, account_no, order_no, now, since=now - window)
    known = outage_at(session, place, now) if place.known else None
    if known is not None:
        mine.outage_id = known.id
        subscribe(session, known, conversation_id, now=now)
        mine_too = select(OutageReport).where(OutageReport.outage_id == known.id).order_by(OutageReport.id)
        return Reported(known, False, len(_premises_of(session.scalars(mine_too).all())))
    return _count(session, place, now, window, threshold)


def withdraw(session: Session, conversation_id: str) -> None:
    """Take back the reports of a conversation that belong to no outage: it was the customer's own switch."""
    query = select(OutageReport).where(OutageReport.conversation_id == conversation_id)
    for mine in session.scalars(query.where(OutageReport.outage_id.is_(None), OutageReport.order_no.is_(None))):
        session.delete(mine)
    session.flush()


def _record(
    session: Session, place: Place, conversation_id: str, account_no: str | None, order_no: str | None, now: datetime,
    *, since: datetime,
) -> OutageReport:  # fmt: skip
    """Return the report of this conversation on this place, a new one if its last one is too old."""
    area = place.area if place.known else None
    query = select(OutageReport).where(
        OutageReport.conversation_id == conversation_id, OutageReport.area == area, OutageReport.at > since
    )
    before = session.scalar(query.order_by(OutageReport.id.desc()).limit(1))
    if before is not None and not _is_settled(session, before):
        before.order_no = before.order_no or order_no
        before.premises = place.premises or before.premises
        before.transformer_code = place.code or before.transformer_code
        session.flush()
        return before
    mine = OutageReport(
        conversation_id=conversation_id, transformer_code=place.code, area=area, at=now, account_no=account_no,
        building=place.building if place.known else None, order_no=order_no,
        premises=place.premises or f"conversation:{conversation_id}",
    )  # fmt: skip
    session.add(mine)
    session.flush()
    return mine


def _is_settled(session: Session, mine: OutageReport) -> bool:
    """Tell whether the outage that a report belonged to is over: what is said now is news again."""
    outage = session.get(Outage, mine.outage_id) if mine.outage_id is not None else None
    return outage is not None and outage.is_over


def _count(session: Session, place: Place, now: datetime, window: timedelta, threshold: int) -> Reported:
    """Open an outage of the transformer that enough premises name; of all of them if nobody named a building."""
    most = 0
    for codes in [(code,) for code in place.codes]:
        reports = _reports(session, place, codes, now - window)
        count = len(_premises_of(reports))
        most = max(most, count)
        if count >= threshold:
            exact = any(one.transformer_code is not None for one in reports)
            outage = _open_suspected(session, codes if exact else place.codes, reports, now)
            return Reported(outage, True, count)
    return Reported(None, False, most)


def _reports(session: Session, place: Place, codes: Sequence[str], since: datetime) -> list[OutageReport]:
    """Return the reports below a transformer, those that named the compound alone included."""
    here = OutageReport.transformer_code.in_(codes)
    vague = (OutageReport.transformer_code.is_(None)) & (OutageReport.area == place.area)
    query = select(OutageReport).where(here | vague, OutageReport.at > since, OutageReport.outage_id.is_(None))
    return list(session.scalars(query.order_by(OutageReport.id)))


def _premises_of(reports: Sequence[OutageReport]) -> set[str]:
    """Return the premises that reported; a conversation that names several counts once."""
    first = {one.conversation_id: one.premises for one in reversed(reports)}
    return set(first.values())


def _open_suspected(session: Session, codes: Sequence[str], reports: Sequence[OutageReport], now: datetime) -> Outage:
    began = min(one.at for one in reports)
    outage = open_outage(session, codes, kind=FAULT, state="suspected", started_at=began, now=now)
    for one in reports:
        one.outage_id = outage.id
        subscribe(session, outage, one.conversation_id, now=now)
    session.flush()
    return outage
