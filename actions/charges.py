"""Charges besides the price of a kWh (力调电费, 基本电费, 违约金): what this customer has of them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from actions.labels import money, plain
from actions.question import Question
from actions.services import Services
from core.account import Account
from core.bill import Bill, BillLine, NoBill, bills_between, latest_month
from core.payment import Balance, balance_of

LATE, POWER_FACTOR, BASIC = "late", "power_factor", "basic"


class Charges:
    """Sentences on the charges of an account; the wording stands in data/phrases/tariff.yaml."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def asked(self, text: str) -> str | None:
        """Return which charge a message names: `late`, `power_factor` or `basic`."""
        raw = self._services.phrases.raw
        kinds = (LATE, POWER_FACTOR, BASIC)
        return next((kind for kind in kinds if re.search(raw(f"tariff.words.{kind}"), text)), None)

    def of_latest(self, session: Session, account: Account, code: str) -> str:
        """Return what the latest bill has of a charge; nothing if it has no such line."""
        try:
            month = latest_month(session, account=account)
        except NoBill:
            return ""
        return self.of_bill(bills_between(session, account=account, first=month, last=month)[-1], code)

    def of_bill(self, bill: Bill, code: str) -> str:
        """Return what a bill has of a charge; nothing if it has no such line."""
        line = next((one for one in bill.lines if one.code == code), None)
        if line is None:
            return ""
        month = self._services.labels.of_month(bill.month)
        return self._power_factor(line, month) if code == POWER_FACTOR else self._basic(line, month)

    def none_of(self, bill: Bill, code: str) -> str:
        """Return that a bill has nothing of a charge."""
        return self._say(f"charge.{code}_none", month=self._services.labels.of_month(bill.month))

    def late(self, session: Session, question: Question, account: Account) -> str:
        """Return the late fee up to today, and what another day adds to it; first of all if that was asked."""
        balance = self._balance(session, question, account, 0)
        late = [one for one in balance.unpaid if one.overdue_days > 0 and one.late_fee]
        if not late:
            return self._say("late.own_none")
        more = self._balance(session, question, account, 1).late_fee - balance.late_fee
        daily = self._say("late.daily", more=money(more))
        if len(late) == 1:
            one, month = late[0], self._services.labels.of_month(late[0].month)
            fee, days = money(one.late_fee), one.overdue_days
            own = self._say("late.own", month=month, unpaid=money(one.unpaid), days=days, fee=fee)
        else:
            unpaid = sum((one.unpaid for one in late), Decimal(0))
            fee = money(sum((one.late_fee for one in late), Decimal(0)))
            own = self._say("late.own_total", count=len(late), unpaid=money(unpaid), fee=fee)
        first = re.search(self._services.phrases.raw("tariff.words.daily"), question.text)
        return daily + own if first else own + daily

    def _balance(self, session: Session, question: Question, account: Account, days: int) -> Balance:
        personal, today = account.customer.kind == "person", question.today + timedelta(days=days)
        return balance_of(session, account=account, today=today, residential=personal)

    def _power_factor(self, line: BillLine, month: str) -> str:
        rate = f"{plain(abs(line.unit_price) * 100)}%"
        form = "more" if line.amount > 0 else "less" if line.amount < 0 else "zero"
        return self._say(f"charge.power_factor_{form}", month=month, amount=money(abs(line.amount)), rate=rate)

    def _basic(self, line: BillLine, month: str) -> str:
        values = {"quantity": plain(line.quantity), "price": plain(line.unit_price), "amount": money(line.amount)}
        return self._say("charge.basic", month=month, unit=self._services.labels.units[line.unit], **values)

    def _say(self, key: str, **values: object) -> str:
        return self._services.phrases.say(f"tariff.{key}", **values)
