"""A bill taken back to what it was counted from, and counted again: only one that comes out right can be explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from core.account import Account
from core.bill import Bill
from core.errors import BusinessError
from core.tariff import (
    Charge,
    Demand,
    NoPlanInForce,
    Plan,
    Registers,
    Service,
    TariffBook,
    TariffInputError,
    charge,
    service_bounds,
)
from core.tariff.billing import HOUSEHOLD_CLASSES
from core.tier_year import service_of

ZERO = Decimal(0)


class BillNotReproduced(BusinessError):
    """Counted again from its own figures, a bill does not give its printed amount; a person must look at it.

    `printed` is the amount on the bill, `counted` the nearest that the engine gives (None: it cannot count it).
    """

    code = "bill_not_reproduced"

    def __init__(self, bill: Bill, counted: Decimal | None) -> None:
        super().__init__()
        self.bill = bill
        self.printed = bill.amount
        self.counted = counted

    def __str__(self) -> str:
        return f"bill {self.bill.id}: printed {self.printed}, counted {self.counted}"


@dataclass(frozen=True)
class Basis:
    """All that `charge` counts a bill from; `cum` is the year's kWh before it, `service` gives its bounds.

    `bounds` are empty for plans without steps.
    """

    plan: Plan
    usage: Registers
    cum: Decimal
    service: Service
    bounds: tuple[Decimal, ...]
    free_kwh: Decimal
    demand: Demand | None
    kvarh: Decimal | None

    def charged(self) -> Charge:
        """Return the bill; raises TariffInputError for figures that do not go together."""
        return charge(
            self.plan,
            self.usage,
            cum_before=self.cum,
            bounds=self.bounds if self.plan.tiered else None,
            free_kwh=self.free_kwh,
            demand=self.demand,
            kvarh=self.kvarh,
        )


def basis_of(book: TariffBook, account: Account, bill: Bill) -> Basis:
    """Return what a bill was counted from.

    What the bill does not print (bounds, entitlements) comes from the account; since an account's entitlements may be
    younger than the bill, those that give the printed amount are taken.

    Raises:
        BillNotReproduced: if none does, or no price is known for the month.
    """
    counted = None
    for basis in _candidates(book, account, bill):
        try:
            result = basis.charged()
        except TariffInputError:
            continue
        counted = result.total + late_fee_on(bill)
        if counted == bill.amount:
            return basis
    raise BillNotReproduced(bill, counted)


def late_fee_on(bill: Bill) -> Decimal:
    """Return the late fee (违约金) printed on a bill, in yuan."""
    return sum((line.amount for line in bill.lines if line.code == "late_fee"), Decimal("0.00"))


def demand_billed(bill: Bill, capacity_kva: Decimal | None) -> Demand | None:
    """Return what a bill's basic charge was counted from; None where no capacity is known.

    The printed line tells it: kVA, the kW that were measured, else the kW of a contract. That a demand was measured
    does not mean that it was billed. `capacity_kva` is the account's; the kVA printed go before it, for they may be
    older.
    """
    line = next((line for line in bill.lines if line.code == "basic"), None)
    if line is not None and line.unit == "kVA":
        return Demand(line.quantity)
    if capacity_kva is None:
        return None
    if line is None:
        return Demand(capacity_kva)
    if line.quantity == bill.demand_kw:
        return Demand(capacity_kva, "actual", actual_kw=line.quantity)
    return Demand(capacity_kva, "contract", actual_kw=bill.demand_kw, contract_kw=line.quantity)


def _candidates(book: TariffBook, account: Account, bill: Bill) -> Iterator[Basis]:
    """Yield what the bill may have been counted from: with the account's large-family kWh, then without."""
    closing = account.closed_on is not None and account.closed_on == bill.period_last
    for large_family in (True, False) if account.large_family_kwh else (True,):
        service = service_of(account, bill.month, closing=closing, large_family=large_family)
        try:
            plan = book.plan(bill.plan_code, bill.period_first)
            bounds = service_bounds(book, plan.code, bill.month.year, service) if plan.tiered else ()
        except (NoPlanInForce, TariffInputError):
            continue
        yield Basis(
            plan=plan,
            usage=Registers(bill.sharp_kwh, bill.peak_kwh, bill.flat_kwh, bill.valley_kwh),
            cum=bill.cum_before or ZERO,
            service=service,
            bounds=bounds,
            free_kwh=_free_kwh(account, bill) if plan.user_class in HOUSEHOLD_CLASSES else ZERO,
            demand=demand_billed(bill, account.capacity_kva) if plan.basic else None,
            kvarh=bill.kvarh,
        )


def _free_kwh(account: Account, bill: Bill) -> Decimal:
    """Return the free kWh of a bill: the account's, unless the bill shows others."""
    printed = sum((line.quantity for line in bill.lines if line.code == "free_quota"), ZERO)
    return account.free_kwh if printed == min(account.free_kwh, bill.kwh) else printed
