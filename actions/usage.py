"""How many kWh were used, by register, against the same time last year, with a chart."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply, card
from actions.labels import plain
from actions.question import DAY, Question, Span
from core.account import Account, as_of, view_account
from core.clock import add_months, first_of_month
from core.usage import MonthUsage, NoReading, Usage, meter_view, monthly_usage, usage_between

CHART_MONTHS = 6


class ActionQueryUsage(BusinessAction):
    """Tells the use of the days or months asked for, by default of the last whole month."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_usage"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.account(session, question)
        span = question.span() or self._year(account, question) or _default(account, question.today)
        read_to = _last_reading(session, account)
        if account.closed_on is None and (read_to is None or span.first > read_to):
            return self._not_yet(account, span, read_to)
        use = self._use(session, account, span.first, span.last)
        values = self._values(session, account, use, self._period(span))
        if read_to and read_to < span.last:
            day = self.services.labels.of_day(read_to, question.today)
            values["until"] = self.services.labels.usage_until.format(day=day)
        if span.grain == DAY:
            others = self.other_accounts(session, question, account)
            return Reply("utter_usage", values, others, slots=self.remember(account, span))
        return self._of_months(session, question, account, span, use, values)

    def _year(self, account: Account, question: Question) -> Span | None:
        """Return the last twelve whole months for 一年用多少, which names no year."""
        if re.search(self.services.labels.usage_year, question.text) is None:
            return None
        last = add_months(question.today, -1)
        first = max(add_months(last, -11), first_of_month(account.opened_on))
        return Span.of_months(first, last) if first <= last else None

    def _not_yet(self, account: Account, span: Span, read_to: date | None) -> Reply:
        """Say when readings come in, and offer the last day that has one."""
        labels, slots = self.services.labels, self.remember(account, span)
        values = {"period": self._period(span)}
        if read_to is None:
            return Reply("utter_no_reading_yet", values, slots=slots)
        title = labels.usage_see.format(period=labels.of_day(read_to))
        payload = "/query_usage" + json.dumps({"date": read_to.isoformat()})
        return Reply("utter_no_reading_yet", values, [(title, payload)], slots=slots)

    def _of_months(
        self, session: Session, question: Question, account: Account, span: Span, use: Usage, values: dict[str, str]
    ) -> Reply:
        labels = self.services.labels
        values["compare"] = self._compare(session, account, span, use)
        points, before = self._points(session, account, span)
        data = {
            **{name: values[name] for name in ("title", "account", "as_of")},
            "unit": labels.units["kWh"],
            "points": points,
            "compare": before,
            "compare_label": labels.usage_compare,
            "total": plain(use.total),
            "registers": self._registers(use),
        }
        return Reply(
            "utter_usage", values, self.other_accounts(session, question, account),
            [card("usage_chart", f"{values['title']} {values['kwh']}", data)], self.remember(account, span),
        )  # fmt: skip

    def _period(self, span: Span) -> str:
        return self.services.labels.of_days(span.first, span.last)

    def _use(self, session: Session, account: Account, first: date, last: date) -> Usage:
        try:
            return usage_between(session, account=account, first=first, last=last)
        except NoReading:
            raise NoReading(period=self.services.labels.of_days(first, last)) from None

    def _values(self, session: Session, account: Account, use: Usage, period: str) -> dict[str, str]:
        labels = self.services.labels
        named = [
            labels.register_sentence.format(period=one["label"], value=one["value"], share=one["share"].rstrip("%"))
            for one in self._registers(use)
        ]
        return {
            "period": period,
            "until": "",
            "compare": "",
            "title": labels.usage_title.format(period=period),
            "account": view_account(account, keyring=self.services.keyring).masked_no,
            "kwh": plain(use.total),
            "registers": labels.separator + labels.registers_intro + labels.list_separator.join(named) if named else "",
            "as_of": labels.of_instant(as_of(session, "readings")),
        }

    def _registers(self, use: Usage) -> list[dict[str, str]]:
        """Return the use by register; nothing for a meter that knows only one."""
        parts = {name: kwh for name, kwh in _by_register(use).items() if kwh}
        if len(parts) < 2:
            return []
        return [
            {
                "label": self.services.labels.periods[name], "value": plain(kwh),
                "share": f"{(kwh * 100 / use.total).quantize(Decimal(1))}%",
            }
            for name, kwh in parts.items()
        ]  # fmt: skip

    def _compare(self, session: Session, account: Account, span: Span, use: Usage) -> str:
        """Return how the use compares with the same months a year before, if those are known whole."""
        labels = self.services.labels
        if use.days_covered < (span.last - span.first).days + 1:
            return ""
        first = add_months(span.first, -12)
        following = add_months(add_months(span.last, -12), 1)
        last = date.fromordinal(following.toordinal() - 1)
        try:
            before = usage_between(session, account=account, first=first, last=last)
        except NoReading:
            return labels.usage_new
        if before.days_covered < (last - first).days + 1 or not before.total:
            return labels.usage_new
        change = use.total - before.total
        form = labels.usage_more if change > 0 else labels.usage_less if change < 0 else labels.usage_same
        percent = (abs(change) * 100 / before.total).quantize(Decimal(1))
        return form.format(change=plain(abs(change)), percent=percent)

    def _points(
        self, session: Session, account: Account, span: Span
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the months of the chart and the same months a year before.

        A single month is shown with the five before it.
        """
        start = span.first if span.months > 1 else add_months(span.first, 1 - CHART_MONTHS)
        months = _months_or_none(session, account, start, span.last)
        before = _months_or_none(session, account, add_months(start, -12), add_months(span.last, -12))
        whole = {add_months(one.month, 12): self._point(one) for one in before if not one.partial}
        compared = [whole[one.month] for one in months if one.month in whole]
        return [self._point(one) for one in months], compared if len(compared) == len(months) else []

    def _point(self, use: MonthUsage) -> dict[str, Any]:
        label = self.services.labels.usage_month.format(month=use.month.month)
        return {
            "label": label, "value": plain(use.usage.total), "estimated": bool(use.usage.estimated_days),
            "partial": use.partial,
        }  # fmt: skip


def _default(account: Account, today: date) -> Span:
    """Return the last whole month; for an account opened since, the current one."""
    month = max(add_months(today, -1), first_of_month(account.opened_on))
    return Span.of_months(month, month)


def _last_reading(session: Session, account: Account) -> date | None:
    try:
        return meter_view(session, account=account).day
    except NoReading:
        return None


def _months_or_none(session: Session, account: Account, first: date, last: date) -> Sequence[MonthUsage]:
    try:
        return monthly_usage(session, account=account, first=first, last=last)
    except NoReading:
        return []


def _by_register(use: Usage) -> dict[str, Decimal]:
    parts = use.registers
    return {"sharp": parts.sharp, "peak": parts.peak, "flat": parts.flat, "valley": parts.valley}


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryUsage,)
