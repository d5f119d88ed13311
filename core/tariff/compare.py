"""One usage under two plans: what a time-of-use offer is worth to this customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.tariff.billing import charge
from core.tariff.book import TariffBook
from core.tariff.errors import TariffInputError
from core.tariff.model import Charge, Registers
from core.tariff.numbers import ZERO
from core.tariff.plan import Plan


@dataclass(frozen=True)
class Comparison:
    """Two charges for the same kWh; `saving` is what the chosen plan saves (negative: it is dearer)."""

    chosen: Charge
    other: Charge
    saving: Decimal


def compare(chosen: Plan, other: Plan, usage: Registers, *, cum_before: Decimal = ZERO) -> Comparison:
    """Charge the usage under both plans; raises TariffInputError, UnpricedRegister."""
    ours = charge(chosen, usage, cum_before=cum_before)
    theirs = charge(other, usage, cum_before=cum_before)
    return Comparison(ours, theirs, theirs.total - ours.total)


def compare_without_tou(
    book: TariffBook, plan: Plan, usage: Registers, *, on: date, cum_before: Decimal = ZERO
) -> Comparison:
    """Compare a time-of-use plan with the plan that holds when it is not chosen.

    Raises TariffInputError if the plan names none, NoPlanInForce if that one does not cover the day.
    """
    if plan.without_tou is None:
        raise TariffInputError("plan", f"{plan.code} names no plan without time-of-use")
    return compare(plan, book.plan(plan.without_tou, on), usage, cum_before=cum_before)
