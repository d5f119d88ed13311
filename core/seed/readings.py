"""Daily frozen readings: running sums of the load shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from core.clock import add_months, first_of_month, months_between
from core.seed.accounts import AccountSpec
from core.seed.shapes import NOTHING, Counts, Shapes, month_end
from core.seed.spans import ONE_DAY, MeterSpec

LONGEST_GAP = 3


@dataclass(frozen=True)
class Window:
    """What is seeded: bills of the months from `first`, readings up to yesterday."""

    first: date
    today: date

    @property
    def yesterday(self) -> date:
        """The day of the last reading."""
        return self.today - ONE_DAY

    @property
    def last_billed(self) -> date:
        """The last month that is over."""
        return add_months(first_of_month(self.today), -1)


@dataclass(frozen=True)
class ReadingRow:
    """A reading in hundredths of a unit."""

    meter_id: int
    day: date
    counts: Counts
    quality: str


def ledger_of(account: AccountSpec, shapes: Shapes, until: date) -> dict[date, Counts]:
    """Return the units of each month from the first record of an account up to the month `until`."""
    return {month: shapes.units(account, month) for month in months_between(account.recorded_from, until)}


def readings_of(
    account: AccountSpec, shapes: Shapes, ledger: dict[date, Counts], window: Window
) -> Iterator[ReadingRow]:
    """Yield the readings of an account's meters, from the one before the window's first day on."""
    before = window.first - ONE_DAY
    meters = iter(account.meters)
    meter, level = next(meters), NOTHING
    if meter.installed_on >= before:
        yield ReadingRow(meter.id, meter.installed_on, NOTHING, "actual")
    for month, units in ledger.items():
        if month > window.yesterday:
            return
        if month == window.first and meter.installed_on < before:
            yield ReadingRow(meter.id, before, level, "actual")
        if month >= window.first or _exchanged(meter, month):
            guessed = estimated_days(account, month)
            for day, counts in shapes.days(account, month, units):
                quality = "estimated" if day.day in guessed else "actual"
                if before < day <= window.yesterday:
                    yield ReadingRow(meter.id, day, _add(level, counts), quality)
                if day == meter.removed_on and day != account.closed_on:
                    meter, level = next(meters), _minus(counts)
                    if before <= day <= window.yesterday:
                        yield ReadingRow(meter.id, day, NOTHING, "actual")
        level = _add(level, (units[0] * 100, units[1] * 100, units[2] * 100, units[3] * 100))


def estimated_days(account: AccountSpec, month: date) -> frozenset[int]:
    """Return the days of a month whose readings did not come in and were estimated."""
    rng = Random(f"{account.id}:{month:%Y-%m}:quality")
    chance = rng.random()
    if chance < 0.007:
        return frozenset({month_end(month).day})
    if chance < 0.05:
        first = rng.randint(2, 24)
        return frozenset(range(first, first + rng.randint(1, LONGEST_GAP)))
    return frozenset()


def _exchanged(meter: MeterSpec, month: date) -> bool:
    return meter.removed_on is not None and month == first_of_month(meter.removed_on)


def _add(level: Counts, counts: Counts) -> Counts:
    return level[0] + counts[0], level[1] + counts[1], level[2] + counts[2], level[3] + counts[3]


def _minus(counts: Counts) -> Counts:
    return -counts[0], -counts[1], -counts[2], -counts[3]
