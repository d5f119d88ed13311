"""The basic charge (基本电费) of a year's bills by each method that may be chosen, as the tariff engine counts it.

By the transformer's capacity, by the highest demand that was measured, by a contract demand. What a month would have
cost by demand is known only where the demand was measured in it, however it was billed.
Sources: 发改办价格〔2016〕1583号 (choice by quarter, 105 %, 40 %); the formula is that of `core.tariff.two_part`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from core.bill import Bill
from core.bill_basis import demand_billed
from core.tariff import Demand, Plan, TariffBook, break_even_ratio
from core.tariff.model import DemandMethod
from core.tariff.plan import BasicRule
from core.tariff.two_part import basic_lines

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class BasicCharges:
    """What was paid in yuan by the present method, and what each of the others would have come to.

    `contract_kw`: the whole kW of contract demand that is reckoned with: the lowest that no month exceeded by more than
    is free; None, as `highest_kw`, where not every month's demand was measured. `edge_kw`: the demand at which a month
    costs the same by capacity and by demand.
    """

    now: DemandMethod
    paid: Decimal
    others: Mapping[DemandMethod, Decimal]
    edge_kw: Decimal
    highest_kw: Decimal | None = None
    contract_kw: Decimal | None = None

    @property
    def best(self) -> tuple[DemandMethod, Decimal] | None:
        """Return the cheapest other method with its yuan; of equal ones that which needs no measuring."""
        cheapest = min(self.others, key=self.others.__getitem__, default=None)
        return None if cheapest is None else (cheapest, self.others[cheapest])


def basic_charges(bills: Sequence[Bill], book: TariffBook, capacity_kva: Decimal | None) -> BasicCharges | None:
    """Return the basic charge of these bills by each method; None where they have none.

    Raises:
        NoPlanInForce: if a bill's prices are not known any more.
    """
    lines = [line for bill in bills for line in bill.lines if line.code == "basic"]
    if not lines or not capacity_kva:
        return None
    plans = [book.plan(bill.plan_code, bill.month) for bill in bills]
    months = [
        _Month(bill, plan, plan.basic, capacity_kva)
        for bill, plan in zip(bills, plans, strict=True) if plan.basic is not None
    ]  # fmt: skip
    if len(months) < len(bills):
        return None  # of a year that was billed by the kWh in part, no method is known as a whole
    present, methods = months[-1].billed, {one.billed.method for one in months}
    now = present.method
    paid = sum((line.amount for line in lines), ZERO)
    if len(methods) > 1:  # changed within the year: what it comes to by the present one alone
        if now == "actual" and any(one.bill.demand_kw is None for one in months):
            return None
        paid = _sum(months, present)
    highest = _highest(months)
    found: dict[DemandMethod, Decimal] = {"capacity": _sum(months, Demand(capacity_kva))}
    contract = None if highest is None else _safe_contract(months[-1], highest)
    if contract is not None:
        found["actual"] = _sum(months, Demand(capacity_kva, "actual", actual_kw=highest))
        found["contract"] = _sum(months, Demand(capacity_kva, "contract", contract_kw=contract))
    others = {name: yuan for name, yuan in found.items() if name != now or _is_new(name, contract, present)}
    return BasicCharges(now, paid, others, _edge(months), highest, contract)


@dataclass(frozen=True)
class _Month:
    """A bill, the plan that it is of with its rule, and the capacity."""

    bill: Bill
    plan: Plan
    rule: BasicRule
    capacity_kva: Decimal

    @property
    def billed(self) -> Demand:
        """Return how its basic charge was counted: by kVA, by what was measured, else by the kW of a contract."""
        return demand_billed(self.bill, self.capacity_kva) or Demand(self.capacity_kva)

    def charged(self, demand: Demand) -> Decimal:
        """Return the basic charge of the month by a method, with the month's own demand."""
        own = replace(demand, actual_kw=self.bill.demand_kw)
        return sum((line.amount for line in basic_lines(self.plan, own, self.bill.kwh)), ZERO)


def _sum(months: Sequence[_Month], demand: Demand) -> Decimal:
    return sum((one.charged(demand) for one in months), ZERO)


def _edge(months: Sequence[_Month]) -> Decimal:
    rule, capacity = months[-1].rule, months[-1].capacity_kva
    mean = sum((one.bill.kwh for one in months), ZERO) / len(months)
    return capacity * break_even_ratio(rule, discounted=mean >= rule.heavy_use_kwh_per_kva * capacity)


def _highest(months: Sequence[_Month]) -> Decimal | None:
    demands = [one.bill.demand_kw for one in months if one.bill.demand_kw is not None]
    return max(demands) if len(demands) == len(months) else None


def _safe_contract(month: _Month, highest: Decimal) -> Decimal:
    """Return the lowest whole kW that the highest demand exceeds by no more than is free, and not below the floor."""
    lowest = max(highest / month.rule.excess_from, month.rule.contract_floor * month.capacity_kva)
    return lowest.to_integral_value(ROUND_CEILING)


def _is_new(method: str, contract_kw: Decimal | None, present: Demand) -> bool:
    """Tell whether it is the present method with another contract demand."""
    return method == "contract" and contract_kw != present.contract_kw
