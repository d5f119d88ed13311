"""For every bill of the region, and for a thousand invented pairs under every plan, the parts add up to the fen."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from test_bill_change import account, bill

from core.account import Account
from core.bill import Bill
from core.bill_change import bill_change
from core.tariff import Demand, Plan, TariffBook

if TYPE_CHECKING:
    from tests.conftest import Seeded

BOOK = TariffBook.load(Path(__file__).parents[2] / "data/tariffs")
PLANS = BOOK.plans(on=date(2025, 7, 1))
MONTHS = [date(year, month, 1) for year in (2025, 2026) for month in range(1, 13)]
ZERO = Decimal(0)

kwh = st.integers(min_value=0, max_value=9000)


def test_the_parts_of_every_bill_of_the_region_add_up(seeded: Seeded, book: TariffBook) -> None:
    """Each bill against the month before and against the same month last year."""
    pairs, causes = 0, set()
    with seeded.database.reading() as session:
        for who in session.scalars(select(Account).options(selectinload(Account.meters))):
            query = select(Bill).where(Bill.account_id == who.id).order_by(Bill.month)
            bills = list(session.scalars(query.options(selectinload(Bill.lines))))
            for apart in (1, 12):
                for old, new in zip(bills[:-apart], bills[apart:], strict=True):
                    change = bill_change(book, account=who, old=old, new=new)
                    assert sum((part.amount for part in change.parts), ZERO) == new.amount - old.amount
                    assert change.difference == new.amount - old.amount
                    causes |= {part.cause for part in change.parts}
                    pairs += 1
    assert pairs > 900
    assert causes >= {"days", "use", "mix", "tier", "basic", "power_factor", "price"}


@st.composite
def registers(draw: st.DrawFn, plan: Plan) -> dict[str, int]:
    """Draw a use that the plan has prices for; a meter that counts in one register only is one of them."""
    names = ["flat"] if plan.kind in ("tier", "flat") else list(plan.prices)
    return {name: draw(kwh) for name in draw(st.lists(st.sampled_from(names), unique=True))}


@st.composite
def drawn_bill(draw: st.DrawFn, who: Account, plan: Plan) -> Bill:
    demand = None
    if plan.basic:
        capacity = Decimal(draw(st.sampled_from([315, 800, 5000])))
        kw = Decimal(draw(st.integers(0, 60000))) / 10
        who.capacity_kva = capacity
        demand = draw(st.sampled_from([Demand(capacity), Demand(capacity, "actual", actual_kw=kw)]))
    entitled = plan.user_class in ("residential", "shared_meter")
    return bill(
        BOOK, who, draw(st.sampled_from(MONTHS)), plan=plan.code,
        cum=draw(st.integers(0, 6000)) if plan.tiered else None,
        kvarh=draw(st.none() | kwh) if plan.power_factor else None, demand=demand,
        late=draw(st.sampled_from([None, "0.01", "12.34"])),
        free=int(who.free_kwh) if entitled and draw(st.booleans()) else 0,
        family=int(who.large_family_kwh) if plan.tiered and draw(st.booleans()) else 0,
        **draw(registers(plan)),
    )  # fmt: skip


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), plan=st.sampled_from(PLANS), family=st.sampled_from([0, 100]), free=st.sampled_from([0, 10]))
def test_the_parts_of_invented_bills_of_one_plan_add_up(
    data: st.DataObject, plan: Plan, family: int, free: int
) -> None:
    who = account(plan.code, large_family_kwh=Decimal(family), free_kwh=Decimal(free))
    old, new = data.draw(drawn_bill(who, plan)), data.draw(drawn_bill(who, plan))
    change = bill_change(BOOK, account=who, old=old, new=new)
    assert sum((part.amount for part in change.parts), ZERO) == new.amount - old.amount
    assert "plan" not in {part.cause for part in change.parts}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), plans=st.tuples(st.sampled_from(PLANS), st.sampled_from(PLANS)))
def test_the_parts_add_up_across_a_change_of_plan(data: st.DataObject, plans: tuple[Plan, Plan]) -> None:
    who = account(plans[1].code)
    old, new = (data.draw(drawn_bill(who, plan)) for plan in plans)
    change = bill_change(BOOK, account=who, old=old, new=new)
    assert sum((part.amount for part in change.parts), ZERO) == new.amount - old.amount
