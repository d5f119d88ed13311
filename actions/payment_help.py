"""Payments that went wrong, and how to pay: the customer's own records first, then what is known of the ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from sqlalchemy.orm import Session

from actions import together
from actions.base import BusinessAction, Reply
from actions.fact_action import FactAction, give
from actions.form import ActionForm
from actions.labels import money
from actions.question import DAY, Question
from core.account import Account, find_account
from core.clock import SHANGHAI, add_months
from core.payment import Balance, Payment, balance_of
from core.payment_check import PaymentCheck, check_payments
from core.text import folded

INTENT = "report_payment_problem"
DOUBLE, REFUND, MISSING, WRONG = "payment_double", "payment_refund", "payment_missing", "payment_wrong_account"
# How far back the records are looked through unless the customer names a time: for trouble, for the latest arrival.
TROUBLE_MONTHS, ARRIVAL_MONTHS = 2, 6
# A bill of July may be paid in August or, late, in September.
PAID_WITHIN_MONTHS = 4
_ARRIVAL = {"wechat": "arrival.wechat", "alipay": "arrival.alipay", "hall": "arrival.hall"}
_STORY = 8
MONTHS_SAID = 3


class _PaymentAction(FactAction):
    """What both actions say of balances and payments."""

    def balance(self, session: Session, question: Question, account: Account) -> Balance:
        """Return where the account stands today."""
        personal = account.customer.kind == "person"
        return balance_of(session, account=account, today=question.today, residential=personal)

    def one(self, payment: Payment, today: date) -> str:
        """Return a payment in words."""
        labels = self.services.labels
        day = labels.of_day(payment.paid_at.astimezone(SHANGHAI).date(), today)
        channel = labels.payment_channel[payment.channel]
        return self.say("one", day=day, amount=money(payment.amount), channel=channel)

    def say(self, key: str, **values: object) -> str:
        """Return a phrase of payments."""
        return self.services.phrases.say(f"payment.{key}", **values)

    def button(self, key: str, payload: str) -> tuple[str, str]:
        """Return a button."""
        return self.say(f"button.{key}"), payload


class ActionReportPaymentProblem(_PaymentAction):
    """Looks for the failed, doubled, returned or missing payment, tells what it found, and opens the order."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_report_payment_problem"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        business = self.services.businesses.choose(INTENT, question.text)[0].key
        if not self.identified(question):
            if business == WRONG:
                return self._start(session, question, WRONG, "")
            login = [self.button("login", "/bind_account"), self.button("human", "/request_human")]
            parts = [self._general(question, business), self.say("anonymous")]
            return Reply("utter_payment_problem", {"answer": self.lines(*parts)}, login, slots=self.kept(None))
        account = self.account(session, question)
        check = self._check(session, question, account, _amount(question))
        if business == DOUBLE and not check.troubled and question.span() is None:
            since = add_months(question.today, -ARRIVAL_MONTHS)
            check = check_payments(session, account=account, first=since, last=question.today)
        if business == MISSING and self._failing(question):
            return self._failed(question, account, check)
        balance = self.balance(session, question, account)
        gone_back = check.refunded and not check.doubled and not question.values("amount")
        if business in (DOUBLE, REFUND) and gone_back and balance.balance <= 0:
            return self._given_back(question, account, check)
        lead = {
            DOUBLE: self._doubled, REFUND: self._refund, MISSING: self._missing, WRONG: self._nothing,
        }[business](session, question, account, check, balance)  # fmt: skip
        return self._start(session, question, business, self.lines(*lead))

    def _general(self, question: Question, business: str) -> str:
        """Return what is known without any records."""
        if business == REFUND:
            return self.facts.say("refund.own")
        if business == MISSING and self._failing(question):
            return self.facts.say("payfail.limit")
        return self._arrival(question, None)

    def _start(self, session: Session, question: Question, business: str, lead: str) -> Reply:
        """Open the order; the customer's own words tell the story if they are more than a word or two."""
        typed = not question.text.startswith("/") and len(folded(question.text)) >= _STORY
        fields = {field.name for field in self.services.businesses.get(business).fields if field.default == "message"}
        prefill = dict.fromkeys(fields, question.text) if typed else {}
        form = ActionForm(self.services)
        return form.start(session, question, business, prefill=prefill, lead=lead, asked_for=not prefill)

    def _check(
        self, session: Session, question: Question, account: Account, amount: Decimal | None = None
    ) -> PaymentCheck:  # fmt: skip
        """Return what the payments show of the days that are named, else of the last two months."""
        span, today = question.span(), question.today
        first = span.first if span else add_months(today, -TROUBLE_MONTHS)
        last = min(span.last, today) if span else today
        check = check_payments(session, account=account, first=min(first, last), last=last, amount=amount)
        if check.troubled or span is None or span.grain == DAY:
            return check
        # 七月的电费扣了两次: the bill of July, which was paid later.
        whole, until = span.whole_months, min(today, add_months(span.last, PAID_WITHIN_MONTHS))
        if until < whole.first:
            return check
        months = (whole.first, whole.last)
        later = check_payments(session, account=account, first=whole.first, last=until, amount=amount, months=months)
        return later if later.troubled else check

    # -- what was found

    def _doubled(
        self, session: Session, question: Question, account: Account, check: PaymentCheck, balance: Balance
    ) -> list[str]:
        today = question.today
        if not check.doubled and _amount(question) is not None:
            # The sum may be that of both, or another one that is on their mind.
            check = self._check(session, question, account)
        span = question.span()
        if check.doubled:
            first, second = (self.one(payment, today) for payment in check.doubled[0])
            over = balance.balance > 0
            credit = self.say("found.credit", balance=money(balance.balance)) if over else self.say("found.credit_used")
            return [self.say("found.doubled", first=first, second=second), credit, self.say("next.register")]
        if check.refunded:
            return [self.say("found.refunded", one=self.one(check.refunded[0], today)), self.say("next.register")]
        period = self.services.labels.of_days(span.first, span.last) if span else self.say("found.half_year")
        return [
            self.say("found.none_doubled", period=period),
            *self._latest(session, question, account),
            self.say("next.register"),
        ]

    def _given_back(self, question: Question, account: Account, check: PaymentCheck) -> Reply:
        """Tell which payment went back; nothing is left on the account that could be asked for."""
        parts = [self.say("found.refunded", one=self.one(check.refunded[0], question.today)), self.say("next.offer")]
        buttons = [
            self.button("missing", give("start", MISSING)), self.button("history", "/query_payment"),
            self.button("human", "/request_human"),
        ]  # fmt: skip
        return Reply(
            "utter_payment_problem",
            {"answer": self.lines(*parts)},
            buttons,
            slots=self.remember(account, question.span()),
        )

    def _refund(
        self, session: Session, question: Question, account: Account, check: PaymentCheck, balance: Balance
    ) -> list[str]:
        if check.refunded and not question.values("amount"):
            found = self.say("found.refunded", one=self.one(check.refunded[0], question.today))
        else:
            found = ""
        owed = self.say("found.owed", owed=money(balance.owed))
        stands = owed if balance.owed else self.say("found.balance", balance=money(balance.balance))
        return [found, stands, self.facts.say("refund.own"), self.say("next.refund")]

    def _missing(
        self, session: Session, question: Question, account: Account, check: PaymentCheck, balance: Balance
    ) -> list[str]:
        """Tell what did arrive, what failed, and how long the money may take."""
        today, amount = question.today, _amount(question)
        parts = []
        if amount is not None and check.arrived:
            parts.append(self.say("found.arrived", one=self.one(check.arrived[0], today)))
        elif check.failed and not check.failed[0][1]:
            parts.append(self.say("found.failed", one=self.one(check.failed[0][0], today)))
        elif check.refunded:
            parts.append(self.say("found.refunded", one=self.one(check.refunded[0], today)))
        else:
            parts += [self.say("found.none_like", amount=money(amount))] if amount is not None else []
            parts += self._latest(session, question, account)
        if balance.owed:
            parts.append(self.say("found.owed", owed=money(balance.owed)))
        return [*parts, self._arrival(question, check), self.say("next.register")]

    def _nothing(
        self, session: Session, question: Question, account: Account, check: PaymentCheck, balance: Balance
    ) -> list[str]:
        return [self.say("next.register")]

    def _failed(self, question: Question, account: Account, check: PaymentCheck) -> Reply:
        """Explain a payment that did not go through; nothing is filed unless the money is gone."""
        found = ""
        if check.failed:
            payment, retried = check.failed[0]
            form = "found.failed_retried" if retried else "found.failed"
            found = self.say(form, one=self.one(payment, question.today))
        limit = self.facts.say("payfail.limit")
        parts = [found, self._arrival(question, check) if check.failed else "", limit, self.say("next.offer")]
        buttons = [
            self.button("missing", give("start", MISSING)), self.button("history", "/query_payment"),
            self.button("human", "/request_human"),
        ]  # fmt: skip
        return Reply("utter_payment_problem", {"answer": self.lines(*parts)}, buttons, slots=self.kept(account))

    def _latest(self, session: Session, question: Question, account: Account) -> list[str]:
        first, today = add_months(question.today, -ARRIVAL_MONTHS), question.today
        check = check_payments(session, account=account, first=first, last=today)
        return [
            self.say("found.latest", one=self.one(check.arrived[0], today)) if check.arrived else self.say("found.none")
        ]

    def _arrival(self, question: Question, check: PaymentCheck | None) -> str:
        """Return how long money takes by the way that was named, or by that of the payment found."""
        named = question.values("payment_channel")
        channel = named[0] if named else check.failed[0][0].channel if check and check.failed else ""
        return self.facts.say(_ARRIVAL.get(channel, "arrival.other"))

    def _failing(self, question: Question) -> bool:
        return re.search(self.services.phrases.raw("payment.words.failing"), question.text) is not None


