"""Advice on saving from the customer's own use: each measure with the yuan a year and how they are reckoned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from core.account import Account
from core.energy_data import Appliance, HomeFacts
from core.saving_use import Worth, YearUse, year_use
from core.tariff import TariffBook, saved_yuan, setback_kwh

MOST_MEASURES, FEWEST_MEASURES = 3, 2
HOURS_A_YEAR = Decimal(24 * 365)
KWH = Decimal(1000)
DAYS_A_YEAR = Decimal(365)
# Below this nobody changes a habit.
_WORTH_SAYING = Decimal(1)


@dataclass(frozen=True)
class Measure:
    """One piece of advice: kWh and yuan a year between two bounds (often equal), and the figures behind them."""

    key: str
    kwh_low: Decimal
    kwh_high: Decimal
    yuan_low: Decimal
    yuan_high: Decimal
    figures: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def mean(self) -> Decimal:
        """The middle of the two bounds in yuan, by which measures are sorted."""
        return (self.yuan_low + self.yuan_high) / 2


@dataclass(frozen=True)
class Advice:
    """What a customer's own year says: use, prices, base load, and the measures worth most, best first."""

    use: YearUse
    worth: Worth
    base_daily: Decimal
    measures: tuple[Measure, ...]
    named: bool  # whether the first of them is about an appliance that was named


def advise(
    session: Session, *, account: Account, book: TariffBook, facts: HomeFacts, today: date,
    appliances: Sequence[str] = (),
) -> Advice:  # fmt: skip
    """Return at most three measures, those of a named appliance first, the others by yuan.

    Raises:
        TooLittleUse: if the readings do not suffice.
        NoReading: if there are none.
        NoPlanInForce: if the account's prices of today are not known.
    """
    use = year_use(session, account=account, today=today)
    worth = Worth.of(book, account, use, today=today)
    base = base_load(use, facts)
    measures = _own_measures(account, facts, use, worth, base)
    first = [measure for name in appliances for measure in _of_appliance(facts, name, measures, worth, base)]
    keys = {measure.key for measure in first}
    others = [measure for measure in measures if measure.key not in keys and measure.mean >= _WORTH_SAYING]
    if len(first) + len(others) < FEWEST_MEASURES and account.user_class != "charging":
        others += [one for one in _fallback(account, facts, worth, base) if one.key not in keys]
    ordered = [*_unique(first), *sorted(others, key=lambda measure: -measure.mean)]
    return Advice(use, worth, base, tuple(ordered[:MOST_MEASURES]), bool(first))


def base_load(use: YearUse, facts: HomeFacts) -> Decimal:
    """Return the kWh a day that are used even on the quietest days: the mean of the lowest ones of the year."""
    lowest = sorted(use.daily.values())[: int(facts.base_days.value)]
    return sum(lowest, Decimal(0)) / len(lowest) if lowest else Decimal(0)


def season_kwh(use: YearUse, facts: HomeFacts, season: str) -> Decimal:
    """Return the kWh of the `cooling` or `heating` months above the level of the mild months, at least 0.

    0 too where the months at hand hold no day of the season or no mild day.
    """
    mild, days = use.in_months(facts.seasons.mild), use.in_months(getattr(facts.seasons, season))
    if not mild or not days:
        return Decimal(0)
    level = sum(mild, Decimal(0)) / len(mild)
    return max(Decimal(0), sum(days, Decimal(0)) - level * len(days))


def general_measures(
    book: TariffBook, facts: HomeFacts, *, today: date, appliances: Sequence[str] = ()
) -> list[Measure]:
    """Return measures for somebody unknown, at the first tier's price: what is reckoned from no own use.

    Those of a named appliance come first. Raises NoPlanInForce if the plan for examples holds no more.
    """
    price = book.plan(facts.general_plan, today).tiers[0].price
    named = [facts.appliances[name] for name in appliances if name in facts.appliances]
    keys = [
        key for appliance in named for key in (appliance.formula, *(one for one in appliance.own if one == "standby"))
    ]
    first, rest = (
        [_general(facts, key, price) for key in some if key] for some in (dict.fromkeys(keys), facts.general)
    )
    return _unique([*first, *sorted(rest, key=lambda measure: -measure.mean)])[:MOST_MEASURES]


def is_essential(facts: HomeFacts, appliances: Sequence[str]) -> bool:
    """Tell whether one of the appliances keeps somebody alive or moving: nobody is told to switch it off."""
    return any(facts.appliances.get(name, Appliance()).essential for name in appliances)


