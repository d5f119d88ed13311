"""What the board of the network is made of, read once, for the days asked for and as many before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core.insight.arrivals import Arrival, arrivals_of
from core.insight.kpi import Asked, Sources
from core.insight.network_items import AGAIN, UNPLANNED, Dark, OutageItem, Report, Subscriber
from core.insight.spans import Span
from core.insight.words import Words
from core.network import TRANSFORMER, NetworkNode, SupplyPoint
from core.notice import Notice
from core.outage import PLANNED, Outage, OutageNode, OutageReport, OutageSubscriber

_NOTICE = "outage:"  # keys of what subscribers are told begin so, then the outage's id


@dataclass(frozen=True)
class Grid:
    """The network: what each node takes down with it, and how many accounts each transformer supplies."""

    nodes: Mapping[str, NetworkNode]
    below: Mapping[str, frozenset[str]]
    accounts: Mapping[str, int]

    @classmethod
    def read(cls, session: Session) -> Grid:
        """Read it."""
        nodes = {one.code: one for one in session.scalars(select(NetworkNode))}
        below: defaultdict[str, set[str]] = defaultdict(set)
        for node in nodes.values():
            if node.kind == TRANSFORMER:
                for code in _upwards(nodes, node.code):
                    below[code].add(node.code)
        query = select(SupplyPoint.transformer_code, func.count(SupplyPoint.account_no))
        counts = {row[0]: row[1] for row in session.execute(query.group_by(SupplyPoint.transformer_code))}
        return cls(nodes, {code: frozenset(ones) for code, ones in below.items()}, counts)

    def transformers(self, codes: Iterable[str]) -> frozenset[str]:
        """Return the transformers that lose power when these nodes do."""
        return frozenset[str]().union(*(self.below.get(code, frozenset()) for code in codes))


@dataclass(frozen=True)
class NetworkFacts:
    """The facts; each property reads its database when it is first asked for."""

    sources: Sources
    asked: Asked
    words: Words

    @cached_property
    def outages(self) -> list[OutageItem]:
        """All outages that began in these days or are to, were under way, or may make one a repetition."""
        window, since = self.asked.window, self.asked.window.start - AGAIN
        with self.sources.workorder.reading() as session:
            query = select(Outage).where(Outage.started_at < window.end)
            recent = or_(Outage.started_at >= since, Outage.restored_at >= window.start, _may_go_on(window.start))
            rows = session.scalars(query.where(recent).order_by(Outage.started_at, Outage.id)).all()
            wanted = select(OutageNode.outage_id, OutageNode.node_code).join(Outage, Outage.id == OutageNode.outage_id)
            codes: defaultdict[int, list[str]] = defaultdict(list)
            for number, code in session.execute(wanted.where(Outage.started_at < window.end, recent)):
                codes[number].append(code)
        return _again([self._item(row, codes[row.id]) for row in rows])

    @cached_property
    def reports(self) -> list[Report]:
        """Reports of these days."""
        window = self.asked.window
        query = (
            select(
                OutageReport.at, OutageReport.id, OutageReport.conversation_id, OutageReport.area,
                func.coalesce(NetworkNode.district, Outage.district), Outage.outage_no, OutageReport.order_no,
            )
            .outerjoin(Outage, Outage.id == OutageReport.outage_id)
            .outerjoin(NetworkNode, NetworkNode.code == OutageReport.transformer_code)
            .where(OutageReport.at >= window.start, OutageReport.at < window.end)
        )  # fmt: skip
        with self.sources.workorder.reading() as session:
            return [Report(*row) for row in session.execute(query.order_by(OutageReport.at, OutageReport.id))]

    @cached_property
    def subscribers(self) -> list[Subscriber]:
        """Who asked in these days to be told."""
        window = self.asked.window
        query = (
            select(
                OutageSubscriber.since, OutageSubscriber.id, OutageSubscriber.conversation_id, Outage.outage_no,
                Outage.state, Outage.id,
            )
            .join(Outage, Outage.id == OutageSubscriber.outage_id)
            .where(OutageSubscriber.since >= window.start, OutageSubscriber.since < window.end)
        )  # fmt: skip
        with self.sources.workorder.reading() as session:
            told = _told(session, window)
            return [
                Subscriber(since, number, talk, outage_no, state in ("restored", "cancelled"), told[outage, talk])
                for since, number, talk, outage_no, state, outage in session.execute(query)
            ]

    @cached_property
    def arrivals(self) -> list[Arrival]:
        """Arrival clocks of the orders opened in these days for which an arrival was promised, where it is known."""
        found = arrivals_of(self.sources, self.asked.window, now=self.asked.now)
        return [one for one in found if one.area_class is not None]

    @cached_property
    def grid(self) -> Grid:
        """The network."""
        with self.sources.workorder.reading() as session:
            return Grid.read(session)

    def moment(self, span: Span) -> datetime:
        """Return the end of these days, at most the present."""
        return min(span.end, self.asked.now)

    def under_way(self, span: Span) -> list[OutageItem]:
        """Return the outages that were under way at the end of these days."""
        return [one for one in self.outages if one.under_way(self.moment(span))]

    def dark(self, span: Span) -> list[Dark]:
        """Return the transformers without power at the end of these days, each once."""
        found: dict[str, Dark] = {}
        for one in self.under_way(span):
            for code in sorted(one.transformers - set(found)):
                node = self.grid.nodes[code]
                found[code] = Dark(
                    one.at, code, node.name, node.district, one.outage_no, self.grid.accounts.get(code, 0)
                )
        return list(found.values())

    def _item(self, row: Outage, codes: Iterable[str]) -> OutageItem:
        transformers = self.grid.transformers(codes)
        return OutageItem(
            row.id, row.outage_no, row.kind, row.state, row.cause, row.area, row.district, row.area_class,
            row.started_at, row.expected_at, row.expected_said_at, row.restored_at, transformers,
            sum(self.grid.accounts.get(code, 0) for code in transformers), again=False, now=self.asked.now,
        )  # fmt: skip


def within(name: str) -> Callable[[NetworkFacts, Span], Iterator[Any]]:
    """Return the selection of the facts of this name that are of the days asked for."""

    def items(facts: NetworkFacts, span: Span) -> Iterator[Any]:
        return (one for one in getattr(facts, name) if span.holds(one.at))

    return items


def _again(found: list[OutageItem]) -> list[OutageItem]:
    """Mark the unplanned outages that took down what another one had taken down shortly before; oldest first."""
    marked: list[OutageItem] = []
    seen: defaultdict[str, list[datetime]] = defaultdict(list)
    for one in found:
        if one.kind in UNPLANNED and one.begun:
            before = [at for code in one.transformers for at in seen[code]]
            one = replace(one, again=any(one.at - at <= AGAIN for at in before))
            for code in one.transformers:
                seen[code].append(one.at)
        marked.append(one)
    return marked


def _upwards(nodes: Mapping[str, NetworkNode], code: str) -> Iterator[str]:
    seen: set[str] = set()
    at: str | None = code
    while at is not None and at in nodes and at not in seen:
        seen.add(at)
        yield at
        at = nodes[at].parent_code


def _may_go_on(moment: datetime) -> ColumnElement[bool]:
    """Tell what nobody has said to be over and may be under way at a moment or later (`OutageItem.under_way`)."""
    no_plan = or_(Outage.state != PLANNED, Outage.expected_at.is_(None), Outage.expected_at > moment)
    return and_(Outage.restored_at.is_(None), Outage.state != "cancelled", no_plan)


def _told(session: Session, window: Span) -> Counter[tuple[int, str]]:
    """Return how many notices of an outage who asked in these days was given, by outage and conversation."""
    asking = select(OutageSubscriber.conversation_id).where(
        OutageSubscriber.since >= window.start, OutageSubscriber.since < window.end
    )  # leads into the index of notices, which their keys do not
    query = select(Notice.key, Notice.conversation_id).where(
        Notice.conversation_id.in_(asking), Notice.key.startswith(_NOTICE, autoescape=True),
        Notice.delivered_at.is_not(None),
    )  # fmt: skip
    found: Counter[tuple[int, str]] = Counter()
    for key, talk in session.execute(query):
        number = key.split(":", 2)[1]
        if number.isdigit():
            found[int(number), talk] += 1
    return found
