"""Orders, outages and promises of the past: all over, most promises kept in time, some broken."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import promise
from core.business import Business
from core.clock import SHANGHAI
from core.fields import Keyring
from core.handoff import ledger
from core.handoff.tables import HandoffEvent
from core.outage import FAULT, Outage
from core.seed.history_data import Material
from core.seed.history_days import Dark
from core.seed.history_heard import SAID_AFTER
from core.seed.history_log import MARK, CaseLog
from core.seed.history_people import People
from core.seed.history_talk import Told
from core.work_order.tables import DANGER, STAFF, URGENT, WorkOrder, order_context
from core.working_time import deadline

_REPAIR = ("dispatched", "taken", "arrived", "working", "done", "closed")
_OTHER = ("dispatched", "taken", "working", "done", "closed")
_MARGIN = timedelta(minutes=20)  # before the end of the history all is over
Row = dict[str, Any]


class _Numbers:
    """Numbers of a day that count up behind those that there are."""

    def __init__(self, known: Sequence[str], prefix: str, digits: int) -> None:
        self._prefix, self._digits, self._last = prefix, digits, dict[str, int]()
        for number in known:
            day = number[:-digits]
            self._last[day] = max(self._last.get(day, 0), int(number[-digits:]))

    def next(self, at: datetime) -> str:
        day = self._prefix + at.astimezone(SHANGHAI).strftime("%Y%m%d")
        self._last[day] = self._last.get(day, 0) + 1
        return f"{day}{self._last[day]:0{self._digits}d}"


@dataclass
class WorkOrderRows:
    """The rows for the work-order database, by table; `chance` decides what was late."""

    material: Material
    people: People
    keyring: Keyring
    limit: datetime
    order_ids: itertools.count[int]
    outage_ids: itertools.count[int]
    order_numbers: _Numbers
    outage_numbers: _Numbers
    orders: list[Row] = field(default_factory=list)
    order_events: list[Row] = field(default_factory=list)
    outages: list[Row] = field(default_factory=list)
    outage_nodes: list[Row] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)
    subscribers: list[Row] = field(default_factory=list)
    promises: list[Row] = field(default_factory=list)
    notices: list[Row] = field(default_factory=list)

    @classmethod
    def behind(
        cls, session: Session, material: Material, people: People, keyring: Keyring, limit: datetime
    ) -> WorkOrderRows:  # fmt: skip
        """Return no rows yet, to be numbered behind those of a work-order database."""
        orders, outages = (session.scalar(select(func.max(one.id))) or 0 for one in (WorkOrder, Outage))
        return cls(
            material, people, keyring, limit, itertools.count(orders + 1), itertools.count(outages + 1),
            _Numbers(list(session.scalars(select(WorkOrder.order_no))), "", 6),
            _Numbers(list(session.scalars(select(Outage.outage_no))), "T", 4),
        )  # fmt: skip

    # -- outages

    def dark(self, dark: Dark, told: Sequence[Told]) -> None:
        """Write an outage with those who reported it."""
        node, number = self.people.nodes[dark.node], next(self.outage_ids)
        said = dark.began + SAID_AFTER
        self.outages.append({
            "id": number, "outage_no": self.outage_numbers.next(dark.began), "kind": FAULT, "state": "restored",
            "cause": dark.cause, "area": node.reach, "district": node.district, "area_class": node.area_class,
            "started_at": dark.began, "expected_at": dark.expected, "expected_said_at": said,
            "restored_at": dark.restored, "note": None,
        })  # fmt: skip
        self.outage_nodes.append({"outage_id": number, "node_code": node.code})
        for one in told:
            at, talk, home = one.plan.at, one.log.id, one.plan.home
            self.reports.append({
                "conversation_id": talk, "outage_id": number, "transformer_code": node.code, "area": node.area,
                "building": None, "premises": f"conversation:{talk}", "at": at, "order_no": None,
                "account_no": home.account_no if home else None,
            })  # fmt: skip
            self.subscribers.append({"outage_id": number, "conversation_id": talk, "since": at})
            self._promise("outage", number, promise.RESTORE, dark.expected, max(at, said), dark.restored, talk)
            self.notices += [
                {
                    "key": f"outage:{number}:{news.name}:{talk}", "conversation_id": talk, "wording": news.wording,
                    "values": dict(news.values), "created_at": news.created_at, "delivered_at": news.delivered_at,
                }
                for news in one.news
            ]  # fmt: skip

    # -- orders

    def order(self, told: Told) -> str:
        """Write the order that came of a conversation and return its number."""
        assert told.order is not None
        assert told.filed_at is not None
        rng, home, at = Random(f"{MARK}{told.plan.key}:order"), told.plan.home, told.filed_at
        number, order_no = next(self.order_ids), self.order_numbers.next(at)
        what = self._danger(told) if told.order == "report_danger" else self._business(told, rng)
        closed = rng.random() >= 0.04 or what["family"] == DANGER
        states = (_REPAIR if what["repair"] else _OTHER) if closed else ("cancelled",)
        times = self._times(rng, at, what["due"], states)
        agent = told.case.row["agent_id"] if told.case and told.case.row["outcome"] == "ordered" else None
        row = {
            "id": number, "order_no": order_no, "cause": f"{MARK}{told.log.id}", "category": what["category"],
            "title": what["title"], "kind": what["kind"], "family": what["family"], "priority": what["priority"],
            "state": states[-1], "customer_no": told.log.customer_no, "conversation_id": told.log.id, "urges": 0,
            "escalated_at": None, "opened_at": at, "updated_at": times[-1], "closed_at": times[-1],
            "account_no": home.account_no if home else None, **self._place(told),
            **self._ciphers(order_no, what["description"]),
        }  # fmt: skip
        self.orders.append(row)
        self._events(number, told.log.id, at, agent, states, times)
        self._kept(number, told, what, dict(zip(states, times, strict=True)))
        return order_no

    def _business(self, told: Told, rng: Random) -> Row:
        business: Business = self.material.businesses.get(str(told.order))
        description, category = told.plan.text, business.category
        if business.key == "complaint":
            complaint = rng.choice(self.material.words.complaints)
            description, category = complaint.text, complaint.category
        elif "{" in category:
            category = category.partition("→{")[0]
        at = told.filed_at
        assert at is not None
        due = deadline(at, business.limit.amount, business.limit.unit).at if business.limit else at + timedelta(hours=6)
        if business.promise == promise.ARRIVAL:
            due = self.material.commitments.arrival(self._place(told)["area_class"] or "city", at) or due
        return {
            "kind": business.key, "title": business.title, "category": category, "family": business.key,
            "priority": business.priority, "description": description, "promise": business.promise, "due": due,
            "repair": business.promise == promise.ARRIVAL,
        }  # fmt: skip

    def _place(self, told: Told) -> Row:
        """Return where it is: at home, or where the power was gone; nobody knows where else."""
        home, dark = told.plan.home, told.plan.dark
        if home is not None:
            return {"district": home.district, "area_class": home.area_class, "place_code": home.transformer}
        if dark is None:
            return {"district": None, "area_class": None, "place_code": None}
        node = self.people.nodes[dark.node]
        return {"district": node.district, "area_class": node.area_class, "place_code": node.code}

    def _danger(self, told: Told) -> Row:
        danger = self.material.safety.detect(told.plan.text) or self.material.safety.general()
        return {
            "kind": danger.kind, "title": danger.category.rpartition("→")[2], "category": danger.category,
            "family": DANGER, "priority": URGENT, "description": told.plan.text, "promise": None, "repair": True,
            "due": told.plan.at + timedelta(minutes=45),
        }  # fmt: skip

    def _times(self, rng: Random, at: datetime, due: datetime, states: Sequence[str]) -> list[datetime]:
        """Return when each state was reached: the due one, mostly, in time; all before the history ends."""
        late = rng.random() > self.material.days.kept
        share = rng.uniform(1.05, 1.6) if late else rng.uniform(0.3, 0.92)
        aim = len(states) if "arrived" not in states else states.index("arrived") + 1
        step = (due - at) * share / aim
        step = min(step, (self.limit - _MARGIN - at) / (len(states) + 1))
        return [at + step * (place + 1) for place in range(len(states))]

    def _events(
        self, number: int, talk: str, at: datetime, agent: int | None, states: Sequence[str], times: Sequence[datetime]
    ) -> None:  # fmt: skip
        by = {"by": "customer", "values": {}} if agent is None else {"by": STAFF, "values": {"agent": str(agent)}}
        row: Row = {"order_id": number, "cause": None, "note_cipher": None, "conversation_id": None}
        self.order_events.append({**row, "seq": 1, "at": at, "kind": "filed", "conversation_id": talk, **by})
        before = "accepted"
        for seq, (state, when) in enumerate(zip(states, times, strict=True), 2):
            kind, who = ("cancelled", "customer") if state == "cancelled" else ("state", STAFF)
            values = {"from": before, "to": state}
            self.order_events.append({**row, "seq": seq, "at": when, "kind": kind, "by": who, "values": values})
            before = state

    def _kept(self, number: int, told: Told, what: Row, reached: Mapping[str, datetime]) -> None:
        at, end = told.filed_at, max(reached.values())
        assert at is not None
        done = reached.get("done", end)
        if what["promise"] is not None:
            kept = {promise.ARRIVAL: reached.get("arrived", end), promise.CONTACT: reached.get("taken", end)}
            self._promise(
                "order", number, what["promise"], what["due"], at, kept.get(what["promise"], done), told.log.id
            )  # fmt: skip
        arrived, area_class = reached.get("arrived"), self._place(told)["area_class"]
        if arrived is not None:
            due = self.material.commitments.restore(area_class, arrived)
            if due is not None:
                self._promise("order", number, promise.RESTORE, due, arrived, done, told.log.id)

    def _ciphers(self, order_no: str, description: str) -> Row:
        keys = self.keyring
        return {
            "description_cipher": keys.encrypt(description, order_context("description", order_no)),
            "details_cipher": keys.encrypt("{}", order_context("details", order_no)),
            "address_cipher": None, "address_hash": None, "contact_cipher": None,
        }  # fmt: skip

    # -- promises

    def case(self, case: CaseLog) -> None:
        """Enter what a case promised: until when somebody answers, and what its note said."""
        events = [HandoffEvent(**one) for one in case.events]
        number, talk = case.row["id"], case.row["conversation_id"]
        for one in ledger.answers(events):
            self._promise("case", number, promise.ANSWER, one.due_at, one.told_at, one.done_at or one.due_at, talk)
        for due, told_at, kept in case.contacts:
            self._promise("case", number, promise.CONTACT, due, told_at, kept, talk)

    def _promise(
        self, kind: str, number: int, what: str, due: datetime, told: datetime, kept: datetime, talk: str
    ) -> None:  # fmt: skip
        self.promises.append({
            "subject_kind": kind, "subject_id": number, "kind": what, "conversation_id": talk, "due_at": due,
            "told_at": told, "moved_to": None, "kept_at": kept,
        })  # fmt: skip
