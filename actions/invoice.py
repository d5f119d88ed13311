"""Invoices: the months that are meant, what they come to, and the order for them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.bill import NoBillYet
from actions.fact_action import FactAction
from actions.form import ActionForm
from actions.labels import money
from actions.question import Question, Span
from core.account import Account
from core.bill import Bill, NoBill, bills_between, latest_month
from core.payment import balance_of
from core.text import folded

INTENT = "request_invoice"
HOME, COMPANY, FIX = "invoice", "invoice_company", "invoice_fix"
_STORY = 8


class ActionRequestInvoice(FactAction):
    """Opens the order for an invoice with the months and the sum of the bills already in it."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_request_invoice"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        found = self.facts.matching("invoice", question.text)[:1]
        if not self.identified(question):
            login = [(self._say("button.login"), "/bind_account"), (self._say("button.human"), "/request_human")]
            company = self.services.businesses.choose(INTENT, question.text)[0].key == COMPANY
            keys = found or (["invoice.company"] if company else ["invoice.home", "invoice.self"])
            parts = [self.facts.say(*keys), self._say("anonymous")]
            return Reply("utter_invoice", {"answer": self.lines(*parts)}, login, slots=self.kept(None))
        account = self.account(session, question)
        business = self._business(question, account)
        if business == FIX:
            return self._fix(session, question, found)
        bills = self._bills(session, question, account)
        if not bills:
            return Reply("utter_invoice", {"answer": self._say("closed")}, slots=self.kept(account))
        still_open = self._open(session, question, account, bills)
        keys = ["invoice.unpaid"] if still_open else []
        keys += found or ["invoice.home" if business == HOME else "invoice.company"]
        lead = [self._sum(bills), still_open, self.facts.say(*keys)]
        prefill = {"months": self._period(bills)}
        return ActionForm(self.services).start(session, question, business, prefill=prefill, lead=self.lines(*lead))

    def _business(self, question: Question, account: Account) -> str:
        """Return the row that the words mean; an organisation's invoice is a company's unless they say otherwise."""
        row = self.services.businesses.choose(INTENT, question.text)[0].key
        return COMPANY if row == HOME and account.customer.kind == "organisation" else row

    def _fix(self, session: Session, question: Question, found: list[str]) -> Reply:
        typed = not question.text.startswith("/") and len(folded(question.text)) >= _STORY
        lead = self.facts.say(*found) if found else ""
        prefill = {"story": question.text} if typed else {}
        form = ActionForm(self.services)
        return form.start(session, question, FIX, prefill=prefill, lead=lead, asked_for=not prefill)

    def _bills(self, session: Session, question: Question, account: Account) -> list[Bill]:
        """Return the bills of the months asked for, by default the latest.

        Raises:
            NoBill: if there is none in these months.
            NoBillYet: if they are not billed yet.
        """
        labels, asked = self.services.labels, question.span()
        try:
            latest = latest_month(session, account=account)
        except NoBill:
            return []
        span = asked.whole_months if asked else Span.of_months(latest, latest)
        try:
            return bills_between(session, account=account, first=span.first, last=span.last)
        except NoBill:
            missing = NoBillYet if span.first > latest and account.closed_on is None else NoBill
            raise missing(period=labels.of_months(span.first, span.last), latest=labels.of_month(latest)) from None

    def _period(self, bills: list[Bill]) -> str:
        return self.services.labels.of_months(bills[0].month, bills[-1].month)

    def _sum(self, bills: list[Bill]) -> str:
        amount = money(sum((bill.amount for bill in bills), Decimal(0)))
        form = "month" if len(bills) == 1 else "months"
        return self._say(form, period=self._period(bills), amount=amount, count=len(bills))

    def _open(self, session: Session, question: Question, account: Account, bills: list[Bill]) -> str:
        personal = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=question.today, residential=personal)
        months: set[date] = {bill.month for bill in bills}
        still_open = [one.month for one in balance.unpaid if one.month in months]
        if not still_open:
            return ""
        if len(bills) == 1:
            return self._say("unpaid_one")
        labels = self.services.labels
        named = labels.list_separator.join(labels.of_month(month) for month in still_open)
        return self._say("unpaid", months=named)

    def _say(self, key: str, **values: object) -> str:
        return self.services.phrases.say(f"invoice.{key}", **values)


ACTIONS: tuple[type[BusinessAction], ...] = (ActionRequestInvoice,)
