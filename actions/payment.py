"""What is owed or left, and what was paid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from actions import together
from actions.base import BusinessAction, Reply, card
from actions.labels import money, plain
from actions.question import Question, Span
from core.account import Account, as_of, view_account
from core.clock import SHANGHAI, add_months
from core.payment import Balance, NoPayment, Payment, balance_of, payments_between

DEFAULT_MONTHS = 6
MONTHS_SAID = 3
# Days after which a missing payment is no longer one on its way.
LONG_AGO = 90


class ActionQueryBalance(BusinessAction):
    """Tells the balance, or what is owed with the late fee up to today."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_balance"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        several = together.meant(self.services, session, question)
        if several:
            return together.balances(self.services, session, question, several, self.name())
        account = self.account(session, question)
        personal = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=question.today, residential=personal)
        values = self._values(session, question, account, balance)
        data = {
            "title": self.services.labels.balance_title,
            **{name: values[name] for name in ("account", "balance", "owed", "late_fee", "as_of")},
            "bills": [
                {
                    "label": self.services.labels.of_month(one.month), "amount": money(one.amount),
                    "unpaid": money(one.unpaid), "due": f"{one.due_on:%Y-%m-%d}",
                }
                for one in balance.unpaid
            ],
        }  # fmt: skip
        return Reply(
            _response(balance), values, self.other_accounts(session, question, account),
            [card("balance_card", f"{data['title']} {values['balance']}", data)], self.remember(account),
        )  # fmt: skip

    def _months(self, balance: Balance) -> str:
        labels, months = self.services.labels, [one.month for one in balance.unpaid]
        if len(months) > MONTHS_SAID:
            return labels.owed_since.format(first=labels.of_month(months[0]), count=len(months))
        return labels.list_separator.join(labels.of_month(month) for month in months)

    def _unbilled(self, balance: Balance) -> str:
        labels, kwh = self.services.labels, balance.unbilled_kwh
        return labels.prepaid_unread if kwh is None else labels.prepaid_unbilled.format(kwh=plain(kwh))

    def _due(self, balance: Balance, today: date) -> str:
        labels = self.services.labels
        if not balance.unpaid:
            return ""
        due = balance.unpaid[0].due_on
        return labels.owed_due.format(due=labels.of_day(due, today)) if due >= today else labels.owed_due_past

    def _values(self, session: Session, question: Question, account: Account, balance: Balance) -> dict[str, str]:
        labels = self.services.labels
        return {
            "account": view_account(account, keyring=self.services.keyring).masked_no,
            "balance": money(balance.balance),
            "owed": money(balance.owed),
            "late_fee": money(balance.late_fee),
            "months": self._months(balance),
            "due": self._due(balance, question.today),
            "unbilled": self._unbilled(balance),
            "as_of": labels.of_instant(as_of(session, "payments")),
        }


class ActionQueryPayment(BusinessAction):
    """Lists the payments of the months asked for, by default of the last six months."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_payment"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.account(session, question)
        span = question.span()
        first, last = _days(question, span)
        period = self._period(span, first)
        if first > question.today:
            raise NoPayment(period=period)
        try:
            payments = payments_between(session, account=account, first=first, last=last)
        except NoPayment:
            if last < question.today - timedelta(days=LONG_AGO):
                said = self.services.phrases.say("payment.listed.long_ago", period=period)
                return Reply("utter_pay", {"answer": said}, slots=self.remember(account, span))
            raise NoPayment(period=period) from None
        return self._reply(session, question, account, payments, period, span)

    def _period(self, span: Span | None, first: date) -> str:
        labels = self.services.labels
        if span is None:
            return labels.payment_since.format(month=labels.of_month(first))
        return labels.of_days(span.first, span.last)

    def _reply(
        self, session: Session, question: Question, account: Account, payments: Sequence[Payment], period: str,
        span: Span | None,
    ) -> Reply:  # fmt: skip
        labels = self.services.labels
        latest = payments[-1]
        received = [one for one in payments if one.status == "succeeded"]
        values = {
            "period": period,
            "title": labels.payment_title.format(period=period),
            "account": view_account(account, keyring=self.services.keyring).masked_no,
            "count": str(len(received)),
            "failed": self._not_received(payments, question.today),
            "total": money(sum((one.amount for one in received), Decimal(0))),
            "latest_day": labels.of_day(latest.paid_at.astimezone(SHANGHAI).date(), question.today),
            "latest_amount": money(latest.amount),
            "latest_channel": labels.payment_channel[latest.channel],
            "latest_status": labels.payment_status[latest.status],
            "as_of": labels.of_instant(as_of(session, "payments")),
        }
        data = {name: values[name] for name in ("title", "account", "total", "as_of")}
        rows = [self._row(one) for one in reversed(payments)]
        response = "utter_payments" if received else "utter_payments_failed"
        if span is None and re.search(self.services.phrases.raw("payment.words.last"), question.text):
            # 上次是哪天交的: the last one, not the sum.
            response, said = "utter_pay", {"answer": self._last(values)}
        else:
            said = values
        return Reply(
            response,
            said,
            self.other_accounts(session, question, account),
            [card("payment_list", f"{values['title']} {values['total']}", data | {"rows": rows})],
            self.remember(account, span),
        )  # fmt: skip

    def _last(self, values: Mapping[str, str]) -> str:
        names = ("latest_day", "latest_amount", "latest_channel", "latest_status", "account", "as_of")
        return self.services.phrases.say("payment.listed.last", **{name: values[name] for name in names})

    def _not_received(self, payments: Sequence[Payment], today: date) -> str:
        """Return which payments did not stay: the latest that failed, the latest that was paid back."""
        said = ""
        for status in ("failed", "refunded"):
            one = next((payment for payment in reversed(payments) if payment.status == status), None)
            if one is not None:
                day = self.services.labels.of_day(one.paid_at.astimezone(SHANGHAI).date(), today)
                said += self.services.phrases.say(f"payment.listed.{status}", day=day, amount=money(one.amount))
        return said

    def _row(self, payment: Payment) -> dict[str, str]:
        labels = self.services.labels
        return {
            "date": f"{payment.paid_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
            "amount": money(payment.amount),
            "channel": labels.payment_channel[payment.channel],
            "status": labels.payment_status[payment.status],
        }


def _days(question: Question, span: Span | None) -> tuple[date, date]:
    if span:
        return span.first, min(span.last, question.today)
    return add_months(question.today, -DEFAULT_MONTHS), question.today


def _response(balance: Balance) -> str:
    if balance.owed and balance.late_fee:
        return "utter_balance_owed_late"
    if balance.owed:
        overdue = balance.prepaid or any(one.overdue_days > 0 for one in balance.unpaid)
        return "utter_balance_owed" if overdue else "utter_balance_due"
    return "utter_balance_prepaid" if balance.prepaid else "utter_balance_clear"


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryBalance, ActionQueryPayment)
