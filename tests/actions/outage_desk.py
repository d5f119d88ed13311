"""A desk whose work-order database holds the network of the demonstration region with its outages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from actions_desk import KEY, NOW, Desk, Said
from sqlalchemy import select

from core.db import Database
from core.identity import Identity, issue_identity
from core.network import SupplyPoint, below
from core.outage import Outage, OutageReport, outage_at, planned_for
from core.place import Place, locate
from core.work_order import WorkOrder

REPORT, QUERY, RECONNECT, FAULT = (
    "action_report_outage", "action_query_outage", "action_ask_reconnection", "action_report_fault",
)  # fmt: skip
INFORM, AFFIRM = "action_inform", "action_affirm"


@dataclass(frozen=True)
class Grid:
    """A desk whose work-order database holds the network, and its own SQL."""

    desk: Desk

    @property
    def workorder(self) -> Database:
        return self.desk.services.workorder

    def say(self, name: str, *accounts: str, after: Said | None = None, **more: Any) -> Said:
        """Say something; slots carry over from the reply before."""
        if after is not None:
            more["slots"] = {**more.pop("slots", {}), **after.slots}
        return self.desk.ask(name, *accounts, **more)

    def press(self, after: Said, title: str, *accounts: str, **more: Any) -> Said:
        """Press a button of the reply that gives one value."""
        payload = dict(after.buttons)[title]
        values = json.loads(payload.removeprefix("/inform"))
        entities = [{"entity": name, "value": value} for name, value in values.items()]
        return self.say(INFORM, *accounts, after=after, text=payload, entities=entities, **more)

    def outages(self, state: str) -> list[Outage]:
        with self.workorder.reading() as session:
            return list(session.scalars(select(Outage).where(Outage.state == state).order_by(Outage.id)))

    def orders(self) -> list[WorkOrder]:
        with self.workorder.reading() as session:
            return list(session.scalars(select(WorkOrder).order_by(WorkOrder.id)))

    def reports(self, conversation: str = "c1") -> list[OutageReport]:
        with self.workorder.reading() as session:
            return list(session.scalars(select(OutageReport).where(OutageReport.conversation_id == conversation)))

    def account(self, where: str, *, quiet: bool = True, area: str | None = None) -> str:
        """Return an open account with nothing under way or planned at its place."""
        numbers = self.desk.sql(f"select account_no from accounts a where closed_on is null and {where} order by id")
        with self.workorder.reading() as session:
            for (number,) in numbers:
                place = locate(session, account_no=number)
                assert isinstance(place, Place)
                busy = outage_at(session, place, NOW) or planned_for(session, place, NOW)
                if place.owner == "grid" and bool(busy) != quiet and (area is None or place.area_class == area):
                    return str(number)
        raise LookupError(where)

    def supplied_by(self, outage: Outage) -> str:
        """Return an open account that is out."""
        with self.workorder.reading() as session:
            codes = [node.code for node in below(session, [one.node_code for one in session.merge(outage).nodes])]
            query = select(SupplyPoint.account_no).where(SupplyPoint.transformer_code.in_(codes))
            return str(session.scalars(query.order_by(SupplyPoint.id)).first())


SETTLED = (
    "not prepaid and user_class = 'residential' and not exists (select 1 from bills b where b.account_id = a.id"
    " and b.amount - (select coalesce(sum(p.amount), 0) from payments p where p.bill_id = b.id"
    " and status = 'succeeded') > 0.001)"
)


def address(value: str) -> list[dict[str, Any]]:
    return [{"entity": "address", "value": value}]


def a_quiet_compound(grid: Grid) -> str:
    """Return a compound of the city without any outage."""
    with grid.workorder.reading() as session:
        for name in ("江岸区听涛苑", "汉阳区知音苑", "武昌区沙湖岸", "洪山区书城苑", "江汉区万松里"):
            place = locate(session, address_text=name)
            assert isinstance(place, Place)
            if not outage_at(session, place, NOW) and not planned_for(session, place, NOW) and place.owner == "grid":
                return name
    raise LookupError


def anonymous(number: int) -> str:
    return issue_identity(KEY, Identity(f"c{number}", None, (), 0, "web"), now=NOW)
