"""A desk at which tests ask the actions as Rasa would, and put to the database the SQL that the actions do not use."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from rasa_sdk import Tracker

from actions.base import BusinessAction, Reply
from actions.followup import FOLLOWUPS
from actions.server import TOPICS
from actions.services import Services
from core.clock import SHANGHAI
from core.db import Database
from core.identity import Identity, issue_identity

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
KEY = "an identity key for tests of the actions"
INTENTS = {"action_inform": "inform", "action_affirm": "affirm", "action_deny": "deny", "action_cancel": "cancel"}


@dataclass(frozen=True)
class Said:
    """A reply as the customer gets it: `text` is the domain's response with all values in it."""

    reply: Reply
    text: str

    @property
    def response(self) -> str:
        return self.reply.response

    @property
    def card(self) -> dict[str, Any]:
        (only,) = self.reply.cards
        card: dict[str, Any] = only["card"]
        return card

    @property
    def slots(self) -> dict[str, Any]:
        return dict(self.reply.slots)

    @property
    def buttons(self) -> list[tuple[str, str]]:
        return list(self.reply.buttons)


@dataclass(frozen=True)
class Desk:
    """Asks the actions over one billing database."""

    path: Path
    services: Services
    templates: dict[str, list[dict[str, Any]]]

    def action(self, name: str) -> BusinessAction:
        topics = {action.name(): action for action in (kind(self.services) for kind in TOPICS)}
        followups = {action.name(): action for action in (kind(self.services, topics) for kind in FOLLOWUPS)}
        return {**topics, **followups}[name]

    def tracker(
        self, name: str, accounts: Sequence[str], text: str, entities: Sequence[dict[str, Any]] = (),
        slots: dict[str, Any] | None = None, *, assurance: int = 1, identity: str | None = None, sender: str = "c1.1",
        now: datetime = NOW, intent: str | None = None,
    ) -> Tracker:  # fmt: skip
        if identity is None:
            who = Identity("c1", "C1", tuple(accounts), assurance, "web")
            identity = issue_identity(KEY, who, now=now)
        message = {
            "intent": {"name": intent or INTENTS.get(name, name.removeprefix("action_"))}, "text": text,
            "entities": list(entities), "metadata": {"identity": identity, "asked_at": now.isoformat()},
        }  # fmt: skip
        return Tracker(sender, slots or {}, message, [], False, None, {}, None)

    def ask(self, name: str, *accounts: str, text: str = "", **more: Any) -> Said:
        """Return what the action says; every reply must fill its template completely."""
        before, entities = more.pop("after", None), more.pop("entities", ())
        slots = dict(before.slots) if before else more.pop("slots", None)
        reply = self.action(name).answer(self.tracker(name, accounts, text, entities, slots, **more))
        said = self.templates[reply.response][0]["text"].format(**reply.values)
        assert "{" not in said
        assert "None" not in said
        assert "。。" not in said
        return Said(reply, said)

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.path) as connection:
            return connection.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        return self.sql(query, *values)[0][0]

    def account(self, where: str) -> str:
        """Return the first open account for which the condition on `a` holds."""
        number: str = self.one(f"select account_no from accounts a where closed_on is null and {where} order by id")
        return number

    def fen(self, query: str, *values: Any) -> Decimal:
        """Return a sum of money that the query gives in whole fen."""
        return Decimal(self.one(query, *values) or 0) / 100

    def billed(self, account: str, first: str, last: str) -> Decimal:
        return self.fen(
            "select sum(cast(round(b.amount * 100) as integer)) from bills b join accounts a on a.id = b.account_id"
            " where account_no = ? and month between ? and ?", account, first, last,
        )  # fmt: skip

    def used(self, account: str, first: date, last: date, registers: str = "sharp + peak + flat + valley") -> Decimal:
        """Return the kWh between the end of the day before `first` and the end of `last`, meter by meter."""
        rows = self.sql(
            f"select multiplier * (max(cast(round(({registers}) * 100) as integer))"
            f" - min(cast(round(({registers}) * 100) as integer))) from daily_readings r"
            " join meters m on m.id = r.meter_id join accounts a on a.id = m.account_id"
            " where account_no = ? and day between ? and ? group by m.id",
            account, (first - timedelta(days=1)).isoformat(), last.isoformat(),
        )  # fmt: skip
        return Decimal(sum(row[0] for row in rows)) / 100

    def changed(self, directory: Path, *statements: tuple[Any, ...]) -> Desk:
        """Return a desk over a copy of the database in which the statements (SQL, value, …) were carried out."""
        path = directory / "changed.db"
        with sqlite3.connect(self.path) as source, sqlite3.connect(path) as target:
            source.backup(target)
            for query, *values in statements:
                target.execute(query, values)
        return replace(self, path=path, services=replace(self.services, billing=Database(f"sqlite:///{path}")))


def period(value: str, grain: str = "month") -> dict[str, Any]:
    first, _, last = value.partition("/")
    return {"entity": "period", "value": f"{first}/{last or first}", "grain": grain}


def day(value: str) -> dict[str, Any]:
    return {"entity": "date", "value": value, "grain": "day"}


def load_templates() -> dict[str, list[dict[str, Any]]]:
    templates: dict[str, list[dict[str, Any]]] = {}
    for file in sorted((ROOT / "bot" / "domain").glob("*.yml")):
        templates |= yaml.safe_load(file.read_text(encoding="utf-8")).get("responses") or {}
    return templates
