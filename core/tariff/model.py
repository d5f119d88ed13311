"""What goes into a bill and what comes out: registers, demand, lines, charge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from core.tariff.errors import MissingDemand, TariffInputError
from core.tariff.numbers import ZERO, non_negative, round_to, whole_between

Period = Literal["sharp", "peak", "flat", "valley"]
PERIODS: tuple[Period, ...] = ("sharp", "peak", "flat", "valley")

DemandMethod = Literal["capacity", "actual", "contract"]
DAYS_IN_BILLING_MONTH = 30


@dataclass(frozen=True)
class Registers:
    """kWh of one bill by register; a meter without time-of-use has all in `flat`."""

    sharp: Decimal = ZERO
    peak: Decimal = ZERO
    flat: Decimal = ZERO
    valley: Decimal = ZERO

    def __post_init__(self) -> None:
        for period in PERIODS:
            object.__setattr__(self, period, non_negative(getattr(self, period), period))

    @property
    def total(self) -> Decimal:
        """The kWh of all registers together."""
        return self.sharp + self.peak + self.flat + self.valley

    def of(self, period: str) -> Decimal:
        """Return the kWh of one register; raises TariffInputError for an unknown one."""
        if period not in PERIODS:
            raise TariffInputError(period, "is no register")
        kwh: Decimal = getattr(self, period)
        return kwh

    def used(self) -> Iterator[tuple[Period, Decimal]]:
        """Yield the registers that counted anything, in printed order."""
        for period in PERIODS:
            if self.of(period):
                yield period, self.of(period)


@dataclass(frozen=True)
class Demand:
    """What the basic charge of a two-part customer is counted from (kVA, kW).

    `days` below 30 is a customer connected or closed within the month, `paused_kva` the part that stood
    sealed for `paused_days` (both by thirtieths of a month). Raises MissingDemand if the method lacks its
    figure, TariffInputError for impossible ones.
    """

    capacity_kva: Decimal
    method: DemandMethod = "capacity"
    actual_kw: Decimal | None = None
    contract_kw: Decimal | None = None
    days: int = DAYS_IN_BILLING_MONTH
    paused_kva: Decimal = ZERO
    paused_days: int = 0

    def __post_init__(self) -> None:
        for name in ("capacity_kva", "actual_kw", "contract_kw", "paused_kva"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, non_negative(value, name))
        if self.method not in ("capacity", "actual", "contract"):
            raise TariffInputError("method", "must be capacity, actual or contract")
        if self.method == "actual" and self.actual_kw is None:
            raise MissingDemand("actual_kw", "is needed to bill the actual demand")
        if self.method == "contract" and self.contract_kw is None:
            raise MissingDemand("contract_kw", "is needed to bill the contract demand")
        whole_between(self.days, 0, DAYS_IN_BILLING_MONTH, "days")
        whole_between(self.paused_days, 0, self.days, "paused_days")
        if self.paused_kva > self.capacity_kva:
            raise TariffInputError("paused_kva", "is more than the capacity")


@dataclass(frozen=True)
class Line:
    """One printed line of a bill; `amount` is `quantity` x `unit_price` rounded half-up to 0.01 yuan.

    `code`: tier, period, tier_surcharge, flat, basic, power_factor, free_quota (amount negative) or late_fee.
    `unit_price` is a rate for power_factor and late_fee, whose quantity is the base amount in yuan.
    """

    code: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    amount: Decimal
    tier: int | None = None
    period: str | None = None


@dataclass(frozen=True)
class Charge:
    """A calculated bill: lines that the customer can add up.

    Lines without quantity are left out. `cum_after` (year's kWh after this bill) and `tier_kwh` (kWh of this
    bill by tier, zeros included) exist for tiered plans only. `estimated` says that tiers were spread over
    periods in proportion because the region's surcharges differ by period.
    """

    lines: tuple[Line, ...]
    total: Decimal
    kwh: Decimal
    cum_after: Decimal | None = None
    tier_kwh: tuple[Decimal, ...] = ()
    estimated: bool = False

    def amount(self, code: str, *, tier: int | None = None, period: str | None = None) -> Decimal:
        """Return the yuan of all lines of a code, of one tier or period where given; 0 if there is none."""
        chosen = (
            line.amount
            for line in self.lines
            if line.code == code and tier in (None, line.tier) and period in (None, line.period)
        )
        return sum(chosen, Decimal("0.00"))

    @property
    def average_price(self) -> Decimal | None:
        """Yuan per kWh over everything on the bill, to 0.0001; None when nothing was used."""
        return round_to(self.total / self.kwh, Decimal("0.0001")) if self.kwh else None
