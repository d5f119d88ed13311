"""Whether somebody was on the spot in time: the arrival clocks of field orders, as two boards show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import select

from core.handoff.figures import HOURS, Calendars, arrivals
from core.insight.kpi import Sources
from core.insight.spans import Span
from core.promise import Commitments
from core.service_clock import Figure
from core.work_order import OrderEvent, WorkOrder

_THERE = ("arrived", "working")  # where arrival was not noted, whoever works is there
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Arrival:
    """The arrival clock of one order; `there`: somebody came, which a clock that stopped does not tell."""

    at: datetime  # when the order was filed
    order_no: str
    district: str | None
    area_class: str | None
    figure: Figure
    there: bool

    @property
    def key(self) -> str:
        """The number of the order."""
        return self.order_no

    @property
    def kept(self) -> bool | None:
        """Whether somebody was there in time, None while it runs and where nothing was promised."""
        return {"met": True, "breached": False}.get(self.figure.state)

    @property
    def arrived_at(self) -> datetime | None:
        """When somebody was there."""
        return self.figure.stopped_at if self.there else None

    @property
    def minutes(self) -> float | None:
        """After how many minutes somebody was there, where a time was promised."""
        return self.figure.elapsed / _MINUTE if self.arrived_at is not None and self.kept is not None else None


def arrivals_of(sources: Sources, span: Span, *, now: datetime) -> list[Arrival]:
    """Return the arrival clocks of the orders opened in these days for which an arrival was promised."""
    with sources.bridge.reading() as session:
        calendars = Calendars.read(session, sources.data_dir / "desk" / f"{HOURS}.yaml")
    commitments = commitments_of(sources.data_dir)
    came = (
        select(OrderEvent.order_id)
        .where(OrderEvent.kind == "state", OrderEvent.values["to"].as_string().in_(_THERE))
        .where(OrderEvent.order_id == WorkOrder.id)
        .exists()
    )
    query = select(WorkOrder.opened_at, WorkOrder.order_no, WorkOrder.district, WorkOrder.area_class, came).where(
        WorkOrder.opened_at >= span.start, WorkOrder.opened_at < span.end
    )
    with sources.workorder.reading() as session:
        found = arrivals(session, commitments, calendars, span.start, span.end, now=now)
        return [
            Arrival(at, order_no, district, area_class, found[order_no], there)
            for at, order_no, district, area_class, there in session.execute(query) if order_no in found
        ]  # fmt: skip


@cache
def commitments_of(data_dir: Path) -> Commitments:
    """Read what the company commits itself to; raises pydantic.ValidationError."""
    return Commitments.load(data_dir / "promises.yaml")
