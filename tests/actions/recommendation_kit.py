"""What the tests of recommendations share: a conversation whose rows are kept as the bridge keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from actions_desk import KEY, NOW, TODAY, Desk, Said
from sqlalchemy import select

from actions import recommendation
from core.account import find_account
from core.conversation import Conversation, Message, open_conversation
from core.energy_data import energy_facts
from core.identity import Grant, Identity, issue_identity, read_grant, turn_of
from core.recommend.engines import Case, offer_of
from core.recommend.nothing import Nothing
from core.recommend.offer import Offer
from core.recommend.record import Decided, Told, decide, keep, read
from core.recommend.rules import recommend_rules
from core.recommend.tables import Recommendation

RULES = recommend_rules()
WAYS = {"inform": "action_inform", "deny": "action_deny", "affirm": "action_affirm", "cancel": "action_cancel"}
MONTHS = timedelta(days=40)


@dataclass
class Talk:
    """A conversation of which the bridge keeps what the answers bring with them."""

    desk: Desk
    account: str
    conversation_id: str = "c1"
    channel: str = "web"
    customer_no: str | None = None
    slots: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    grants: list[Told | Decided] = field(default_factory=list)

    def ask(self, action: str = "action_query_bill", text: str = "上个月电费多少", **more: Any) -> Said:
        self.now += timedelta(seconds=20)
        who = Identity(self.conversation_id, self.customer_no, (self.account,), more.pop("assurance", 1), self.channel)
        desk = replace(self.desk, services=replace(self.desk.services, clock=lambda: self.now))
        said = desk.ask(
            action, text=text, slots=dict(self.slots), now=self.now, sender=f"{self.conversation_id}.1",
            identity=issue_identity(KEY, who, now=self.now), **more,
        )  # fmt: skip
        self.slots |= said.slots
        self._keep(said)
        return said

    def press(self, said: Said, title: str) -> Said:
        assert said.reply.beside is not None
        payload = next(one["payload"] for one in said.reply.beside["buttons"] if one["title"] == title)
        values = json.loads(payload.removeprefix("/inform"))
        entities = [{"entity": name, "value": value} for name, value in values.items()]
        return self.ask("action_inform", text=payload, entities=entities)

    def _keep(self, said: Said) -> None:
        for command in (one for one in said.reply.commands if one["type"] == "grant"):
            turn = turn_of(self.conversation_id, self.now)
            grant: Grant = read_grant(
                KEY, command["token"], now=self.now, conversation_id=self.conversation_id, turn=turn
            )
            found = read(grant.offer)
            self.grants.append(found)
            with self.desk.services.bridge.transaction() as session:
                if isinstance(found, Decided):
                    talk = session.get_one(Conversation, self.conversation_id)
                    decide(session, found, now=self.now, conversation=talk, talks=(talk.id,))
                else:
                    talks = (self.conversation_id,)
                    keep(session, RULES, found, conversation_id=self.conversation_id, talks=talks, now=self.now)


@dataclass
class Counted:
    """Counts how often it is asked."""

    inner: Callable[..., Any]
    times: int = 0

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.times += 1
        return self.inner(*args, **more)


def opened(desk: Desk, conversation_id: str, *, channel: str = "web", customer_no: str | None = None) -> None:
    with desk.services.bridge.transaction() as session:
        made: Conversation = open_conversation(
            session, channel=channel, customer_no=customer_no, accounts=[], assurance=1, now=NOW
        )
        made.id = conversation_id


@pytest.fixture
def home(writing: Desk) -> str:
    """A household whose standby is worth saying, and whose next step is not near."""
    return next(
        number for (number,) in writing.sql(
            "select account_no from accounts where user_class = 'residential' and closed_on is null order by id"
        )
        if (found := first_offer(writing, number)) is not None and found.kind == "saving_measure"
    )  # fmt: skip


def first_offer(desk: Desk, account_no: str, order: tuple[str, ...] = RULES.order["unknown"]) -> Offer | None:
    services = desk.services
    with services.billing.reading() as session:
        account = find_account(session, account_no=account_no, allowed=(account_no,))
        case = Case(session, account, services.book, energy_facts(), RULES, TODAY)
        return next((found for kind in order if (found := offer_of(kind, case)) is not None), None)


@pytest.fixture(autouse=True)
def nobody_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommendation, "held_out", lambda *_: False)
    monkeypatch.setattr(recommendation, "standing_at", lambda *_: None)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Nothing()
    monkeypatch.setattr(recommendation, "nothing_of", lambda _: memory)


@pytest.fixture
def talk(writing: Desk, home: str) -> Talk:
    opened(writing, "c1")
    return Talk(writing, home)


def rows(desk: Desk) -> list[Recommendation]:
    with desk.services.bridge.reading() as session:
        return list(session.scalars(select(Recommendation).order_by(Recommendation.id)))


def spoken(desk: Desk, intent: str, *, at: datetime = NOW, conversation_id: str = "c1") -> None:
    with desk.services.bridge.transaction() as session:
        session.add(
            Message(
                conversation_id=conversation_id, seq=90, at=at, author="customer", type="text", text="x", buttons=[],
                channel="web", understood={"intent": intent},
            )
        )  # fmt: skip


FIGURES = {
    "months": "12", "first": "2025-11-01", "last": "2026-10-01", "plan": "甲", "plan_now": "乙", "now": "1000.00",
    "then": "900.00", "moved": "300", "valley": "80.00", "tier": "1", "next_tier": "2", "on": "2026-12-20",
    "kwh": "2000", "left": "160", "daily": "8.00", "more": "0.05", "as_of": "2026-11-20", "over": "88",
    "factor": "0.91", "target": "0.95", "paid": "120.00", "at_target": "-300.00", "kvar": "47", "other": "80.00",
    "edge": "501", "capacity": "800", "method": "capacity", "method_now": "actual",
    "contract": "477", "most": "500", "bills": "1", "due": "2026-11-30", "usual": "90.00", "overdue": "", "unsure": "1",
}  # fmt: skip


def figured(kind: str) -> Offer:
    """Return an offer of a kind with all figures that any words need."""
    from core.saving import Measure

    measure = Measure("standby", Decimal(131), Decimal(131), Decimal("73.32"), Decimal("80.00"), {
        "watts": Decimal(15), "base": Decimal("1.8"), "price": Decimal("0.558"),
    })  # fmt: skip
    return Offer(kind, Decimal("4321.09"), FIGURES, None, measure if kind == "saving_measure" else None)
