"""Cards that an agent sends: the same shapes that the bot's actions give, from the same core functions and words.

Only what belongs to the customer of the conversation: a bound account, an order of his own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.options import DeskOptions, options_of
from core import outage as outages
from core import promise
from core.account import Account, as_of, find_account, view_account
from core.bill import Bill, BillLine, bills_between, latest_month
from core.channel.join import talks_of
from core.clock import SHANGHAI
from core.conversation import Conversation, Draft
from core.errors import BusinessError
from core.payment import Balance, balance_of
from core.place import locate
from core.promise import Subject
from core.work_order import WorkOrder, orders_of

_TOLD = ("filed", "urged", "reopened", "cancelled")  # events with a line of their own, besides the states
_FEN = Decimal("0.01")


class CardRequest(BaseModel):
    """Which card: of a bill (the latest unless a month is named), the balance, an order, or outages."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["bill", "balance", "order", "outage"]
    account: int = Field(0, ge=0, lt=100)  # place among the bound accounts
    month: Annotated[str, StringConstraints(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")] | None = None
    order_no: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}$")] | None = None


class CardNotPossible(Exception):
    """The customer has no such account, bill or order."""


@dataclass(frozen=True)
class Words:
    """The wording that the actions use: data/labels.yaml and data/phrases/work_order.yaml."""

    labels: Mapping[str, Any]
    order: Mapping[str, Any]

    def month(self, day: date) -> str:
        """Return a month as 2026年10月."""
        return str(self.labels["month"]).format(year=day.year, month=day.month)

    def instant(self, at: datetime | None) -> str:
        """Return an instant as 11月21日06:00."""
        if at is None:
            return str(self.labels["instant_unknown"])
        local = at.astimezone(SHANGHAI)
        form = str(self.labels["instant"])
        said = form.format(month=local.month, day=local.day, hour=local.hour, minute=local.minute)
        return said.removesuffix("23:59")

    def line(self, line: BillLine) -> dict[str, str]:
        """Return a printed line of a bill."""
        tier = self.labels["tiers"][line.tier] if line.tier is not None else ""
        period = self.labels["periods"].get(line.period or "", "")
        return {
            "label": str(self.labels["lines"][line.code]).format(tier=tier, period=period),
            "quantity": plain(line.quantity), "unit": str(self.labels["units"][line.unit]),
            "price": plain(line.unit_price), "amount": money(line.amount),
        }  # fmt: skip

    def stage(self, kind: str, values: Mapping[str, str]) -> str:
        """Return the name of something that happened to an order."""
        return str(self.order["state"][values["to"]] if kind == "state" else self.order["event"][kind])


@cache
def words_of(data_dir: Path) -> Words:
    """Read both files."""
    read = [
        yaml.safe_load((data_dir / name).read_text(encoding="utf-8"))
        for name in ("labels.yaml", "phrases/work_order.yaml")
    ]
    return Words(*read)


def build_card(parts: Parts, conversation: Conversation, wanted: CardRequest) -> Draft:
    """Return a card as an agent's message; blocks, so call it in a thread.

    Raises:
        CardNotPossible: if there is nothing of the kind.
        SQLAlchemyError: if a database is away.
    """
    builder = _Builder(parts, conversation, words_of(parts.settings.data_dir), options_of(parts.settings.data_dir))
    try:
        return builder.build(wanted)
    except BusinessError as error:
        raise CardNotPossible(error.code) from error


class _Builder:
    def __init__(self, parts: Parts, conversation: Conversation, words: Words, options: DeskOptions) -> None:
        self._parts, self._conversation, self._words, self._options = parts, conversation, words, options
        self._now = parts.clock()
        self._today = self._now.astimezone(SHANGHAI).date()

    def build(self, wanted: CardRequest) -> Draft:
        if wanted.kind == "order":
            return self._order(wanted.order_no)
        if wanted.kind == "outage":
            return self._outage()
        with self._parts.billing.reading() as session:
            account = self._account(session, wanted.account)
            if wanted.kind == "balance":
                return self._balance(session, account)
            return self._bill(session, account, wanted.month)

    def _account(self, session: Session, place: int) -> Account:
        mine = self._conversation.accounts
        if place >= len(mine):
            raise CardNotPossible("account")
        return find_account(session, account_no=mine[place], allowed=mine)

    def _open(self, session: Session, account: Account) -> Balance:
        personal = account.customer.kind == "person"
        return balance_of(session, account=account, today=self._today, residential=personal)

    def _bill(self, session: Session, account: Account, month: str | None) -> Draft:
        first = date.fromisoformat(f"{month}-01") if month else latest_month(session, account=account)
        bill = bills_between(session, account=account, first=first, last=first)[0]
        unpaid = [one for one in self._open(session, account).unpaid if one.month == bill.month]
        left = sum((one.unpaid for one in unpaid), Decimal(0))
        state = "paid" if not left else "overdue" if unpaid[0].overdue_days > 0 else "unpaid"
        if state == "unpaid" and left < bill.amount:
            state = "partly"
        view = view_account(account, keyring=self._parts.settings.keyring())
        labels = self._words.labels
        title = str(labels["bill_title"]).format(month=self._words.month(bill.month))
        data = {
            "title": title, "account": view.masked_no, "address": view.masked_address, "kwh": plain(bill.kwh),
            "amount": money(bill.amount), "as_of": self._words.instant(as_of(session, "bills")),
            "status": labels["bill_status"][state], "lines": [self._words.line(line) for line in bill.lines],
            "period": str(labels["day_range"]).format(first=bill.period_first, last=bill.period_last),
            "paid": money(bill.amount - left), "unpaid": money(left), "due": f"{bill.due_on:%Y-%m-%d}",
            "note": self._note(bill),
        }  # fmt: skip
        return _card("bill_card", f"{title} {data['amount']}", data)

    def _note(self, bill: Bill) -> str:
        return str(self._words.labels["estimated_note"]) if bill.estimated else ""

    def _balance(self, session: Session, account: Account) -> Draft:
        found, title = self._open(session, account), str(self._words.labels["balance_title"])
        data = {
            "title": title, "account": view_account(account, keyring=self._parts.settings.keyring()).masked_no,
            "balance": money(found.balance), "owed": money(found.owed), "late_fee": money(found.late_fee),
            "as_of": self._words.instant(as_of(session, "payments")),
            "bills": [
                {
                    "label": self._words.month(one.month), "amount": money(one.amount), "unpaid": money(one.unpaid),
                    "due": f"{one.due_on:%Y-%m-%d}",
                }
                for one in found.unpaid
            ],
        }  # fmt: skip
        return _card("balance_card", f"{title} {data['balance']}", data)

    def _order(self, order_no: str | None) -> Draft:
        mine = self._conversation
        with self._parts.bridge.reading() as log_session:
            talks = talks_of(log_session, mine.id)
        with self._parts.workorder.transaction() as session:
            orders = orders_of(
                session, conversation_id=mine.id, conversations=talks, customer_no=mine.customer_no,
                accounts=mine.accounts, order_no=order_no, limit=1,
            )  # fmt: skip
            if not orders:
                raise CardNotPossible("order")
            return self._stages(session, orders[0])

    def _stages(self, session: Session, order: WorkOrder) -> Draft:
        """Return how far an order is; whoever is told a time hears when it moves."""
        words, names = self._words, self._options.order_card
        rows = [
            {"label": words.stage(event.kind, event.values), "value": words.instant(event.at)}
            for event in order.events
            if event.kind in _TOLD or (event.kind == "state" and event.values.get("to") != "accepted")
        ]
        rows.insert(0, {"label": names["state"], "value": str(words.order["state"][order.state])})
        subject = Subject("order", order.id)
        for one in promise.standing(session, subject) if order.is_open else ():
            promise.tell(
                session, subject, one.kind, one.due_at, conversation_id=self._conversation.id, now=self._now
            )  # fmt: skip
            rows.append({"label": names[one.kind], "value": words.instant(one.due_at)})
        title = str(words.order["card"]).format(title=order.title, order_no=order.order_no)
        return _card("fact_card", title, {"title": title, "rows": rows})

    def _outage(self) -> Draft:
        names, rows = self._options.outage_card, []
        if not self._conversation.accounts:
            raise CardNotPossible("account")
        with self._parts.workorder.reading() as session:
            for account_no in self._conversation.accounts:
                place = locate(session, account_no=account_no)
                if isinstance(place, list) or not place.known:
                    continue
                now_out = outages.outage_at(session, place, self._now)
                if now_out is not None:
                    rows.append(self._row(names.under_way, now_out, self._expected(now_out.expected_at)))
                planned = outages.planned_for(session, place, self._now)
                rows += [self._row(names.planned, one, self._span(one)) for one in planned]
        text = names.title if rows else names.none
        shown = _once(rows) or [{"label": names.none, "value": "—"}]
        return _card("fact_card", text, {"title": names.title, "rows": shown})

    def _row(self, label: str, outage: outages.Outage, value: str) -> dict[str, str]:
        return {"label": f"{outage.area} {label}", "value": value}

    def _expected(self, at: datetime | None) -> str:
        names = self._options.outage_card
        return names.expected.format(at=self._words.instant(at)) if at and at > self._now else names.unknown

    def _span(self, outage: outages.Outage) -> str:
        names, start = self._options.outage_card, self._words.instant(outage.started_at)
        if outage.expected_at is None:
            return names.begins.format(start=start)
        return names.span.format(start=start, end=self._words.instant(outage.expected_at))


def plain(value: Decimal) -> str:
    """Return a number without trailing zeros or exponent."""
    text = format(value.normalize(), "f")
    return text if text != "-0" else "0"


def money(value: Decimal) -> str:
    """Return yuan with two decimals."""
    return format(value.quantize(_FEN), "f")


def _card(kind: str, text: str, data: dict[str, Any]) -> Draft:
    return Draft("agent", text, kind, data)


def _once(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return list({(one["label"], one["value"]): one for one in rows}.values())
