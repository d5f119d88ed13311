"""Arithmetic of saving advice: illustrations on stated assumptions, never tariffs."""

from __future__ import annotations

from decimal import Decimal

from core.tariff.errors import TariffInputError
from core.tariff.numbers import money, non_negative


def used_kwh(kw: Decimal, hours: Decimal) -> Decimal:
    """Return the kWh of an appliance of `kw` running for `hours`."""
    return non_negative(kw, "kw") * non_negative(hours, "hours")


def setback_kwh(base_kwh: Decimal, per_degree: Decimal, degrees: int) -> Decimal:
    """Return the kWh saved by setting an air conditioner milder; the fraction `per_degree` compounds.

    Sources give 0.05 to 0.08 a degree. Raises TariffInputError for a fraction above 1 or degrees below 0.
    """
    share = non_negative(per_degree, "per_degree")
    if share > 1 or degrees < 0:
        raise TariffInputError("per_degree", "needs a fraction of 0 to 1 and degrees from 0 on")
    return non_negative(base_kwh, "base_kwh") * (1 - (1 - share) ** degrees)


def saved_yuan(kwh: Decimal, price: Decimal) -> Decimal:
    """Return what saved kWh are worth at the price of the tier the customer is in now."""
    return money(non_negative(kwh, "kwh") * non_negative(price, "price"))


def storage_cycle_yuan(
    discharged_kwh: Decimal, efficiency: Decimal, charge_price: Decimal, discharge_price: Decimal
) -> Decimal:
    """Return the gain of one storage cycle: discharged x high price - discharged / efficiency x low price."""
    share = non_negative(efficiency, "efficiency")
    if not 0 < share <= 1:
        raise TariffInputError("efficiency", "must be above 0 and at most 1")
    out = non_negative(discharged_kwh, "discharged_kwh")
    return money(out * discharge_price - out / share * charge_price)