class ActionPayBill(_PaymentAction):
    """Tells what there is to pay, and the ways to pay it."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_pay_bill"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        several = together.meant(self.services, session, question)
        account = None if several else self.known_account(session, question)
        found = self.facts.matching("paying", question.text)
        found = found[: 2 if found[:1] == ["paying.here"] else 1]
        due, buttons = "", [self.button("login", "/bind_account")]
        if account is not None:
            due = self._due(session, question, account)
            buttons = [self.button("balance", "/query_balance"), self.button("history", "/query_payment")]
            buttons += self.other_accounts(session, question, account)
        elif self.identified(question):
            due, buttons = self._total(session, question, several), self.account_buttons(session, question)
        keys = found if any(key != "paying.here" for key in found) else [*found, "paying.ways"]
        parts = [due, self.facts.say(*keys), self.facts.say("paying.fraud")]
        return Reply("utter_pay", {"answer": self.lines(*parts)}, buttons, slots=self.kept(account))

    def _due(self, session: Session, question: Question, account: Account) -> str:
        balance = self.balance(session, question, account)
        amount = _amount(question)
        if balance.owed:
            form = "pay.owed_late" if balance.late_fee else "pay.owed"
            months = self._months(balance)
            said = self.say(form, owed=money(balance.owed), months=months, late_fee=money(balance.late_fee))
            more = balance.owed + balance.late_fee - amount if amount is not None else Decimal(0)
            return said + (
                self.say("pay.amount_short", amount=money(amount), more=money(more)) if amount and more > 0 else ""
            )
        return self.say("pay.prepaid" if account.prepaid else "pay.clear", balance=money(balance.balance))

    def _months(self, balance: Balance) -> str:
        labels, months = self.services.labels, [one.month for one in balance.unpaid]
        if not months:
            return self.say("pay.no_month")
        if len(months) > MONTHS_SAID:
            return labels.owed_since.format(first=labels.of_month(months[0]), count=len(months))
        return labels.list_separator.join(labels.of_month(month) for month in months)

    def _total(self, session: Session, question: Question, several: Sequence[Account]) -> str:
        """Return what is owed on the accounts that are meant, else on all together, each with its part."""
        allowed = question.identity.accounts
        accounts = several or [find_account(session, account_no=number, allowed=allowed) for number in allowed]
        return together.total(self.services, together.standing(session, question, accounts))


def _amount(question: Question) -> Decimal | None:
    """Return the first sum of money in the message."""
    values: Sequence[str] = question.values("amount")
    try:
        return Decimal(values[0]) if values else None
    except InvalidOperation:
        return None


ACTIONS: tuple[type[BusinessAction], ...] = (ActionReportPaymentProblem, ActionPayBill)
