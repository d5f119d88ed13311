"""Bills that pass a new year or a change of price: cut into parts, each on its own plan (spec 1.4, 1.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from core.tariff.billing import charge
from core.tariff.book import TariffBook
from core.tariff.errors import TariffInputError
from core.tariff.model import PERIODS, Charge, Registers
from core.tariff.numbers import ZERO, non_negative, round_to
from core.tariff.plan import Plan
from core.tariff.service import Service, service_bounds

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Part:
    """One part of a bill: its days, plan, usage and charge; `estimated` if the usage was split by days."""

    first: date
    last: date
    plan: Plan
    usage: Registers
    charge: Charge
    estimated: bool


@dataclass(frozen=True)
class SpanCharge:
    """A whole bill in parts; `estimated` must be said to the customer."""

    parts: tuple[Part, ...]
    total: Decimal
    kwh: Decimal
    cum_after: Decimal | None
    estimated: bool


def split_by_days(total: Decimal, days: Sequence[int], *, quantum: Decimal = Decimal(1)) -> tuple[Decimal, ...]:
    """Split kWh over parts in proportion to their days: rounded half-up to whole kWh, the last part gets the
    rest.

    Running sums are rounded, so the parts always add up to the total. Raises TariffInputError without any
    day.
    """
    amount = non_negative(total, "total")
    if not days or min(days) < 0 or not sum(days):
        raise TariffInputError("days", "must be at least one day, none negative")
    parts, given, running = [], ZERO, 0
    for count in days[:-1]:
        running += count
        upto = min(amount, round_to(amount * running / sum(days), quantum))
        parts.append(upto - given)
        given = upto
    return (*parts, amount - given)


def split_registers(usage: Registers, days: Sequence[int]) -> tuple[Registers, ...]:
    """Split every register of a bill by days; raises TariffInputError without any day."""
    columns = [split_by_days(usage.of(period), days) for period in PERIODS]
    return tuple(Registers(*row) for row in zip(*columns, strict=True))


def charge_span(
    book: TariffBook,
    code: str,
    usage: Registers,
    *,
    first: date,
    last: date,
    cum_before: Decimal = ZERO,
    service: Service | None = None,
    readings: Mapping[date, Registers] | None = None,
) -> SpanCharge:
    """Return the bill of `usage` from `first` to `last` (both included), cut at 1 January and where prices
    change.

    `readings` holds the kWh used since `first` up to 00:00 of a day; a cut without one is estimated by days.
    The year's cumulative kWh restart at 0 on 1 January and go on over a change of price. Free kWh are those
    of one bill, used up in order of time. Raises NoPlanInForce, TariffInputError.
    """
    who = service or Service()
    starts = _starts(book, code, first, last)
    usages = _usages(usage, starts, last, dict(readings or {}))
    parts: list[Part] = []
    cum, free = non_negative(cum_before, "cum_before"), who.free_kwh
    for number, (start, (part_usage, estimated)) in enumerate(zip(starts, usages, strict=True)):
        plan = book.plan(code, start)
        if number and start.year != starts[number - 1].year:
            cum = ZERO
        bounds = service_bounds(book, code, start.year, who) if plan.tiered else None
        result = charge(plan, part_usage, cum_before=cum, bounds=bounds, free_kwh=free)
        cum, free = cum + part_usage.total, max(ZERO, free - part_usage.total)
        end = starts[number + 1] - ONE_DAY if number + 1 < len(starts) else last
        parts.append(Part(start, end, plan, part_usage, result, estimated))
    return SpanCharge(
        parts=tuple(parts),
        total=sum((part.charge.total for part in parts), Decimal("0.00")),
        kwh=usage.total,
        cum_after=parts[-1].charge.cum_after,
        estimated=any(part.estimated or part.charge.estimated for part in parts),
    )


def _starts(book: TariffBook, code: str, first: date, last: date) -> list[date]:
    """Return the first days of the parts: of the bill, of plans, of tier years."""
    if last < first:
        raise TariffInputError("last", "is before the first day")
    starts, day = [], first
    while day <= last:
        starts.append(day)
        plan = book.plan(code, day)
        ends = [last]
        if plan.effective_to is not None:
            ends.append(plan.effective_to)
        if plan.tiered:
            ends.append(date(day.year, 12, 31))
        day = min(ends) + ONE_DAY
    return starts


def _usages(
    usage: Registers, starts: Sequence[date], last: date, readings: dict[date, Registers]
) -> list[tuple[Registers, bool]]:
    """Return usage and "estimated" of each part; between two readings the days decide."""
    edges = [*starts, last + ONE_DAY]
    known = {**{day: used for day, used in readings.items() if day in edges}}
    known[edges[0]], known[edges[-1]] = Registers(), usage
    result: list[tuple[Registers, bool]] = []
    fixed = [number for number, edge in enumerate(edges) if edge in known]
    for begin, end in zip(fixed[:-1], fixed[1:], strict=True):
        days = [(edges[number + 1] - edges[number]).days for number in range(begin, end)]
        stretch = _difference(known[edges[end]], known[edges[begin]])
        result += [(part, len(days) > 1) for part in split_registers(stretch, days)]
    return result


def _difference(later: Registers, earlier: Registers) -> Registers:
    """Return what was used between two readings; raises NegativeFigure if the meter would run backwards."""
    return Registers(*(later.of(period) - earlier.of(period) for period in PERIODS))
