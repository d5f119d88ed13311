"""Prices, steps and hours of a plan in words and as tables; the wording stands in data/phrases/tariff.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from actions.base import card
from actions.labels import plain
from actions.services import Services
from core.account import Account
from core.tariff import NoPlanInForce, Period, Plan, period_of
from core.tariff.plan import Window

# Cheapest first: that is what customers look for.
ORDER: tuple[Period, ...] = ("valley", "flat", "peak", "sharp")
# Of several plans of a class the one that most of its customers have.
_USUAL = {
    "residential": "hubei.residential.tier", "shared_meter": "hubei.shared_meter", "charging": "hubei.charging.tou",
    "commercial": "hubei.commercial.single.lv.tou", "industrial": "hubei.industrial.two.10kv",
}  # fmt: skip
_HOUR, _MONTHS = 60, range(1, 13)
_SAID = Decimal("0.0001")
Hours = Mapping[str, Sequence[tuple[int, int]]]


class TariffWords:
    """What is said of plans."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._say, self._labels = services.phrases.say, services.labels

    def plan(self, user_class: str, account: Account | None, today: date) -> Plan | None:
        """Return the account's own plan if it is of the class, else the usual one; None if no price is in force.

        No price of agriculture is known: its plan in the book is one of the demonstration alone.
        """
        own = account is not None and account.user_class == user_class
        code = account.plan_code if own and account is not None else _USUAL.get(user_class)
        if code is None or user_class == "agricultural":
            return None
        try:
            return self._services.book.plan(code, today)
        except NoPlanInForce:
            return None

    def name(self, user_class: str) -> str:
        """Return what a class is called."""
        return self._say(f"tariff.class_name.{user_class}")

    def title(self, plan: Plan) -> str:
        """Return what a plan is called: its class, and its voltage where the price depends on it."""
        if plan.user_class in ("residential", "charging"):
            return self.name(plan.user_class)
        voltage = self._say(f"tariff.voltage.{plan.voltage}")
        return self._say("tariff.class_voltage", name=self.name(plan.user_class), voltage=voltage)

    # -- prices

    def price(self, plan: Plan) -> str:
        """Return the prices of a plan in one sentence."""
        if plan.kind == "tier":
            return self._say("tariff.price.tier", name=self.title(plan), steps=self._steps(plan))
        if not plan.periods:
            return self._say("tariff.price.flat", name=self.title(plan), price=self.yuan(plan.prices["flat"]))
        parts = [
            self._say("tariff.price.part", period=self._labels.periods[period], price=self.yuan(plan.prices[period]))
            for period in _priced(plan)
        ]
        said = self._say("tariff.price.tou", name=self.title(plan), prices=self._labels.list_separator.join(parts))
        if plan.basic is None:
            return said
        basic = {"demand": plain(plan.basic.demand_price), "capacity": plain(plan.basic.capacity_price)}
        return said + self._say("tariff.price.basic", **basic)

    def basis(self, plan: Plan, month: date | None = None) -> str:
        """Return what the price rests on, since when, and that it is assumed if it is; `month` where prices float."""
        source = self._say(f"tariff.source.{plan.region}.{plan.user_class}")
        since = self._labels.of_day(plan.effective_from)
        status = "verified" if plan.status == "verified" else "assumed"
        said = self._say(f"tariff.basis.{status}", source=source, since=since)
        if month is None or plan.components is None:
            return said
        return self._say("tariff.price.month", month=self._labels.of_month(month)) + said

    def doubt(self, plan: Plan, month: date | None = None) -> str:
        """Return that a price is assumed, and `month` where prices float; what it rests on stands on its card."""
        said = "" if plan.status == "verified" else self._say("tariff.basis.assumed_short")
        if month is None or plan.components is None:
            return said
        return self._say("tariff.price.month", month=self._labels.of_month(month)) + said

    def price_card(self, plan: Plan) -> dict[str, Any]:
        """Return the prices as a table."""
        if plan.kind == "tier":
            return self.tier_card(plan, [tier.upper for tier in plan.tiers if tier.upper is not None])
        say = self._say
        title = say("tariff.card.price", name=self.title(plan))
        columns = [say("tariff.column.period"), say("tariff.column.hours"), say("tariff.column.price")]
        rows = self._hour_rows(plan) if plan.periods else [
            [say("tariff.row.all"), say("tariff.row.all_day"), plain(plan.prices["flat"])]
        ]  # fmt: skip
        return self._table(title, columns, rows, self.basis(plan))

    def tier_card(self, plan: Plan, bounds: Sequence[Decimal]) -> dict[str, Any]:
        """Return the steps of a year as a table."""
        say, edges = self._say, [plain(bound) for bound in bounds]
        ranges = [
            say("tariff.row.upto", upper=edges[0]),
            *(
                say("tariff.row.between", lower=low, upper=high)
                for low, high in zip(edges[:-1], edges[1:], strict=True)
            ),
            say("tariff.row.above", lower=edges[-1]),
        ]
        rows = [
            [self._labels.lines["tier"].format(tier=self._labels.tiers[number]), text, plain(tier.price)]
            for number, (text, tier) in enumerate(zip(ranges, plan.tiers, strict=True), 1)
        ]
        columns = [say("tariff.column.step"), say("tariff.column.range"), say("tariff.column.price")]
        return self._table(say("tariff.card.price", name=self.title(plan)), columns, rows, self.basis(plan))

    def yuan(self, price: Decimal) -> str:
        """Return a unit price as one says it, four places at most."""
        short = price.quantize(_SAID, ROUND_HALF_UP)
        return plain(price) if short == price else self._labels.price_rounded.format(price=plain(short))

    def _steps(self, plan: Plan) -> str:
        parts = []
        for number, tier in enumerate(plan.tiers, 1):
            form = "last" if tier.upper is None else "first" if number == 1 else ""
            values = {"tier": self._labels.tiers[number], "price": self.yuan(tier.price)}
            key = f"tariff.price.tier_step{'_' * bool(form)}{form}"
            parts.append(self._say(key, **values, upper="" if tier.upper is None else plain(tier.upper)))
        return self._labels.separator.join(parts)

    def share(self, plan: Plan) -> str:
        """Return what the level price is made of, in per cent; nothing where that is not published."""
        parts, price = plan.components, plan.prices.get("flat")
        if parts is None or not price:
            return ""
        named = [
            self._say(
                f"tariff.share.{name}", percent=plain((getattr(parts, name) * 100 / price).quantize(Decimal("0.1")))
            )
            for name in ("agent_price", "line_loss", "transmission", "system_operation", "funds")
        ]
        said = self._labels.list_separator.join(named)
        return self._say("tariff.share.intro", name=self.title(plan), price=self.yuan(price), parts=said)

    # -- hours

    def hours(self, plan: Plan, now: datetime) -> str:
        """Return the hours of the season of `now` with their prices, and what is different in the other one."""
        seasons = _seasons(plan)
        current = next(months for months in seasons if now.month in months)
        say, hours = self._say, seasons[current]
        said = say("tariff.tou.hours", name=self.title(plan), periods=self.periods(plan, hours))
        others = [
            say("tariff.tou.other_season", months=self._months(months), periods=self._differing(hours, other))
            for months, other in seasons.items() if months != current
        ]  # fmt: skip
        return said + "".join(others)

    def now(self, plan: Plan, now: datetime) -> str:
        """Return which rate counts at this moment."""
        period = period_of(plan, now)
        return self._say("tariff.tou.now", period=self._labels.periods[period], price=self.yuan(plan.prices[period]))

    def periods(self, plan: Plan, hours: Hours | None = None) -> str:
        """Return every rate with its hours and its price, cheapest first."""
        hours = next(iter(_seasons(plan).values())) if hours is None else hours
        parts = [
            self._say(
                "tariff.tou.period", period=self._labels.periods[name], hours=self._spans(hours[name]),
                price=self.yuan(plan.prices[name]),
            )
            for name in _priced(plan) if name in hours
        ]  # fmt: skip
        return (self._labels.line_separator + "\n").join(parts)

    def hours_card(self, plan: Plan) -> dict[str, Any]:
        """Return the hours as a table."""
        say = self._say
        columns = [say("tariff.column.period"), say("tariff.column.hours"), say("tariff.column.price")]
        title = say("tariff.card.hours", name=self.title(plan))
        return self._table(title, columns, self._hour_rows(plan), self.basis(plan))

    def _hour_rows(self, plan: Plan) -> list[list[str]]:
        seasons = _seasons(plan)
        rows = []
        for period in _priced(plan):
            spans = {self._spans(hours[period]): months for months, hours in seasons.items() if period in hours}
            told = [
                text if len(spans) == 1 else self._say("tariff.tou.in_months", months=self._months(months), hours=text)
                for text, months in spans.items()
            ]
            rows.append(
                [self._labels.periods[period], self._labels.line_separator.join(told), plain(plan.prices[period])]
            )
        return rows

    def _differing(self, hours: Hours, other: Hours) -> str:
        parts = [
            self._say("tariff.tou.season_period", period=self._labels.periods[name], hours=self._spans(other[name]))
            for name in ORDER if name in other and list(other[name]) != list(hours.get(name, ()))
        ]  # fmt: skip
        return self._labels.list_separator.join(parts)

    def _spans(self, spans: Sequence[tuple[int, int]]) -> str:
        named = [self._say("tariff.tou.window", start=_clock(start), end=_clock(end)) for start, end in spans]
        return self._labels.list_separator.join(named)

    def _months(self, months: frozenset[int]) -> str:
        if len(months) > len(_MONTHS) // 2:
            return self._say("tariff.tou.other_months")
        named = self._labels.list_separator.join(str(month) for month in sorted(months))
        return self._say("tariff.tou.month_list", months=named)

    def _table(self, title: str, columns: list[str], rows: list[list[str]], note: str) -> dict[str, Any]:
        text = self._labels.line_separator.join(" ".join(row) for row in rows)
        return card("table_card", f"{title} {text}", {"title": title, "columns": columns, "rows": rows, "note": note})


def _priced(plan: Plan) -> list[Period]:
    return [period for period in ORDER if period in plan.prices]


def _seasons(plan: Plan) -> dict[frozenset[int], Hours]:
    """Return the hours of each rate, by the months that have the same ones; spans that meet are one."""
    by_hours: dict[tuple[Window, ...], set[int]] = {}
    for month in _MONTHS:
        key = tuple(sorted((one for one in plan.periods if month in one.months), key=lambda one: one.start))
        by_hours.setdefault(key, set()).add(month)
    merged: dict[frozenset[int], Hours] = {}
    for windows, months in by_hours.items():
        hours: dict[str, list[tuple[int, int]]] = {}
        for window in windows:
            hours.setdefault(window.period, []).append((window.start, window.end))
        merged[frozenset(months)] = hours
    return merged


def _clock(minute: int) -> str:
    return f"{minute // _HOUR}:{minute % _HOUR:02d}"
