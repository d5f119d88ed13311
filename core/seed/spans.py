"""When accounts open and close and meters come and go: the same in every year that one looks from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from core.clock import add_months
from core.seed.region import AccountKind

ONE_DAY = timedelta(days=1)
# No record is older than this; what was there before got a new meter in the years after it.
EPOCH = date(2016, 1, 1)
RENEWED_BY_MONTHS = 40
# From here on every account that should be there has its records.
EARLIEST_WINDOW = date(2020, 1, 1)
MOVES_EVERY = 48
GENERATIONS = 9
EXCHANGES_EVERY_YEARS = 2
LAST_YEAR = 2050


@dataclass(frozen=True)
class MeterSpec:
    """A meter; its first reading is the zero of the day it was installed, at the end of that day."""

    id: int
    meter_no: str
    installed_on: date
    removed_on: date | None


def account_spans(kind: AccountKind, number: int, rng: Random) -> list[tuple[date, date | None]]:
    """Return the days of opening and closing of the accounts that follow one another."""
    if kind.moves:
        # 13 has no factor in common with 48: the moves of consecutive customers spread over all months.
        begin = add_months(EPOCH, number * 13 % MOVES_EVERY)
        months = [add_months(begin, MOVES_EVERY * step) for step in range(GENERATIONS + 1)]
        days = [month.replace(day=rng.randint(3, 25)) for month in months]
        return list(zip(days[:-1], days[1:], strict=True))
    if kind.since is not None:
        month = add_months(kind.since, number * 5 % kind.spread)
        return [(month.replace(day=rng.randint(3, 25)), None)]
    return [(date(rng.randint(2003, 2018), rng.randint(1, 12), rng.randint(3, 25)), None)]


def meters_of(account_id: int, kind: AccountKind, number: int, opened: date, closed: date | None) -> list[MeterSpec]:
    """Return the meters that an account ever has, in order."""
    rng = Random(f"{account_id}:meter")
    installed = max(opened, add_months(EPOCH, rng.randint(0, RENEWED_BY_MONTHS)) - ONE_DAY)
    exchanges = [day for day in _exchanges(kind, number) if day > installed]
    edges = [installed, *exchanges, closed]
    return [
        MeterSpec(account_id * 100 + place, f"4230{rng.randint(0, 9)}{account_id * 100 + place:017}", begin, end)
        for place, (begin, end) in enumerate(zip(edges[:-1], edges[1:], strict=True))
        if begin is not None
    ]


def _exchanges(kind: AccountKind, number: int) -> list[date]:
    if kind.exchange is None or number:
        return []
    year = kind.exchange.year
    return [kind.exchange.replace(year=later) for later in range(year, LAST_YEAR, EXCHANGES_EVERY_YEARS)]
