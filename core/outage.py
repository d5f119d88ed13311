"""Outages (停电): what is out or planned where, who reported it, and whom to tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from core.clock import SHANGHAI
from core.db import Instant, WorkOrderBase
from core.network import NetworkNode, node_of, with_feeds
from core.place import Place

PLANNED, TEMPORARY, FAULT, LIMIT = KINDS = ("planned", "temporary", "fault", "limit")
# `planned` lies ahead or runs by its times; `suspected` rests on customers' reports, `confirmed` on the crew's word.
STATES = ("suspected", "confirmed", "planned", "active", "restored", "cancelled")
_UNDER_WAY = ("active", "confirmed", "suspected")  # the surest first
PLAN_DAYS = 7
_TRIES = 8


class NoNumber(Exception):
    """Too many outages were opened at the same moment for this one to get a number."""


class Outage(WorkOrderBase):
    """One interruption of supply; `cause` is a code whose wording stands in data/phrases/outage.yaml."""

    __tablename__ = "outages"
    __table_args__ = (Index("ix_outages_state", "state", "started_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    outage_no: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    cause: Mapped[str | None] = mapped_column(String(24))
    area: Mapped[str] = mapped_column(String(200))
    district: Mapped[str] = mapped_column(String(40), index=True)
    area_class: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[datetime] = mapped_column(Instant)
    expected_at: Mapped[datetime | None] = mapped_column(Instant)
    expected_said_at: Mapped[datetime | None] = mapped_column(Instant)  # how old the expected time is
    restored_at: Mapped[datetime | None] = mapped_column(Instant)
    note: Mapped[str | None] = mapped_column(String(200))
    nodes: Mapped[list[OutageNode]] = relationship(cascade="all, delete-orphan")

    @property
    def is_over(self) -> bool:
        """Whether it can no longer change."""
        return self.state in ("restored", "cancelled")


class OutageNode(WorkOrderBase):
    """A node of the network that an outage takes down, with all below it."""

    __tablename__ = "outage_nodes"
    outage_id: Mapped[int] = mapped_column(ForeignKey("outages.id"), primary_key=True)
    node_code: Mapped[str] = mapped_column(ForeignKey("network_nodes.code"), primary_key=True, index=True)


class OutageReport(WorkOrderBase):
    """A customer's word that there is no power; `transformer_code` is empty where the place is not known so well."""

    __tablename__ = "outage_reports"
    __table_args__ = (Index("ix_outage_reports_where", "transformer_code", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    outage_id: Mapped[int | None] = mapped_column(ForeignKey("outages.id"), index=True)
    transformer_code: Mapped[str | None] = mapped_column(ForeignKey("network_nodes.code"))
    area: Mapped[str | None] = mapped_column(String(120))  # of a known place alone: free text stays with the order
    building: Mapped[str | None] = mapped_column(String(30))
    premises: Mapped[str] = mapped_column(String(60))
    account_no: Mapped[str | None] = mapped_column(String(13))
    order_no: Mapped[str | None] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Instant)


class OutageSubscriber(WorkOrderBase):
    """A conversation that is told how an outage goes on."""

    __tablename__ = "outage_subscribers"
    __table_args__ = (UniqueConstraint("outage_id", "conversation_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    outage_id: Mapped[int] = mapped_column(ForeignKey("outages.id"))
    conversation_id: Mapped[str] = mapped_column(String(36))
    since: Mapped[datetime] = mapped_column(Instant)


def outage_at(session: Session, place: Place, now: datetime) -> Outage | None:
    """Return the outage that is under way at the place, the surest one if there are several.

    A planned one is under way between its times; whoever runs the network says when it takes longer.
    """
    found = [one for one in _touching(session, place) if _is_under_way(one, now)]
    return min(found, key=lambda one: (_rank(one), one.started_at, one.id), default=None)


def planned_for(session: Session, place: Place, now: datetime, *, days: int = PLAN_DAYS) -> list[Outage]:
    """Return the planned and temporary outages of the place that begin within so many days, the next one first."""
    until = now + timedelta(days=days)
    return [one for one in _touching(session, place) if one.state == "planned" and now < one.started_at <= until]


def outages_in(session: Session, district: str, now: datetime, *, days: int = PLAN_DAYS) -> list[Outage]:
    """Return what is under way or begins within so many days anywhere in a district; reports alone do not count."""
    query = select(Outage).where(Outage.district == district).order_by(Outage.started_at, Outage.id)
    until = now + timedelta(days=days)
    return [
        one
        for one in session.scalars(query)
        if one.state != "suspected"
        and (_is_under_way(one, now) or (one.state == "planned" and now < one.started_at <= until))
    ]


def open_outage(
    session: Session, codes: Sequence[str], *, kind: str, state: str, started_at: datetime, now: datetime,
    cause: str | None = None, expected_at: datetime | None = None, area: str | None = None, note: str | None = None,
) -> Outage:  # fmt: skip
    """Write an outage of these nodes.

    Raises:
        core.network.UnknownNode: if a node is not there.
        ValueError: if there is no node, the kind or state is unknown, or it ends before it begins.
    """
    if not codes or kind not in KINDS or state not in STATES:
        raise ValueError(f"no outage of kind {kind} and state {state} with {len(codes)} nodes")
    if expected_at is not None and expected_at <= started_at:
        raise ValueError("it ends before it begins")
    nodes = [node_of(session, code) for code in dict.fromkeys(codes)]
    for _ in range(_TRIES):
        outage = Outage(
            outage_no=_next_no(session, now), kind=kind, state=state, cause=cause, district=nodes[0].district,
            area=area or area_of(nodes), area_class=nodes[0].area_class, started_at=started_at, note=note,
            expected_at=expected_at, expected_said_at=now if expected_at else None,
            nodes=[OutageNode(node_code=node.code) for node in nodes],
        )  # fmt: skip
        try:
            with session.begin_nested():
                session.add(outage)
        except IntegrityError:
            continue  # another outage took the number at the same moment
        return outage
    raise NoNumber(f"no free number in {_TRIES} tries")


def area_of(nodes: Iterable[NetworkNode]) -> str:
    """Return what the nodes supply, each area once: 江岸区听涛苑（1到9栋）、江岸区解放大道."""
    parts: dict[str, list[str]] = {}
    for node in nodes:
        parts.setdefault(node.area, []).append(node.reach)
    return "、".join(reaches[0] if len(reaches) == 1 else area for area, reaches in parts.items())[:200]


def subscribe(session: Session, outage: Outage, conversation_id: str, *, now: datetime) -> None:
    """Let a conversation be told how the outage goes on; once is enough."""
    known = select(OutageSubscriber.id).where(
        OutageSubscriber.outage_id == outage.id, OutageSubscriber.conversation_id == conversation_id
    )
    if session.scalar(known) is None:
        session.add(OutageSubscriber(outage_id=outage.id, conversation_id=conversation_id, since=now))
        session.flush()


def subscribers(session: Session, outage: Outage) -> list[str]:
    """Return the conversations to be told, the longest waiting first."""
    query = select(OutageSubscriber.conversation_id).where(OutageSubscriber.outage_id == outage.id)
    return list(session.scalars(query.order_by(OutageSubscriber.id)))


def _touching(session: Session, place: Place) -> list[Outage]:
    if not place.known:
        return []
    query = (
        select(Outage)
        .join(OutageNode, OutageNode.outage_id == Outage.id)
        .where(OutageNode.node_code.in_(with_feeds(session, place.codes)))
        .where(Outage.state.not_in(("restored", "cancelled")))
        .order_by(Outage.started_at, Outage.id)
    )
    return list(dict.fromkeys(session.scalars(query)))


def _is_under_way(outage: Outage, now: datetime) -> bool:
    if outage.state == "planned":
        return outage.started_at <= now and (outage.expected_at is None or now < outage.expected_at)
    return outage.state in _UNDER_WAY and outage.started_at <= now


def _rank(outage: Outage) -> int:
    return _UNDER_WAY.index(outage.state) if outage.state in _UNDER_WAY else 0


def _next_no(session: Session, now: datetime) -> str:
    """Return the next number of the day: T, eight digits of the date in Shanghai and four that count up."""
    day = "T" + now.astimezone(SHANGHAI).strftime("%Y%m%d")
    last = session.scalar(select(func.max(Outage.outage_no)).where(Outage.outage_no.like(f"{day}%")))
    return f"{day}{int(last[9:]) + 1 if last else 1:04d}"
