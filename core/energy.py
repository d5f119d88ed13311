"""Energy services reckoned from own figures: a solar roof, storage between the hours, a charging pile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from core.account import Account
from core.clock import add_months
from core.energy_data import BusinessFacts, SolarFacts
from core.saving_use import Worth, YearUse
from core.tariff import Plan, Registers, TariffBook, charge, period_of, price_of, storage_cycle_yuan
from core.tariff.numbers import ZERO, money, round_to
from core.text import folded

YEAR = 12
HUNDRED = Decimal(100)
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_PRICE_STEP = Decimal("0.0001")


@dataclass(frozen=True)
class Roof:
    """What a roof may yield in a year: kWp and kWh between two bounds."""

    area_m2: Decimal | None
    kwp_low: Decimal
    kwp_high: Decimal
    kwh_low: Decimal
    kwh_high: Decimal


@dataclass(frozen=True)
class RoofWorth:
    """What the yield is worth a year: kWh used at home and the price they replace, the rest at the reference price."""

    self_low: Decimal
    self_high: Decimal
    price: Decimal
    fed_low: Decimal
    fed_high: Decimal
    feed_in: Decimal
    yuan_low: Decimal
    yuan_high: Decimal


@dataclass(frozen=True)
class StorageCycle:
    """The gain of 100 kWh discharged once, charged in the valley, in the month of `month` (yuan)."""

    month: date
    sharp: Decimal
    peak: Decimal
    efficiency: Decimal


@dataclass(frozen=True)
class PileYear:
    """A charging account's last whole months: kWh, the valley's share, and both ways to pay for them (yuan)."""

    months: int
    kwh: Decimal
    valley_share: Decimal
    tou: Decimal
    flat: Decimal
    flat_price: Decimal

    @property
    def saving(self) -> Decimal:
        """What prices by the hour saved (negative: they cost more)."""
        return self.flat - self.tou


def area_in(text: str, facts: SolarFacts) -> Decimal | None:
    """Return the square metres that a message names, or None."""
    return _first(facts.area_words, text)


def kilowatts_in(text: str, facts: SolarFacts) -> Decimal | None:
    """Return the kilowatts that a message names, or None."""
    return _first(facts.kilowatt_words, text)


def roof_of(facts: SolarFacts, *, area_m2: Decimal | None = None, kwp: Decimal | None = None) -> Roof:
    """Return the yield of a roof of this area, or of panels of this power; without either, of the example roof."""
    yields = facts.kwh_per_kwp
    if kwp is not None:
        return Roof(None, kwp, kwp, kwp * yields.low, kwp * yields.high)
    area = facts.example_m2.value if area_m2 is None else area_m2
    low, high = area * facts.kwp_per_m2.low, area * facts.kwp_per_m2.high
    return Roof(area, low, high, low * yields.low, high * yields.high)


def roof_worth(roof: Roof, worth: Worth, account: Account, facts: SolarFacts) -> RoofWorth:
    """Return what a roof yields to this account: own use at its own price, never more than it uses by day.

    On plans by the hour the replaced price is that of the hours in which the sun shines, month by month; on tiered
    plans the dearest kWh of the year go first. The rest is valued at the reference price, which is no promise.
    """
    home = account.user_class == "residential"
    share = (facts.self_use_home if home else facts.self_use_business).value
    by_day = worth.use.total * YEAR / len(worth.use.months) * facts.daytime_share.value
    used = [min(kwh * share, by_day) for kwh in (roof.kwh_low, roof.kwh_high)]
    fed = [kwh - own for kwh, own in zip((roof.kwh_low, roof.kwh_high), used, strict=True)]
    hourly = sunny_price(worth, facts)
    saved = [worth.yuan(kwh) if hourly is None else money(kwh * hourly) for kwh in used]
    yuan = [own + money(kwh * facts.feed_in.value) for own, kwh in zip(saved, fed, strict=True)]
    price = worth.price(used[1]) if hourly is None else round_to(hourly, _PRICE_STEP)
    return RoofWorth(used[0], used[1], price, fed[0], fed[1], facts.feed_in.value, yuan[0], yuan[1])


def sunny_price(worth: Worth, facts: SolarFacts) -> Decimal | None:
    """Return yuan per kWh over the sunny hours of the last months, unrounded; None on plans without hours."""
    if not worth.plan.periods:
        return None
    monthly = [_sunny(plan, month.month, facts) for month, plan in zip(worth.use.months, worth.monthly, strict=True)]
    return sum(monthly, ZERO) / len(monthly)


def _sunny(plan: Plan, month: date, facts: SolarFacts) -> Decimal:
    hours = enumerate(facts.hours.share, facts.hours.first)
    return sum(
        (share * price_of(plan, period_of(plan, datetime.combine(month, time(hour)))) for hour, share in hours), ZERO
    )  # fmt: skip


def storage_cycle(plan: Plan, facts: BusinessFacts, *, month: date) -> StorageCycle | None:
    """Return the gain of one cycle of 100 kWh at the prices of `plan`; None without valley and sharp prices."""
    if not {"sharp", "peak", "valley"} <= set(plan.prices):
        return None
    efficiency, valley = facts.storage_efficiency.value, price_of(plan, "valley")
    sharp, peak = (storage_cycle_yuan(HUNDRED, efficiency, valley, price_of(plan, name)) for name in ("sharp", "peak"))
    return StorageCycle(month, sharp, peak, efficiency)


def storage_seasons(book: TariffBook, code: str, facts: BusinessFacts, *, today: date) -> list[StorageCycle]:
    """Return the cycles of this month and of the first later month with other prices, if that is known by now."""
    found: list[StorageCycle] = []
    for ahead in range(YEAR):
        month = today if ahead == 0 else add_months(today, ahead)
        cycle = storage_cycle(book.plan(code, month), facts, month=month)
        if cycle and all((cycle.sharp, cycle.peak) != (one.sharp, one.peak) for one in found):
            found.append(cycle)
    return found


def pile_year(book: TariffBook, account: Account, use: YearUse) -> PileYear | None:
    """Compare a charging account's own months under its hours and under one price; None if its plan has no hours.

    Raises:
        NoPlanInForce: if the prices of a month are not known.
    """
    tou, flat = ZERO, ZERO
    price = ZERO
    for month in use.months:
        plan = book.plan(account.plan_code, month.month)
        if plan.without_tou is None:
            return None
        other = book.plan(plan.without_tou, month.month)
        registers: Registers = month.usage.registers
        tou, flat = tou + charge(plan, registers).total, flat + charge(other, registers).total
        price = price_of(other, "flat")
    valley = round_to(use.registers.valley / use.total, Decimal("0.001"))
    return PileYear(len(use.months), use.total, valley, tou, flat, price)


def number_of(text: str) -> Decimal:
    """Return a number written in digits or in Chinese: 120.5, 八千, 一千二, 三万五.

    Raises:
        ValueError: if it is neither.
    """
    if text[0].isdigit():
        return Decimal(text)
    if set(text) - set(_DIGITS) - set(_UNITS):
        raise ValueError(f"no number: {text}")
    whole, part, last, unit = 0, 0, 0, 1
    for sign in text:
        if sign in _DIGITS:
            last = _DIGITS[sign]
            unit = 1 if last == 0 else unit  # 一百零五 is 105
            continue
        unit = _UNITS[sign]
        if sign == "万":
            whole, part = (whole + part + last or 1) * unit, 0
        else:
            part += (last or 1) * unit
        last = 0
    # 一千二 is 1200: a digit at the end counts in the unit below.
    below = unit // 10 if text[-1] in _DIGITS and unit > 10 else 1
    return Decimal(whole + part + last * below)


def _first(pattern: str, text: str) -> Decimal | None:
    found = re.search(pattern, folded(text))
    return number_of(found[1]) if found else None