def _own_measures(
    account: Account, facts: HomeFacts, use: YearUse, worth: Worth, base: Decimal
) -> list[Measure]:  # fmt: skip
    charging = account.user_class == "charging"
    # In the fields summer is for watering: what is used more then is no air conditioning.
    seasonless = charging or account.user_class == "agricultural"
    home = [] if seasonless else [_season(facts, use, worth, "cooling"), _season(facts, use, worth, "heating")]
    if not charging:
        home.append(_standby(facts, worth, base))
    share = Decimal(1) if charging else facts.shift_share.value
    return [one for one in (*home, _step(facts, use, worth), _shift(use, worth, share, charging)) if one is not None]


def _season(facts: HomeFacts, use: YearUse, worth: Worth, season: str) -> Measure | None:
    kwh = season_kwh(use, facts, season)
    degrees = int(facts.setback_degrees.value)
    low, high = (setback_kwh(kwh, share, degrees) for share in (facts.setback.low, facts.setback.high))
    if not low:
        return None
    figures = {
        "season": kwh,
        "price": worth.price(high),
        "degrees": facts.setback_degrees.value,
        "cost": worth.yuan(kwh),
    }
    return Measure(season, low, high, worth.yuan(low), worth.yuan(high), figures)


def _standby(facts: HomeFacts, worth: Worth, base: Decimal) -> Measure | None:
    """Switching off what stands by all day, at most a share of the base load that was measured."""
    wanted = facts.standby_watts.value * HOURS_A_YEAR / KWH
    kwh = min(wanted, base * DAYS_A_YEAR * facts.standby_share.value)
    if not kwh:
        return None
    watts = kwh * KWH / HOURS_A_YEAR
    return _one("standby", kwh, worth.yuan(kwh), {"watts": watts, "base": base, "price": worth.price(kwh)})


def _step(facts: HomeFacts, use: YearUse, worth: Worth) -> Measure | None:
    """Staying below the last step passed, where that is near enough to be done."""
    over = worth.over_step
    if worth.tier <= 1 or over > use.total * facts.step_share.value:
        return None
    figures = {"over": over, "tier": Decimal(worth.tier), "price": worth.price(over), "bound": use.total - over}
    return _one("step", over, worth.yuan(over), figures)


def _shift(use: YearUse, worth: Worth, share: Decimal, charging: bool) -> Measure | None:
    yuan = worth.shift_yuan(share)
    used = use.registers
    kwh = (used.sharp + used.peak) * share
    if not yuan:
        return None
    valley = used.valley / used.total * 100
    figures = {"moved": kwh, "valley": valley, "share": share * 100}
    return _one("shift_charging" if charging else "shift", Decimal(0), yuan, figures)


def _fallback(account: Account, facts: HomeFacts, worth: Worth, base: Decimal) -> list[Measure]:
    keys = facts.fallback.get(account.user_class, facts.fallback["other"])
    found = [_formula_at_own_price(facts, key, worth, base) for key in keys]
    return [measure for measure in found if measure.mean >= _WORTH_SAYING]


def _formula_at_own_price(facts: HomeFacts, key: str, worth: Worth, base: Decimal) -> Measure:
    formula = facts.formulas[key]
    most = base * DAYS_A_YEAR * facts.standby_share.value if formula.constant else worth.use.total
    kwh = min(formula.kwh, most)
    return _one(key, kwh, worth.yuan(kwh), {"price": worth.price(kwh), "kwh": kwh})


def _of_appliance(
    facts: HomeFacts, name: str, measures: Sequence[Measure], worth: Worth, base: Decimal
) -> list[Measure]:  # fmt: skip
    known = facts.appliances.get(name, Appliance())
    own = [measure for key in known.own for measure in measures if measure.key.split("_")[0] == key]
    if known.formula is None:
        return own
    return [*own, _formula_at_own_price(facts, known.formula, worth, base)]


def _general(facts: HomeFacts, key: str, price: Decimal) -> Measure:
    if key == "standby":
        return _standby_general(facts, price)
    kwh = facts.formulas[key].kwh
    return _one(key, kwh, saved_yuan(kwh, price), {"price": price, "kwh": kwh})


def _standby_general(facts: HomeFacts, price: Decimal) -> Measure:
    watts = facts.standby_watts.value
    kwh = watts * HOURS_A_YEAR / KWH
    return _one("standby_general", kwh, saved_yuan(kwh, price), {"watts": watts, "price": price, "kwh": kwh})


def _one(key: str, kwh: Decimal, yuan: Decimal, figures: Mapping[str, Decimal]) -> Measure:
    return Measure(key, kwh, kwh, yuan, yuan, figures)


def _unique(measures: Sequence[Measure]) -> list[Measure]:
    return list({measure.key: measure for measure in measures}.values())
