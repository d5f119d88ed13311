"""Figures, months and times in the form in which customers read them, from `data/labels.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from core.clock import SHANGHAI
from core.tariff import Line

# Four registers are still heard out; a factory's seven lines are not.
MOST_LINES, LARGEST_LINES = 4, 3
PRICE_SAID = Decimal("0.0001")


class Labels(BaseModel):
    """The names and formats, and the functions that apply them."""

    model_config = ConfigDict(extra="forbid")

    month: str
    month_range: str
    day: str
    short_day: str
    instant: str
    instant_unknown: str
    day_range: str
    separator: str
    list_separator: str
    line_separator: str
    lines: dict[str, str]
    line_sentence: str
    line_sentence_short: str
    line_credit: str
    line_credit_short: str
    price_rounded: str
    lines_most: str
    lines_asked: str
    lines_none: str
    tiers: list[str]
    units: dict[str, str]
    periods: dict[str, str]
    bill_title: str
    bill_status: dict[str, str]
    bill_status_one: dict[str, str]
    bill_status_many: dict[str, str]
    bill_pending: str
    estimated_note: str
    assumed_note: str
    usage_year: str
    usage_title: str
    usage_compare: str
    usage_month: str
    usage_until: str
    usage_see: str
    usage_more: str
    usage_less: str
    usage_same: str
    usage_new: str
    registers_intro: str
    register_sentence: str
    balance_title: str
    owed_due: str
    owed_due_past: str
    owed_since: str
    payment_title: str
    prepaid_unbilled: str
    prepaid_unread: str
    payment_since: str
    account_title: str
    payment_channel: dict[str, str]
    payment_status: dict[str, str]
    user_class: dict[str, str]
    account_button: str
    address_noise: str
    ordinals: list[list[str]]
    not_after_ordinal: str
    class_words: dict[str, list[str]]
    place_endings: str
    leaning: list[str]

    @classmethod
    def load(cls, path: Path) -> Labels:
        """Read the file.

        Raises:
            pydantic.ValidationError: if a label is missing or unknown.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def of_month(self, month: date) -> str:
        """Return a month as 2026年10月."""
        return self.month.format(year=month.year, month=month.month)

    def of_months(self, first: date, last: date) -> str:
        """Return one month, or the first and the last of several."""
        if (first.year, first.month) == (last.year, last.month):
            return self.of_month(first)
        return self.month_range.format(first=self.of_month(first), last=self.of_month(last))

    def of_days(self, first: date, last: date) -> str:
        """Return a whole month or months as such, other spans by their first and last day."""
        if first.day == 1 and (last.day >= 28 and (last.replace(day=28).month != _next_day(last).month)):
            return self.of_months(first, last)
        if first == last:
            return self.of_day(first)
        return self.month_range.format(first=self.of_day(first), last=self.of_day(last))

    def of_day(self, day: date, today: date | None = None) -> str:
        """Return a day as 2026年10月5日, without its year if that is the year of `today`."""
        form = self.short_day if today and today.year == day.year else self.day
        return form.format(year=day.year, month=day.month, day=day.day)

    def of_instant(self, at: datetime | None) -> str:
        """Return a time in Shanghai as 11月21日06:00; an unknown one is called so."""
        if at is None:
            return self.instant_unknown
        local = at.astimezone(SHANGHAI)
        return self.instant.format(month=local.month, day=local.day, hour=local.hour, minute=local.minute)

    def of_line(self, line: Line) -> str:
        """Return the name of a printed line of a bill."""
        tier = self.tiers[line.tier] if line.tier is not None else ""
        return self.lines[line.code].format(tier=tier, period=self.periods.get(line.period or "", ""))

    def line_text(self, line: Line) -> str:
        """Return a printed line as a short sentence."""
        unit = self.units[line.unit]
        by_kwh = line.unit == "kWh" and line.unit_price > 0
        if line.amount < 0:
            form = self.line_credit if by_kwh else self.line_credit_short
        else:
            form = self.line_sentence if by_kwh else self.line_sentence_short
        return form.format(
            label=self.of_line(line), quantity=plain(line.quantity), unit=unit, price=self._price(line.unit_price),
            amount=money(abs(line.amount)),
        )  # fmt: skip

    def line_row(self, line: Line) -> dict[str, str]:
        """Return a printed line as a card shows it, the unit price unrounded."""
        return {
            "label": self.of_line(line), "quantity": plain(line.quantity), "unit": self.units[line.unit],
            "price": plain(line.unit_price), "amount": money(line.amount),
        }  # fmt: skip

    def lines_text(self, lines: Sequence[Line], asked: str = "") -> str:
        """Return the lines of a bill that cost or give back something; of many those `asked` for and the largest."""
        said = [line for line in lines if line.amount]
        if not said:
            return self.lines_none
        if len(said) <= MOST_LINES:
            return self.line_separator.join(self.line_text(line) for line in said)
        # 力调罚了多少: the small line that is named comes first.
        largest = sorted(said, key=lambda line: (self.of_line(line)[:2] not in asked, -abs(line.amount)))[
            :LARGEST_LINES
        ]
        named = self.line_separator.join(self.line_text(line) for line in largest)
        form = self.lines_asked if self.of_line(largest[0])[:2] in asked else self.lines_most
        return form.format(lines=named, rest=len(said) - LARGEST_LINES)

    def _price(self, price: Decimal) -> str:
        short = price.quantize(PRICE_SAID, ROUND_HALF_UP)
        return plain(price) if short == price else self.price_rounded.format(price=plain(short))


def plain(value: Decimal) -> str:
    """Return a number without trailing zeros or exponent: 180, 0.558, 42."""
    text = format(value.normalize(), "f")
    return text if text != "-0" else "0"


def money(value: Decimal) -> str:
    """Return yuan with two decimals."""
    return format(value.quantize(Decimal("0.01")), "f")


def _next_day(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)
