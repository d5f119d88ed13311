"""Why a bill is high: the difference to another bill, its two largest causes, and all of them in a table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from actions.base import Reply
from actions.bill import NeverBilled, NoBillYet
from actions.bill_change_words import ChangeWords
from actions.fact_action import FactAction
from actions.labels import money
from actions.question import Question, Span
from core.account import Account, as_of, view_account
from core.bill import Bill, NoBill, bills_between, latest_month
from core.bill_basis import BillNotReproduced
from core.bill_change import bill_change
from core.clock import add_months
from core.payment import balance_of
from core.tariff import Line

# Two months named (8月比7月): its ends are compared. Of a longer time the highest bill is explained.
_ENDS = ("range", "months")
_YEAR = 12


@dataclass(frozen=True)
class _Pair:
    """The bill to explain and the one to compare it with (None if there is none).

    `highest` of the last twelve months, if that is another; `early`: months that were meant and are not billed yet.
    """

    new: Bill
    old: Bill | None
    last_year: Bill | None
    highest: Bill | None
    early: Span | None

    @property
    def higher(self) -> bool:
        """Whether the bill is higher than the one that it is compared with."""
        return self.old is not None and self.new.amount > self.old.amount


class ActionExplainHighBill(FactAction):
    """Explains a bill against the month before, or against last year where that is asked."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_explain_high_bill"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.account(session, question)
        words = ChangeWords(self.services, question.today)
        pair = self._pair(session, question, account, words)
        slots = self.remember(account, question.span())
        common = self._common(session, account, pair)
        if pair.old is None:
            lines = [_line(row) for row in pair.new.lines]
            values = {"period": words.month(pair.new), "amount": money(pair.new.amount)}
            values["lines"] = self.services.labels.lines_text(lines)
            return Reply("utter_bill_change_first", common | values, self._buttons(words, None), slots=slots)
        try:
            change = bill_change(self.services.book, account=account, old=pair.old, new=pair.new)
        except BillNotReproduced as error:
            return self._not_reproduced(words, pair, error, common, slots)
        person = account.customer.kind == "person"
        values = {
            "headline": words.headline(pair.old, pair.new) + _not_higher(words, pair),
            "causes": words.causes(change),
            "remarks": words.remarks(change, question.text, person=person)
            + self._arrears(session, question, account, pair),
        }
        cards = [words.table(change)] if change.parts else []
        return Reply("utter_bill_change", common | values, self._buttons(words, pair), cards, slots)

    def _common(self, session: Session, account: Account, pair: _Pair) -> dict[str, str]:
        labels, early = self.services.labels, ""
        if pair.early:
            period = labels.of_months(pair.early.first, pair.early.last)
            early = self.services.phrases.say("bill_change.not_billed", period=period)
        view = view_account(account, keyring=self.services.keyring)
        return {"early": early, "account": view.masked_no, "as_of": labels.of_instant(as_of(session, "bills"))}

    def _arrears(self, session: Session, question: Question, account: Account, pair: _Pair) -> str:
        """Return what is owed of other months: it makes what must be paid look like a high bill."""
        person = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=question.today, residential=person)
        others = [one for one in balance.unpaid if one.month != pair.new.month]
        if not others:
            return ""
        unpaid = money(sum((one.unpaid for one in others), Decimal(0)))
        said = self.services.phrases.say("bill_change.remark.arrears", count=len(others), unpaid=unpaid)
        return f"\n{said}"

    def _pair(self, session: Session, question: Question, account: Account, words: ChangeWords) -> _Pair:
        """Return the bills that are meant; raises NeverBilled, NoBillYet, NoBill."""
        try:
            latest = latest_month(session, account=account)
        except NoBill:
            raise NeverBilled from None
        span = question.span()
        to_last_year = words.matches("last_year", question.text)
        months = span.whole_months if span else Span.of_months(latest, latest)
        asked = months.last.replace(day=1)
        if to_last_year and months.months == 1 and add_months(asked, _YEAR) <= latest:
            # 比去年10月: that month is the one to compare with.
            months = Span.of_months(add_months(asked, _YEAR), add_months(asked, _YEAR))
        early = months if months.last.replace(day=1) > latest and account.closed_on is None else None
        if early and months.first > question.today:
            raise NoBillYet(period=self._period(months), latest=self.services.labels.of_month(latest))
        bills = self._bills(session, account, months, latest, early=early is not None)
        return self._chosen(session, account, bills, months, early=early, to_last_year=to_last_year)

    def _bills(self, session: Session, account: Account, span: Span, latest: date, *, early: bool) -> list[Bill]:
        """Return the bills of the months, oldest first; the latest one for months that are not billed yet."""
        first = min(span.first, latest) if early else span.first
        try:
            return bills_between(session, account=account, first=first, last=span.last)
        except NoBill:
            raise NoBill(period=self._period(span), latest=self.services.labels.of_month(latest)) from None

    def _chosen(
        self, session: Session, account: Account, bills: list[Bill], span: Span, *,
        early: Span | None, to_last_year: bool,
    ) -> _Pair:  # fmt: skip
        ends = span.grain in _ENDS or len(bills) == 1
        new = bills[-1] if ends else max(bills, key=lambda bill: bill.amount)
        year = bills_between(session, account=account, first=add_months(new.month, -_YEAR), last=new.month)
        last_year = year[0] if year[0].month == add_months(new.month, -_YEAR) else None
        top = max(year[1:] if last_year else year, key=lambda bill: bill.amount)
        pair = _Pair(new, year[-2] if len(year) > 1 else None, last_year, None if top is new else top, early)
        if to_last_year and last_year:
            return replace(pair, old=last_year)
        return replace(pair, old=bills[0]) if ends and len(bills) > 1 else pair

    def _not_reproduced(
        self, words: ChangeWords, pair: _Pair, error: BillNotReproduced, common: dict[str, str], slots: dict[str, Any]
    ) -> Reply:
        known = error.counted is not None
        values = {"month": words.month(error.bill), "printed": money(error.printed)}
        values["counted"] = money(error.counted) if error.counted is not None else ""
        assert pair.old is not None
        said = {
            "headline": words.headline(pair.old, pair.new),
            "problem": words.say("not_reproduced.other" if known else "not_reproduced.unknown", **values),
        }
        buttons = [(words.say("button.human"), "/request_human"), (words.say("button.meter"), "/apply_meter_check")]
        return Reply("utter_bill_change_unclear", common | said, buttons, slots=slots)

    def _buttons(self, words: ChangeWords, pair: _Pair | None) -> list[tuple[str, str]]:
        """Return the next steps; comparisons that were not made are among them."""
        buttons = [(words.say("button.meter"), "/apply_meter_check"), (words.say("button.human"), "/request_human")]
        if pair is None:
            return [*buttons, (words.say("button.usage"), "/query_usage")]
        if pair.highest and not pair.higher:
            title = words.say("button.highest", month=words.month(pair.highest))
            buttons.insert(0, _again(title, Span.of_months(pair.highest.month, pair.highest.month)))
        if pair.last_year and pair.old is not pair.last_year:
            span = Span.of_months(pair.last_year.month, pair.new.month, "range")
            buttons.insert(0, _again(words.say("button.last_year"), span))
        elif pair.last_year:
            buttons.insert(0, _again(words.say("button.before"), Span.of_months(pair.new.month, pair.new.month)))
        return buttons

    def _period(self, span: Span) -> str:
        return self.services.labels.of_months(span.first, span.last)


def _not_higher(words: ChangeWords, pair: _Pair) -> str:
    """Return what else there is to say where the comparison shows no rise."""
    if pair.higher:
        return ""
    also = words.also(pair.last_year, pair.new) if pair.last_year and pair.last_year is not pair.old else ""
    return also + (words.highest(pair.highest) if pair.highest else "")


def _again(title: str, span: Span) -> tuple[str, str]:
    return title, "/explain_high_bill" + json.dumps({"period": span.value})


def _line(row: Any) -> Line:
    return Line(row.code, row.quantity, row.unit, row.unit_price, row.amount, row.tier, row.period)


ACTIONS: tuple[type[FactAction], ...] = (ActionExplainHighBill,)
