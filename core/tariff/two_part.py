"""What a two-part or power-factor customer pays beside the energy: basic charge and adjustment (spec 1.9)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.tariff.errors import MissingDemand, TariffInputError
from core.tariff.model import DAYS_IN_BILLING_MONTH, Demand, Line
from core.tariff.numbers import ZERO, money, non_negative
from core.tariff.plan import BasicRule, Plan
from core.tariff.power_factor import power_factor, power_factor_rate


def basic_lines(plan: Plan, demand: Demand | None, kwh: Decimal) -> list[Line]:
    """Return the basic charge by capacity, actual or contract demand; none for plans without one.

    `kwh` of the month decides on the 10 % discount of the demand price. A contract demand exceeded gives a
    second line, the excess at double price. Raises MissingDemand if the plan needs a demand and there is
    none.
    """
    rule = plan.basic
    if rule is None:
        return []
    if demand is None:
        raise MissingDemand("demand", f"plan {plan.code} has a basic charge")
    if demand.method == "capacity":
        return [_line(_billed_kva(demand), "kVA", rule.capacity_price)]
    price = demand_price(rule, demand.capacity_kva, kwh)
    return [
        _line(kw * demand.days / DAYS_IN_BILLING_MONTH, "kW", price * factor)
        for kw, factor in _billed_kw(rule, demand)
        if kw or factor == 1
    ]


def demand_price(rule: BasicRule, capacity_kva: Decimal, kwh: Decimal) -> Decimal:
    """Return yuan per kW and month; a well used transformer (kWh per kVA) gets the discount."""
    well_used = kwh > 0 and kwh >= rule.heavy_use_kwh_per_kva * capacity_kva
    return rule.demand_price * rule.heavy_use_factor if well_used else rule.demand_price


def _billed_kva(demand: Demand) -> Decimal:
    stood = demand.capacity_kva * demand.days - demand.paused_kva * demand.paused_days
    return stood / DAYS_IN_BILLING_MONTH


def _billed_kw(rule: BasicRule, demand: Demand) -> list[tuple[Decimal, Decimal]]:
    """Return (kW, price factor) pairs: the demand itself and, for a contract, what exceeds it."""
    actual = demand.actual_kw or ZERO
    if demand.method == "actual":
        return [(actual, Decimal(1))]
    contract = demand.contract_kw or ZERO
    excess = max(ZERO, actual - rule.excess_from * contract)
    floor = rule.contract_floor * demand.capacity_kva
    return [(max(contract, floor), Decimal(1)), (excess, rule.excess_factor)]


def _line(quantity: Decimal, unit: str, price: Decimal) -> Line:
    return Line("basic", quantity, unit, price, money(quantity * price))


def power_factor_lines(
    plan: Plan,
    lines: Sequence[Line],
    kwh: Decimal,
    kvarh: Decimal | None,
    *,
    capacity_kva: Decimal | None,
    standard: Decimal | None,
) -> list[Line]:
    """Return the power-factor adjustment on energy + basic charge without government funds; none if not
    assessed.

    Assessed where reactive energy was metered and either `standard` is given or one of the plan's rules
    holds.
    """
    wanted = standard if standard is not None else standard_for(plan, capacity_kva)
    if kvarh is None or wanted is None or not kwh:
        return []
    funds = plan.components.funds if plan.components else ZERO
    base = sum((line.amount for line in lines), ZERO) - kwh * funds
    rate = power_factor_rate(power_factor(kwh, non_negative(kvarh, "kvarh")), wanted)
    return [Line("power_factor", base, "CNY", rate, money(base * rate))]


def standard_for(plan: Plan, capacity_kva: Decimal | None) -> Decimal | None:
    """Return the power-factor standard of a customer; an unknown capacity is taken as large enough for the
    first.
    """
    if capacity_kva is None:
        return plan.power_factor[0].standard if plan.power_factor else None
    return next((rule.standard for rule in plan.power_factor if rule.holds(capacity_kva)), None)


def break_even_ratio(rule: BasicRule, *, discounted: bool = False) -> Decimal:
    """Return the demand/capacity ratio (kW per kVA) below which billing by demand is cheaper, unrounded."""
    price = rule.demand_price * (rule.heavy_use_factor if discounted else 1)
    if not price:
        raise TariffInputError("demand_price", "must be above 0")
    return rule.capacity_price / price
