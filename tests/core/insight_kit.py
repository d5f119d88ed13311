"""An irregular log for the dashboards' figures, written row by row."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import insert

from core.account import Account, Customer
from core.agent import Agent
from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.db import Database
from core.handoff.tables import Handoff, HandoffEvent
from core.insight.kpi import Sources
from core.migrations import upgrade
from core.promise import Promise
from core.recommend.tables import CallBack
from core.survey import Survey
from core.work_order import OrderEvent, WorkOrder

DATA = Path(__file__).parents[2] / "data"
APOLOGY = yaml.safe_load((DATA / "wording.yaml").read_text("utf-8"))["apology"]
NOW = datetime(2026, 11, 22, 15, 37, tzinfo=SHANGHAI)
GAPS = (0.3, 29.99, 30, 300, 23 * 60 + 59, 3 * 24 * 60)  # minutes between messages
INTENTS = (
    "query_bill", "query_bill", "explain_high_bill", "report_outage", "greet", "thank", "nlu_fallback", "out_of_scope",
    "request_human", "query_bill+pay_bill", "affirm+inform", "thank+report_outage", None,
)  # fmt: skip
REASONS = ("asked", "failures", "complaint", "danger", "hall", "system_failed")


def databases(new_url: Any, dialect: str, folder: Path) -> Sources:
    """Return three empty databases."""
    made = {}
    for name in ("bridge", "workorder", "billing"):
        made[name] = Database(new_url(dialect, folder))
        upgrade(name, made[name])
    return Sources(**made, data_dir=DATA)


@dataclass
class Log:
    """Writes a random log row by row."""

    sources: Sources
    rng: random.Random
    days: int = 16
    rows: dict[type, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: type, **row: Any) -> dict[str, Any]:
        self.rows.setdefault(table, []).append(row)
        return row

    def write(self) -> None:
        """Make everything up and write it."""
        self.add(
            Agent, id=1, login="a1", name="坐席一", staff_no="1", role="agent", skills=[], capacity=4,
            must_change=False, password_hash="x", password_set_at=NOW, status="offline", created_at=NOW,
        )  # fmt: skip
        for number in range(self.rng.randrange(18, 40)):
            self._talk(number)
        self._join()
        for number in range(1, 25):
            self._order(number)
        for number in range(1, 12):
            self._customer(number)
        home = {
            **dict.fromkeys((WorkOrder, OrderEvent, Promise), self.sources.workorder),
            **dict.fromkeys((Customer, Account), self.sources.billing),
        }
        for database in (self.sources.bridge, self.sources.workorder, self.sources.billing):
            with database.transaction() as session:
                for table, rows in self.rows.items():
                    if home.get(table, self.sources.bridge) is database:
                        session.execute(insert(table), rows)

    def _talk(self, number: int) -> None:
        rng, at = self.rng, NOW - timedelta(days=self.rng.uniform(0, self.days))
        talk = f"talk-{number:03d}"
        row = self.add(
            Conversation, id=talk, channel=rng.choice(("web", "wechat")), accounts=[], assurance=0, assured=[],
            customer_no=rng.choice((None, "C1", "C2", "C3", "C4")), mode="bot", mode_since=at, priority=5, dialogue=1,
            next_seq=1, created_at=at, last_at=at, joined_to=None, joined_at=None,
        )  # fmt: skip
        free_at = at
        for _ in range(rng.randrange(1, 14)):
            at = min(at + timedelta(minutes=rng.choice(GAPS)), NOW)
            self._message(row, at)
            if rng.random() < 0.25 and at >= free_at:
                free_at = self._case(row, at + timedelta(seconds=rng.randrange(0, 5)))
            row["last_at"] = max(row["last_at"], at)

    def _message(self, talk: dict[str, Any], at: datetime, **more: Any) -> None:
        rng, seq, intent = self.rng, talk["next_seq"], self.rng.choice(INTENTS)
        failed = intent == "nlu_fallback" and rng.random() < 0.8
        understood = intent and {
            "intent": intent, "confidence": 0.8, "form": rng.choice((None, None, {"title": "报修", "values": {}})),
            **({"failed": True} if failed else {}),
        }  # fmt: skip
        payload = rng.choice((None, None, None, "/query_bill", "bridge:rate:1:5"))
        self.add(
            Message, **{
                "conversation_id": talk["id"], "seq": seq, "at": at, "author": "customer", "type": "text",
                "text": rng.choice(("电费怎么这么高", "=1+1", "停电了 13912345678")), "buttons": [],
                "channel": rng.choice(("web", "wechat")), "external_id": f"{talk['id']}-{seq}", "payload": payload,
                "understood": understood, "turn": "open" if rng.random() < 0.05 else "done", "in_reply_to": None,
                "agent_id": None, "agent_name": None, "card": None, **more,
            }
        )  # fmt: skip
        mute = intent is None and rng.random() < 0.5
        self.add(
            Message, conversation_id=talk["id"], seq=seq + 1, at=at, author="system" if mute else "bot", type="text",
            text=APOLOGY if mute else "好的", buttons=[], channel="web", external_id=None, payload=None,
            understood=None, turn=None, in_reply_to=seq, agent_id=None, agent_name=None, card=None,
        )  # fmt: skip
        talk["next_seq"] += 2

    def _case(self, talk: dict[str, Any], at: datetime) -> datetime:
        rng, number = self.rng, len(self.rows.get(Handoff, ())) + 1
        left, ends = rng.random() < 0.2, rng.random() < 0.8
        ended = min(at + timedelta(minutes=rng.choice((3, 45, 600))), NOW) if ends else None
        self.add(
            Handoff, id=number, conversation_id=talk["id"], reason=rng.choice(REASONS), skill="billing", priority=5,
            requested_at=at, rank_at=at, agent_id=1, offered_to=None, due_at=None, tried=[], summary={},
            left_message=left, category=None, outcome="solved" if ends else None, corrected={}, note={}, ended_at=ended,
        )  # fmt: skip
        kinds = [("requested", at)]
        if left:
            kinds.append(("left_message", at))
        if rng.random() < 0.75:
            taken = at + timedelta(seconds=rng.randrange(0, 1900))
            kinds += [(rng.choice(("claimed", "taken_over")), taken), ("agent_replied", taken + timedelta(seconds=30))]
        if ended is not None:
            kinds.append((rng.choice(("closed", "left_queue", "handed_back")), ended))
        for kind, when in kinds:
            self.add(
                HandoffEvent, handoff_id=number, conversation_id=talk["id"], at=when, kind=kind, agent_id=1,
                data={"skill": "billing", "priority": 5} if kind == "requested" else {},
            )  # fmt: skip
        if ended is not None and rng.random() < 0.7:
            self._survey(talk, number, ended)
        if rng.random() < 0.4:
            due = at + timedelta(hours=rng.uniform(0, 30))
            done = rng.choice((None, due - timedelta(hours=1), due + timedelta(hours=1)))
            self.add(
                CallBack, handoff_id=number, conversation_id=talk["id"], customer_no=None, segment=None, due_at=due,
                state="dropped" if rng.random() < 0.2 else "done" if done else "open", done_at=done, agent_id=None,
                done_by=None, note=None,
            )  # fmt: skip
        return ended or NOW + timedelta(days=1)

    def _survey(self, talk: dict[str, Any], number: int, ended: datetime) -> None:
        rng = self.rng
        score, words = rng.choice((None, 1, 2, 3, 4, 5)), rng.choice((None, "还行吧"))
        words = words if score else None
        asked = rng.random() < 0.8
        self.add(
            Survey, handoff_id=number, conversation_id=talk["id"], channel="web", asked_at=ended if asked else None,
            skipped=None if asked else "late", score=score if asked else None, comment=words if asked else None,
            answered_at=ended if asked and score else None,
        )  # fmt: skip
        if asked and words and ended + timedelta(minutes=1) < NOW:
            self._message(
                talk, ended + timedelta(minutes=1), text=words, payload=None, understood=None, turn="done"
            )  # fmt: skip

    def _join(self) -> None:
        """Join some talks to others, their cases going along."""
        talks = self.rows[Conversation]
        for own in self.rng.sample(talks[1:], 4):
            home = talks[0]
            own["joined_to"], own["joined_at"] = home["id"], NOW
            home["last_at"] = max(home["last_at"], own["last_at"])
            for case in self.rows.get(Handoff, ()):
                if case["conversation_id"] == own["id"] and self.rng.random() < 0.5:
                    case["conversation_id"] = home["id"]

    def _order(self, number: int) -> None:
        rng, at = self.rng, NOW - timedelta(days=self.rng.uniform(0, self.days))
        kind, state = rng.choice(("complaint", "outage_repair")), rng.choice(("accepted", "closed", "cancelled"))
        self.add(
            WorkOrder, id=number, order_no=f"W{number:05d}", cause=f"c{number}", category="投诉→停电", title="工单",
            kind=kind, family=kind, priority="normal", state=state,
            account_no=None, customer_no=None, conversation_id="talk-000", address_cipher=None, address_hash=None,
            contact_cipher=None, description_cipher="x", details_cipher="x", district="江汉区",
            area_class=rng.choice(("city", "rural", None)), place_code=None, urges=0, escalated_at=None, opened_at=at,
            updated_at=at, closed_at=at + timedelta(minutes=45) if state == "cancelled" else None,
        )  # fmt: skip
        self.add(OrderEvent, order_id=number, seq=1, at=at, kind="filed", by="customer", values={})
        if rng.random() < 0.5:
            self.add(
                OrderEvent, order_id=number, seq=2, at=at + timedelta(minutes=rng.randrange(5, 140)), kind="state",
                by="staff", values={"to": "arrived"},
            )  # fmt: skip
        for _ in range(rng.randrange(0, 4)):
            due = at + timedelta(minutes=rng.choice((45, 90, 2000)))
            ids = len(self.rows.get(Promise, ())) + 1
            self.add(
                Promise, id=ids, subject_kind="order", subject_id=number, kind=rng.choice(("arrival", "answer")),
                conversation_id=rng.choice((None, "talk-000", "talk-001")), due_at=due, told_at=at,
                moved_to=rng.randrange(1, ids) if ids > 1 and rng.random() < 0.2 else None,
                kept_at=rng.choice((None, due, due + timedelta(minutes=1))),
            )  # fmt: skip

    def _customer(self, number: int) -> None:
        self.add(
            Customer, id=number, customer_no=f"C{number}", kind="person", name_cipher="x", phone_cipher="x",
            phone_hash=f"{number}",
        )  # fmt: skip
        for part in range(self.rng.randrange(0, 3)):
            self.add(
                Account, account_no=f"42{number:04d}{part:04d}", customer_id=number, address_cipher="x",
                district="江汉区", area_class="city", region="hubei", user_class="resident",
                plan_code="p", profile="", prepaid=False,
                large_family_kwh=Decimal(0), free_kwh=Decimal(0),
                opened_on=NOW.date() - timedelta(days=self.rng.randrange(0, 30)),
                closed_on=self.rng.choice((None, NOW.date() - timedelta(days=self.rng.randrange(0, 20)))),
            )  # fmt: skip
