"""The parts of a difference of two bills in words and as a table; the wording is in data/phrases/bill_change.yaml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from actions.base import card
from actions.labels import money, plain
from actions.services import Services
from core.bill import Bill
from core.bill_change import BillChange, Part, daily_kwh

MOST_CAUSES, MOST_REMARKS = 2, 2
# What an empty flat with a fridge and a router uses in a day stays below this.
VACANT_KWH_A_DAY = Decimal(1)
_TENTH, _CENT, _PERCENT = Decimal("0.1"), Decimal("0.01"), Decimal(100)
_IN_YUAN = ("basic", "late_fee")


class ChangeWords:
    """What is said of a difference; months of this year are named without it."""

    def __init__(self, services: Services, today: date) -> None:
        self._phrases, self._labels, self._today = services.phrases, services.labels, today

    def say(self, key: str, **values: object) -> str:
        """Return one of the topic's phrases."""
        return self._phrases.say(f"bill_change.{key}", **values)

    def matches(self, kind: str, text: str) -> bool:
        """Tell whether the customer's words are of a kind (`last_year`, `line`)."""
        return re.search(self.say(f"words.{kind}"), text) is not None

    def month(self, bill: Bill) -> str:
        """Return the month of a bill: 10月, with its year if that is another."""
        key = "month" if bill.month.year == self._today.year else "month_of_year"
        return self.say(key, year=bill.month.year, month=bill.month.month)

    def headline(self, old: Bill, new: Bill) -> str:
        """Return the difference of two bills as one sentence."""
        key = "same" if new.amount == old.amount else "more" if new.amount > old.amount else "less"
        return self.say(
            f"headline.{key}",
            new=self.month(new), old=self.month(old), difference=money(abs(new.amount - old.amount)),
            amount=money(new.amount), before=money(old.amount),
        )  # fmt: skip

    def also(self, other: Bill, new: Bill) -> str:
        """Return how the bill stands to a second one, nothing if they are equal."""
        if other.amount == new.amount:
            return ""
        key = "also_more" if new.amount > other.amount else "also_less"
        return self.say(f"headline.{key}", old=self.month(other), difference=money(abs(new.amount - other.amount)))

    def highest(self, bill: Bill) -> str:
        """Return which month was dearer than the one that is told."""
        return self.say("headline.highest", month=self.month(bill), amount=money(bill.amount))

    def causes(self, change: BillChange) -> str:
        """Return the two largest causes, a line each, and that there are others."""
        largest = change.largest(MOST_CAUSES)
        if not largest:
            return ""
        said = [self.cause(part, change) for part in largest]
        if len(said) == 1:
            lines = [self.say("intro.one", text=said[0])]
        else:
            lines = [self.say("intro.two"), *(self.say("item", number=n, text=one) for n, one in enumerate(said, 1))]
        others = [part for part in change.parts if part not in largest]
        if any((part.amount > 0) != (change.difference > 0) for part in others):
            lines.append(self.say("against", difference=self._more_or_less(change.difference)))
        elif others:
            lines.append(self.say("most", count=len(others)))
        return "\n" + "\n".join(lines)

    def cause(self, part: Part, change: BillChange) -> str:
        """Return one cause with its yuan."""
        way = "more" if part.amount > 0 else "less"
        values = {"amount": money(abs(part.amount)), "when": self.month(change.old)}
        if part.cause in ("mix", "price", "plan"):
            return self.say(f"cause.{part.cause}.{way}", **values)
        if part.old is None or part.new is None:
            return self.say(f"plain.{way}", label=self.say(f"cause.{part.cause}.label"), **values)
        old, new, changed = _figures(part)
        return self.say(f"cause.{part.cause}.{way}", old=old, new=new, change=changed, **values)

    def remarks(self, change: BillChange, text: str, *, person: bool) -> str:
        """Return what may lie behind it, in the order of the checklist (domain facts 1.10), at most two."""
        new, found = change.new, []
        season = f"remark.season.{new.month.month}"
        if change.daily[1] > change.daily[0] and f"bill_change.{season}" in self._phrases and person:
            found.append(self.say(season))
        found += [self.say("remark.estimated", month=self.month(one)) for one in (change.old, new) if one.estimated]
        if change.meter_changed:
            found.append(self.say("remark.meter_changed", month=self.month(new)))
        if person and new.kwh and daily_kwh(new) < VACANT_KWH_A_DAY:
            found.append(self.say("remark.vacant"))
        if self.matches("line", text):
            found = [self.say("remark.line"), *found]
        return "".join(f"\n{one}" for one in found[:MOST_REMARKS])

    def table(self, change: BillChange) -> dict[str, Any]:
        """Return all parts as a card, the last row their sum."""
        old, new = self.month(change.old), self.month(change.new)
        title = self.say("card.title", new=new, old=old, difference=self._more_or_less(change.difference))
        rows = [[self.say("card.kwh"), *self._kwh((change.old, change.new)), self.say("unknown")]]
        rows += [self._row(part) for part in change.parts]
        total = [money(change.old.amount), money(change.new.amount), self._signed(change.difference)]
        rows.append([self.say("card.total"), *total])
        columns = [self.say("card.cause"), old, new, self.say("card.amount")]
        data = {"title": title, "columns": columns, "rows": rows, "note": self.say("card.note", old=old, new=new)}
        return card("table_card", title, data)

    def _row(self, part: Part) -> list[str]:
        label = self.say(f"cause.{part.cause}.label")
        return [label, self._figure(part, part.old), self._figure(part, part.new), self._signed(part.amount)]

    def _figure(self, part: Part, value: Decimal | None) -> str:
        if value is None:
            return self.say("unknown")
        return self.say(f"cause.{part.cause}.figure", value=_said(part, value, _TENTH))

    def _kwh(self, bills: Sequence[Bill]) -> list[str]:
        return [self.say("cause.use.figure", value=plain(bill.kwh)) for bill in bills]

    def _more_or_less(self, amount: Decimal) -> str:
        return self.say("more" if amount > 0 else "less" if amount else "same", amount=money(abs(amount)))

    def _signed(self, amount: Decimal) -> str:
        return self.say("minus" if amount < 0 else "plus", amount=money(abs(amount))) if amount else money(amount)


def _figures(part: Part) -> tuple[str, str, str]:
    """Return the two figures of a part and their distance, fine enough to differ."""
    assert part.old is not None
    assert part.new is not None
    step = _TENTH if abs(part.new - part.old) >= _TENTH else _CENT
    old, new = (value.quantize(step, ROUND_HALF_UP) for value in (part.old, part.new))
    return _said(part, part.old, step), _said(part, part.new, step), plain(abs(new - old))


def _said(part: Part, value: Decimal, step: Decimal) -> str:
    if part.cause in _IN_YUAN:
        return money(value)
    if part.cause == "power_factor":
        return format(value, "f")
    if part.cause == "mix":
        return plain((value * _PERCENT).quantize(_TENTH, ROUND_HALF_UP))
    return plain(value.quantize(step, ROUND_HALF_UP))
