"""A comparison of tariffs in words and as a table; the wording stands in data/phrases/tariff_choice.yaml."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from actions.base import card
from actions.labels import money, plain
from actions.services import Services
from actions.tariff_words import TariffWords
from core.tariff_choice import Option, TariffChoice

_WHOLE, _TENTH, _PRICE, _PERCENT = Decimal(1), Decimal("0.1"), Decimal("0.001"), Decimal(100)
_YEAR = 12


class ChoiceWords:
    """What is said of a customer's choice."""

    def __init__(self, services: Services) -> None:
        self._phrases, self._labels = services.phrases, services.labels
        self._tariffs = TariffWords(services)

    def say(self, key: str, **values: object) -> str:
        """Return one of the topic's phrases."""
        return self._phrases.say(f"tariff_choice.{key}", **values)

    def matches(self, kind: str, text: str) -> bool:
        """Tell whether the customer's words are about `hours`, `charging`, `shared` or `structure`."""
        return re.search(self.say(f"words.{kind}"), text) is not None

    def name(self, option: Option) -> str:
        """Return what an option is called."""
        kind = option.plan.kind if option.method == "energy" else option.method
        return self.say(f"name.{option.plan.user_class}.{kind}")

    def months(self, choice: TariffChoice) -> str:
        """Return the months counted: 这12个月."""
        count = len(choice.months)
        return self.say("months.year") if count == _YEAR else self.say("months.some", count=count)

    def period(self, choice: TariffChoice) -> str:
        """Return the months counted by their names."""
        return self._labels.of_months(choice.months[0].month, choice.months[-1].month)

    def headline(self, choice: TariffChoice, option: Option) -> str:
        """Return what another tariff would have cost, the difference first."""
        current = choice.current.total
        values = {"other": self.name(option), "months": self.months(choice)}
        values["current"] = money(current) if current is not None else ""
        if option.total is None or option.saving is None:
            return self.say("unknown_demand" if option.method == "actual" else "unknown", **values)
        key = "saves" if option.saving > 0 else "costs" if option.saving < 0 else "even"
        return self.say(key, **values, total=money(option.total), saving=money(abs(option.saving)))

    def already(self, choice: TariffChoice, text: str) -> str:
        """Return that the customer has hours already, to somebody who asks for them."""
        return self.say("already") if choice.current.plan.periods and self.matches("hours", text) else ""

    def only(self, choice: TariffChoice) -> str:
        """Return what the present tariff cost."""
        total, kwh = choice.current.total, choice.usage.total
        if total is None or not kwh:
            return ""
        average = plain((total / kwh).quantize(_PRICE, ROUND_HALF_UP))
        values = {"months": self.months(choice), "kwh": plain(kwh), "current": money(total)}
        return self.say("only", **values, average=average)

    def to_pay(self, choice: TariffChoice, option: Option) -> str:
        """Return what would make hours, or billing by demand, pay."""
        if option.break_even is None:
            return ""
        if option.method == "actual":
            return self.say("demand", kw=plain(option.break_even.quantize(_WHOLE, ROUND_HALF_UP)))
        usage, needed = choice.usage, _percent(option.break_even)
        outside = usage.sharp + usage.peak + usage.valley
        if not outside:
            return self.say("share.needed", share=needed)
        said = self.say("share.own", share=needed, own=_percent(usage.valley / outside))
        return said + self._shift(choice, option)

    def unsure(self, option: Option) -> str:
        """Return that the option must be confirmed, if it must."""
        return self.say(f"unsure.{option.plan.user_class}") if option.certainty == "unsure" else ""

    def shared(self, choice: TariffChoice, total: Decimal) -> str:
        """Return what the price of a shared meter would have cost a household."""
        current = choice.current.total or Decimal(0)
        key = "shared.more" if total >= current else "shared.less"
        values = {"months": self.months(choice), "total": money(total), "change": money(abs(total - current))}
        return self.say(key, **values)

    def table(self, choice: TariffChoice) -> dict[str, Any]:
        """Return all options as a card."""
        months = self.months(choice)
        title = self.say("card.title", months=months)
        now = self.say("card.now", name=self.name(choice.current))
        rows = [[now, self._total(choice.current), self.say("card.base")]]
        rows += [[self.name(one), self._total(one), self._change(one)] for one in choice.others]
        columns = [self.say("card.plan"), self.say("card.total"), self.say("card.change")]
        data = {"title": title, "columns": columns, "rows": rows, "note": self._basis(choice)}
        return card("table_card", title, data)

    def _basis(self, choice: TariffChoice) -> str:
        plans = [one.plan for one in (choice.current, *choice.others)]
        return "".join(dict.fromkeys(self._tariffs.basis(plan) for plan in plans))

    def _shift(self, choice: TariffChoice, option: Option) -> str:
        if option.shift is None:
            return ""
        if not option.shift.possible:
            return self.say("shift.impossible")
        kwh = (option.shift.kwh / len(choice.months)).quantize(_WHOLE, ROUND_HALF_UP)
        return self.say("shift.possible", kwh=plain(kwh), share=_percent(option.shift.share))

    def _total(self, option: Option) -> str:
        return self.say("card.unknown") if option.total is None else money(option.total)

    def _change(self, option: Option) -> str:
        if option.saving is None:
            return self.say("card.base")
        if not option.saving:
            return self.say("same")
        return self.say("less" if option.saving > 0 else "more", amount=money(abs(option.saving)))


def _percent(share: Decimal) -> str:
    return plain((share * _PERCENT).quantize(_TENTH, ROUND_HALF_UP))
