"""The bill of one or several months, line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from actions import together
from actions.base import BusinessAction, Reply, card
from actions.charges import LATE, Charges
from actions.labels import money, plain
from actions.question import Question, Span
from core.account import Account, as_of, view_account
from core.bill import Bill, NoBill, bills_between, latest_month
from core.clock import add_months
from core.errors import BusinessError
from core.payment import UnpaidBill, balance_of
from core.tariff import Line, NoPlanInForce

_ON_EVERY_CARD = ("title", "account", "address", "kwh", "amount", "as_of")


class NoBillYet(BusinessError):
    """The months asked for are not billed yet."""

    code = "no_bill_yet"


class NeverBilled(BusinessError):
    """The account has no bill at all yet."""

    code = "never_billed"


@dataclass(frozen=True)
class _Found:
    """The bills that were asked for, oldest first, and what of all bills is still open."""

    account: Account
    span: Span
    latest: date
    bills: Sequence[Bill]
    unpaid: Mapping[date, UnpaidBill]

    def still_open(self, bills: Sequence[Bill]) -> list[UnpaidBill]:
        return [self.unpaid[bill.month] for bill in bills if bill.month in self.unpaid]


class ActionQueryBill(BusinessAction):
    """Tells the bill of the months asked for, by default of the latest month that has one."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_bill"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        several = together.meant(self.services, session, question)
        if several:
            return self._together(session, question, several)
        try:
            found = self._find(session, question, self.account(session, question))
        except NoBillYet as error:
            return self._not_yet(session, question, error)
        values = self._values(session, question, found)
        common = {name: values[name] for name in _ON_EVERY_CARD} | {
            "status": self.services.labels.bill_status[_state(found, found.bills)]
        }
        if len(found.bills) == 1:
            more = self._one_bill(values, found, question.text)
        else:
            more = self._several_bills(values, found)
        charge = self._charge(session, question, found, values) if len(found.bills) == 1 else None
        response = "utter_bill_month" if len(found.bills) == 1 else "utter_bill_months"
        return Reply(
            "utter_explain_tariff" if charge else response,
            charge or values,
            self.other_accounts(session, question, found.account),
            [card("bill_card", f"{values['title']} {values['amount']}", common | more)],
            self.remember(found.account, found.span),
        )

    def _charge(
        self, session: Session, question: Question, found: _Found, values: Mapping[str, str]
    ) -> dict[str, str] | None:
        """Return an answer that begins with the charge that was asked about (力调罚了多少), None if none was."""
        charges, bill, say = Charges(self.services), found.bills[0], self.services.phrases.say
        kind = charges.asked(question.text)
        if kind is None:
            return None
        if kind == LATE:
            own = charges.late(session, question, found.account)
        else:
            own = charges.of_bill(bill, kind) or charges.none_of(bill, kind)
        rest = {name: values[name] for name in ("period", "amount", "status", "pending")}
        footer = say("tariff.charge.footer", account=values["account"], as_of=values["as_of"])
        return {"answer": "\n".join([own, say("tariff.charge.of_bill", **rest), footer])}

    def _together(self, session: Session, question: Question, accounts: Sequence[Account]) -> Reply:
        """Return the bills of several accounts: the total, the part of each, and a table."""
        services, several, missing = self.services, [], []
        for account in accounts:
            try:
                several.append(self._find(session, question, account))
            except BusinessError as error:
                missing.append((account, error))
        if not several:
            first = missing[0][1]
            return Reply(f"utter_{first.code}", first.values, slots={"asked": self.name()})
        named = together.titles(services, session, question)
        rows = [self._row(named[one.account.account_no], one) for one in several]
        without = services.phrases.say("payment.together.no_bill")
        rows += [[named[one.account_no], without, "", ""] for one, _ in missing]
        period = services.labels.of_months(several[0].span.first, several[0].span.last)
        amounts = {one.account.account_no: _amount(one.bills) for one in several}
        said = services.phrases.say(
            "payment.together.bill", count=len(several), period=period, amount=money(sum(amounts.values(), Decimal(0))),
            parts=together.parts_of(services, amounts),
        )  # fmt: skip
        title = services.labels.bill_title.format(month=period)
        shown = together.table(services, title, ("account", "kwh", "amount", "status"), rows)
        slots = {"asked": self.name(), "period_asked": several[0].span.value}
        return Reply("utter_pay", {"answer": said}, cards=[shown], slots=slots)

    def _row(self, title: str, found: _Found) -> list[str]:
        kwh, status = _kwh(found.bills), self.services.labels.bill_status[_state(found, found.bills)]
        return [title, plain(kwh), money(_amount(found.bills)), status]

    def _not_yet(self, session: Session, question: Question, error: NoBillYet) -> Reply:
        """Offer the use so far of months that have begun."""
        labels, span = self.services.labels, question.span()
        buttons = []
        if span and span.first <= question.today:
            title = labels.usage_see.format(period=error.values["period"])
            buttons = [(title, "/query_usage" + json.dumps({"period": span.whole_months.value.rpartition("/")[0]}))]
        slots = self.remember(self.account(session, question), span)
        return Reply(f"utter_{error.code}", error.values, buttons, slots=slots)

    def _find(self, session: Session, question: Question, account: Account) -> _Found:
        try:
            latest = latest_month(session, account=account)
        except NoBill:
            raise NeverBilled from None
        asked = question.span()
        span = asked.whole_months if asked else Span.of_months(latest, latest)
        bills = self._bills(session, account, span, latest)
        personal = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=question.today, residential=personal)
        return _Found(account, span, latest, bills, {one.month: one for one in balance.unpaid})

    def _bills(self, session: Session, account: Account, span: Span, latest: date) -> list[Bill]:
        labels = self.services.labels
        try:
            return bills_between(session, account=account, first=span.first, last=span.last)
        except NoBill:
            period = labels.of_months(span.first, span.last)
            error = NoBillYet if span.first > latest and account.closed_on is None else NoBill
            raise error(period=period, latest=labels.of_month(latest)) from None

    def _values(self, session: Session, question: Question, found: _Found) -> dict[str, str]:
        labels, bills = self.services.labels, found.bills
        period = labels.of_months(bills[0].month, bills[-1].month)
        view = view_account(found.account, keyring=self.services.keyring)
        return {
            "period": period,
            "title": labels.bill_title.format(month=period),
            "account": view.masked_no,
            "address": view.masked_address,
            "amount": money(_amount(bills)),
            "kwh": plain(_kwh(bills)),
            "status": self._status(question, found),
            "pending": self._pending(found),
            "as_of": labels.of_instant(as_of(session, "bills")),
        }

    def _status(self, question: Question, found: _Found) -> str:
        labels, still_open = self.services.labels, found.still_open(found.bills)
        forms = labels.bill_status_one if len(found.bills) == 1 else labels.bill_status_many
        return forms[_state(found, found.bills)].format(
            unpaid=money(sum((one.unpaid for one in still_open), Decimal(0))),
            due=labels.of_day(found.bills[0].due_on, question.today),
        )

    def _pending(self, found: _Found) -> str:
        """Return which of the months asked for have no bill yet (这两个月, 今年)."""
        first = add_months(found.latest, 1)
        if found.span.last < first or found.account.closed_on:
            return ""
        labels = self.services.labels
        return labels.bill_pending.format(period=labels.of_months(first, found.span.last))

    def _one_bill(self, values: dict[str, str], found: _Found, asked: str) -> dict[str, Any]:
        """Add what the sentence says of a single bill; return what its card has besides."""
        labels, bill = self.services.labels, found.bills[0]
        lines = [_line(row) for row in bill.lines]
        values["lines"] = labels.lines_text(lines, asked)
        open_amount = sum((one.unpaid for one in found.still_open(found.bills)), Decimal(0))
        return {
            "period": labels.day_range.format(first=bill.period_first, last=bill.period_last),
            "lines": [labels.line_row(line) for line in lines],
            "paid": money(bill.amount - open_amount),
            "unpaid": money(open_amount),
            "due": f"{bill.due_on:%Y-%m-%d}",
            "note": self._note(bill),
        }

    def _several_bills(self, values: dict[str, str], found: _Found) -> dict[str, Any]:
        """Add what the sentence says of several bills; return what their card has besides."""
        labels = self.services.labels
        highest = max(found.bills, key=lambda bill: bill.amount)
        values["count"] = str(len(found.bills))
        values["highest"] = labels.of_month(highest.month)
        values["highest_amount"] = money(highest.amount)
        months = [
            {
                "label": labels.of_month(bill.month), "kwh": plain(bill.kwh), "amount": money(bill.amount),
                "status": labels.bill_status[_state(found, [bill])],
            }
            for bill in found.bills
        ]  # fmt: skip
        return {"months": months}

    def _note(self, bill: Bill) -> str:
        labels, notes = self.services.labels, []
        if bill.estimated:
            notes.append(labels.estimated_note)
        try:
            if self.services.book.plan(bill.plan_code, bill.month).status != "verified":
                notes.append(labels.assumed_note)
        except NoPlanInForce:
            notes.append(labels.assumed_note)
        return "".join(notes)


def _state(found: _Found, bills: Sequence[Bill]) -> str:
    still_open = found.still_open(bills)
    if not still_open:
        return "paid"
    if any(one.overdue_days > 0 for one in still_open):
        return "overdue"
    whole = len(still_open) == len(bills) and all(one.unpaid == one.amount for one in still_open)
    return "unpaid" if whole else "partly"


def _amount(bills: Sequence[Bill]) -> Decimal:
    return sum((bill.amount for bill in bills), Decimal(0))


def _kwh(bills: Sequence[Bill]) -> Decimal:
    return sum((bill.kwh for bill in bills), Decimal(0))


def _line(row: Any) -> Line:
    return Line(
        code=row.code, quantity=row.quantity, unit=row.unit, unit_price=row.unit_price, amount=row.amount,
        tier=row.tier, period=row.period,
    )  # fmt: skip


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryBill,)
