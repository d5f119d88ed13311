"""Energy used (用电量), from the daily frozen readings of the registers 尖 峰 平 谷.

The first reading of a meter is the value it started from on the day it was installed, so that the use between
two days is always a difference of readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.account import Account, Meter, shown_from
from core.clock import add_months, first_of_month, months_between
from core.db import BillingBase, Exact
from core.errors import BusinessError
from core.tariff import Registers

REGISTERS = ("sharp", "peak", "flat", "valley")
_ONE_DAY = timedelta(days=1)


class DailyReading(BillingBase):
    """What a meter's registers stood at when `day` ended (frozen at 24:00), in kWh before the multiplier."""

    __tablename__ = "daily_readings"
    __table_args__ = (Index("ix_daily_readings_day", "day"),)
    meter_id: Mapped[int] = mapped_column(ForeignKey("meters.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    sharp: Mapped[Decimal] = mapped_column(Exact(2))
    peak: Mapped[Decimal] = mapped_column(Exact(2))
    flat: Mapped[Decimal] = mapped_column(Exact(2))
    valley: Mapped[Decimal] = mapped_column(Exact(2))
    quality: Mapped[str] = mapped_column(String(10), default="actual")  # actual | estimated


class NoReading(BusinessError):
    """There is no reading for the days asked for: before the supply began, after it ended, or not yet in."""

    code = "no_reading"


@dataclass(frozen=True)
class Usage:
    """What was used from `first` to `last` (days, both included), in kWh.

    `days_covered` of these days lie between readings (fewer where readings are not in yet, or before the
    supply began); on `estimated_days` of them the reading was estimated.
    """

    first: date
    last: date
    registers: Registers
    days_covered: int
    estimated_days: int

    @property
    def total(self) -> Decimal:
        """The kWh of all registers together."""
        return self.registers.total


@dataclass(frozen=True)
class MonthUsage:
    """What was used in one month (its first day); `partial` while its readings are not all in."""

    month: date
    usage: Usage
    partial: bool


@dataclass(frozen=True)
class MeterView:
    """What the display of a meter shows at the end of a day: readings; times `multiplier` they are kWh."""

    meter_no: str
    day: date
    readings: Registers
    multiplier: int
    phases: int
    installed_on: date
    estimated: bool


@dataclass(frozen=True)
class _Reading:
    meter_id: int
    multiplier: int
    day: date
    values: tuple[Decimal, ...]
    estimated: bool


def usage_between(session: Session, *, account: Account, first: date, last: date) -> Usage:
    """Return the kWh by register of the days `first` to `last` (both included), across changes of the meter.

    Raises:
        NoReading: if no day among them lies between two readings.
        ValueError: if `last` is before `first`.
    """
    if last < first:
        raise ValueError("the last day is before the first")
    usage = _usage(_readings(session, account, first, last), first, last)
    if not usage.days_covered:
        raise NoReading
    return usage


def monthly_usage(session: Session, *, account: Account, first: date, last: date) -> list[MonthUsage]:
    """Return the kWh of every month from that of `first` to that of `last` that has readings, oldest first.

    The current month reaches to the last reading and is marked partial.

    Raises:
        NoReading: if none of these months has any.
        ValueError: if `last` is before `first`.
    """
    if last < first:
        raise ValueError("the last day is before the first")
    readings = _readings(session, account, first_of_month(first), _month_end(last))
    result = []
    for month in months_between(first, last):
        end = _month_end(month)
        within = [reading for reading in readings if month - _ONE_DAY <= reading.day <= end]
        usage = _usage(within, month, end)
        if usage.days_covered:
            due = end if account.closed_on is None else min(end, account.closed_on)
            result.append(MonthUsage(month, usage, partial=within[-1].day < due))
    if not result:
        raise NoReading
    return result


def reading_on(session: Session, *, account: Account, day: date) -> MeterView:
    """Return what the account's meter stood at when `day` ended; on the day of an exchange, the new meter.

    Raises:
        NoReading: if it was not read on that day.
    """
    return _view(session, account, day)


def meter_view(session: Session, *, account: Account) -> MeterView:
    """Return the latest reading of the account's meter.

    Raises:
        NoReading: if it was never read.
    """
    return _view(session, account, None)


def _readings(session: Session, account: Account, first: date, last: date) -> list[_Reading]:
    """Return the readings from the one before `first` to that of `last`, by day, older meter first."""
    first = max(first, shown_from(account))
    query = (
        select(
            DailyReading.meter_id, Meter.multiplier, DailyReading.day, DailyReading.quality,
            DailyReading.sharp, DailyReading.peak, DailyReading.flat, DailyReading.valley,
        )
        .join(Meter, Meter.id == DailyReading.meter_id)
        .where(Meter.account_id == account.id, DailyReading.day.between(day_before(first), last))
        .order_by(DailyReading.day, Meter.installed_on, Meter.id)
    )  # fmt: skip
    return [
        _Reading(meter, multiplier, day, tuple(values), estimated=quality == "estimated")
        for meter, multiplier, day, quality, *values in session.execute(query)
    ]


def _usage(readings: Sequence[_Reading], first: date, last: date) -> Usage:
    """Add up, meter by meter, the last reading less the first, times the multiplier."""
    kwh = [Decimal(0)] * len(REGISTERS)
    days = 0
    for begin, end in _stretches(readings):
        days += (end.day - begin.day).days
        for place, (low, high) in enumerate(zip(begin.values, end.values, strict=True)):
            kwh[place] += (high - low) * end.multiplier
    estimated = {reading.day for reading in readings if reading.estimated and reading.day >= first}
    return Usage(first, last, Registers(*kwh), days, len(estimated))


def _stretches(readings: Sequence[_Reading]) -> Iterator[tuple[_Reading, _Reading]]:
    by_meter = sorted(readings, key=lambda reading: (reading.meter_id, reading.day))
    for _, group in groupby(by_meter, key=lambda reading: reading.meter_id):
        of_meter = list(group)
        yield of_meter[0], of_meter[-1]


def _view(session: Session, account: Account, day: date | None) -> MeterView:
    query = (
        select(DailyReading, Meter)
        .join(Meter, Meter.id == DailyReading.meter_id)
        .where(Meter.account_id == account.id, DailyReading.day >= day_before(shown_from(account)))
        .order_by(DailyReading.day.desc(), Meter.installed_on.desc(), Meter.id.desc())
        .limit(1)
    )
    found = session.execute(query if day is None else query.where(DailyReading.day == day)).first()
    if found is None:
        raise NoReading
    reading, meter = found
    return MeterView(
        meter_no=meter.meter_no,
        day=reading.day,
        readings=Registers(reading.sharp, reading.peak, reading.flat, reading.valley),
        multiplier=meter.multiplier,
        phases=meter.phases,
        installed_on=meter.installed_on,
        estimated=reading.quality == "estimated",
    )


def day_before(day: date) -> date:
    """Return the day whose reading is the one that `day` starts from."""
    return day - _ONE_DAY if day > date.min else day


def _month_end(day: date) -> date:
    return add_months(first_of_month(day), 1) - _ONE_DAY
