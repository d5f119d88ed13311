"""Features of accounts made by hand: what is told, what cannot be told, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from portrait_kit import AS_OF, LAST, NOW, Hand, built, empty_sources, new_run
from sqlalchemy import select

from core.account import Account, Meter
from core.clock import add_months
from core.payment import balance_of
from core.portrait.build import build
from core.portrait.tables import FEATURES
from core.segment.tables import SegmentRun
from core.usage import DailyReading
from tests.dialects import DIALECTS, NewUrl

YEAR = [100] * 12


@pytest.fixture(params=DIALECTS)
def hand(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Hand]:
    with empty_sources(new_url, request.param, tmp_path) as sources:
        yield Hand(sources)


def months(count: int, *, last: date = LAST) -> list[date]:
    return [add_months(last, -back) for back in reversed(range(count))]


def overdue(hand: Hand, account_no: str) -> tuple[float, int]:
    """Return what `core.payment` says is past its due day: yuan and the days of the oldest."""
    with hand.sources.billing.reading() as session:
        account = session.scalars(select(Account).where(Account.account_no == account_no)).one()
        balance = balance_of(session, account=account, today=AS_OF, residential=True)
    late = [bill for bill in balance.unpaid if bill.due_on < AS_OF]
    return float(sum((one.unpaid for one in late), Decimal(0))), max((one.overdue_days for one in late), default=0)


def test_an_empty_company_has_no_portraits(hand: Hand) -> None:
    run_id = new_run(hand.sources.bridge)
    assert build(hand.sources, run_id, as_of=AS_OF, clock=lambda: NOW) == 0
    with hand.sources.bridge.reading() as session:
        run = session.get_one(SegmentRun, run_id)
    assert (run.accounts, run.cursor) == (0, 0)


def test_accounts_that_are_closed_or_not_yet_open_have_none(hand: Hand) -> None:
    kept = [hand.account(), hand.account(closed_on=AS_OF), hand.account(opened=AS_OF - timedelta(days=1))]
    hand.account(closed_on=AS_OF - timedelta(days=1))
    hand.account(opened=AS_OF)
    assert sorted(built(hand.sources)) == kept


def test_a_new_account_is_thin_and_says_nothing_of_its_use(hand: Hand) -> None:
    new = hand.account(opened=date(2026, 9, 3))
    hand.bills(new, [80, 90])
    found = built(hand.sources)[new]
    assert (found.thin, found.history_months) == ("new", 2)
    told = {name for name in FEATURES if getattr(found, name) is not None}
    assert not told & {"kwh_year", "fee_year", "price_mean", "kwh_growth", "seasonality", "load_factor", "sudden_drop"}
    assert {"overdue_yuan", "contacts_year", "special_need", "late_count"} <= told


def test_a_vacant_home_and_one_with_gaps_are_thin(hand: Hand) -> None:
    vacant, gaps, full, young = hand.account(), hand.account(), hand.account(), hand.account(opened=date(2026, 6, 2))
    hand.bills(vacant, [0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0])
    for month in months(12)[:8]:
        hand.bill(gaps, month)
    hand.bills(full, YEAR)
    hand.bills(young, [50] * 5)
    found = built(hand.sources)
    assert [found[one].thin for one in (vacant, gaps, full, young)] == ["vacant", "gaps", None, None]
    assert found[gaps].history_months == 8


def test_a_part_of_a_year_is_told_as_a_year_and_seasons_need_all_of_it(hand: Hand) -> None:
    part, whole = hand.account(), hand.account()
    hand.bills(part, [100, 110, 120])
    hand.bills(whole, [*YEAR[:8], 160, 160, 100, 40])  # July, August, September, October last
    found = built(hand.sources)
    assert found[part].kwh_year == pytest.approx(1320)
    assert (found[part].seasonality, found[part].summer_index) == (None, None)
    assert found[whole].kwh_year == 1260
    assert found[whole].seasonality == pytest.approx((160 - 40) / 105)
    assert found[whole].summer_index == pytest.approx(160 / 105)


def test_growth_drop_and_answer_to_prices_need_the_year_before(hand: Hand) -> None:
    grown, fallen = hand.account(), hand.account()
    for month in months(24):
        new = month > add_months(LAST, -12)
        hand.bill(grown, month, 120 if new else 100, valley=60 if new else 30, peak=10)
        hand.bill(fallen, month, 25 if month > add_months(LAST, -3) else 100)
    found = built(hand.sources)
    assert found[grown].kwh_growth == pytest.approx(0.2)
    assert found[grown].price_response == pytest.approx(0.5 - 0.3)
    assert found[grown].sudden_drop == 0
    assert found[fallen].sudden_drop == pytest.approx(0.75)
    assert (found[fallen].price_response, found[fallen].valley_share) == (None, None)  # no registers by hour


def test_a_fifth_more_is_a_fifth_and_no_hair_below_it(hand: Hand) -> None:
    """The rules ask for at least so much: 120 / 100 - 1 would be too little, and 0.95 is not 1 - 1 / 20 everywhere."""
    account = hand.account()
    for place, month in enumerate(months(24)):
        bill = hand.bill(account, month, 120 if place >= 12 else 100)
        hand.pay(account, add_months(month, 1).replace(day=26 if place == 12 else 20), "60.00", bill=bill)
    found = built(hand.sources)[account]
    assert (found.kwh_growth, found.on_time_rate) == (0.2, 11 / 12)


def test_months_above_the_first_step_are_counted_only_where_there_are_steps(hand: Hand) -> None:
    stepped, plain = hand.account(), hand.account()
    for place, month in enumerate(months(6)):
        hand.bill(stepped, month, tiers=(1, 2, 3) if place == 0 else (1, 2) if place == 1 else (1,))
        hand.bill(plain, month)
    found = built(hand.sources)
    assert (found[stepped].tier_months, found[plain].tier_months) == (pytest.approx(4), None)


def test_what_was_before_the_present_holder_is_nothing_of_his(hand: Hand) -> None:
    taken = hand.account(held_since=date(2026, 5, 1))
    old = [hand.bill(taken, month, 900, amount="500.00") for month in months(8, last=date(2026, 4, 1))]
    for month in months(6):
        hand.bill(taken, month, 100)
    hand.pay(taken, date(2026, 4, 30), "500.00", bill=old[-1])
    hand.pay(taken, date(2026, 5, 20), "500.00", bill=old[-2])  # the earlier holder, late
    hand.pay(taken, date(2026, 6, 1), "60.00", channel="hall")
    hand.meter(taken, date(2026, 4, 20), [float(place) for place in range(12)])
    found = built(hand.sources)[taken]
    assert (found.history_months, found.kwh_year, found.thin) == (6, 1200, None)
    assert (found.payments_year, found.pay_channel, found.online_share) == (1, "hall", 0)
    # Five bills are due and one of them is settled by money that names none.
    assert (found.overdue_yuan, found.overdue_days) == overdue(hand, taken) == (240.0, (AS_OF - date(2026, 7, 25)).days)
    assert found.late_count == 4


def test_a_bill_counts_as_late_from_the_day_on_which_the_last_part_was_missing(hand: Hand) -> None:
    account = hand.account()
    early, parts, unpaid, future = (hand.bill(account, month) for month in months(4))
    hand.pay(account, date(2026, 8, 25), "60.00", bill=early)
    hand.pay(account, date(2026, 9, 10), "60.00", bill=parts, status="failed")
    hand.pay(account, date(2026, 9, 20), "30.00", bill=parts)
    hand.pay(account, date(2026, 9, 28), "30.00", bill=parts)
    hand.pay(account, date(2026, 11, 2), "0.50", bill=future, channel="hall")
    found = built(hand.sources)[account]
    assert (found.late_count, found.on_time_rate) == (2, pytest.approx(1 / 3))
    days = [3, (AS_OF - date(2026, 10, 25)).days]
    assert (found.days_late_mean, found.days_late_max) == (sum(days) / 2, max(days))
    assert (found.overdue_yuan, found.overdue_days) == overdue(hand, account) == (60.0, days[1])
    assert (found.payments_year, found.online_share, found.pay_channel) == (4, 0.75, "app")
    assert unpaid


def test_money_beyond_a_bill_settles_the_oldest_and_is_no_lateness(hand: Hand) -> None:
    account = hand.account()
    first, _, last = (hand.bill(account, month) for month in months(3, last=date(2026, 9, 1)))
    hand.pay(account, date(2026, 8, 20), "120.00", bill=first)
    hand.pay(account, date(2026, 10, 20), "45.00", bill=last)
    found = built(hand.sources)[account]
    assert (found.overdue_yuan, found.overdue_days) == overdue(hand, account)
    assert (found.overdue_yuan, found.late_count) == (15.0, 1)


def test_prepaid_accounts_are_late_when_the_money_is_not_there_on_the_due_day(hand: Hand) -> None:
    account = hand.account(prepaid=True)
    for month in months(4):
        hand.bill(account, month)
    hand.pay(account, date(2026, 8, 25), "60.00")
    hand.pay(account, date(2026, 9, 26), "60.00")  # a day late
    hand.pay(account, date(2026, 10, 20), "50.00")  # not enough
    found = built(hand.sources)[account]
    assert (found.late_count, found.on_time_rate) == (2, pytest.approx(1 / 3))
    assert (found.days_late_mean, found.days_late_max) == (None, None)
    assert (
        (found.overdue_yuan, found.overdue_days) == overdue(hand, account) == (10.0, (AS_OF - date(2026, 10, 25)).days)
    )


def test_the_last_month_is_the_one_before_while_few_bills_are_out(hand: Hand) -> None:
    accounts = [hand.account() for _ in range(5)]
    for account in accounts:
        hand.bills(account, YEAR, last=date(2026, 9, 1))
    hand.bill(accounts[0], LAST, 900)
    assert {row.kwh_year for row in built(hand.sources).values()} == {1200}
    for account in accounts[1:3]:
        hand.bill(account, LAST, 900)
    assert built(hand.sources)[accounts[0]].kwh_year == 2000


def test_days_go_over_an_exchange_of_the_meter_and_leave_out_gaps(hand: Hand) -> None:
    account, few = hand.account(), hand.account()
    first = AS_OF - timedelta(days=57)
    old = [100 + 2.0 * place for place in range(21)]
    hand.meter(account, first, old, multiplier=2, removed=first + timedelta(days=20))
    hand.meter(account, first + timedelta(days=20), [8.0 * place for place in range(37)])
    hand.meter(few, AS_OF - timedelta(days=28), [float(place) for place in range(28)])
    found = built(hand.sources)
    # 20 days of 2 x 2 kWh, then 36 days of 8 kWh.
    mean = (20 * 4 + 36 * 8) / 56
    assert found[account].load_factor == pytest.approx(mean / 8)
    assert found[account].base_share == pytest.approx(4 / mean)
    assert found[account].idle_share == 0
    assert (found[few].load_factor, found[few].idle_share) == (None, None)


def test_days_without_use_have_no_shape_but_are_idle(hand: Hand) -> None:
    account = hand.account()
    hand.meter(account, AS_OF - timedelta(days=57), [5.0] * 57)
    found = built(hand.sources)[account]
    assert (found.idle_share, found.load_factor, found.volatility) == (1, None, None)


def test_even_days_have_no_deviation_and_weekends_without_readings_are_not_a_closed_shop(hand: Hand) -> None:
    even, shop = hand.account(), hand.account()
    first = AS_OF - timedelta(days=57)
    hand.meter(even, first, [123456.78 + 33.33 * place for place in range(57)])
    hand.meter(shop, first, [10.0 * place for place in range(57)])
    with hand.sources.billing.transaction() as session:
        meter = session.scalars(select(Meter).where(Meter.account_id == int(shop[2:]))).one()
        for row in session.scalars(select(DailyReading).where(DailyReading.meter_id == meter.id)):
            if row.day.weekday() == 6:  # Saturday and Sunday are then without neighbours, Monday too
                session.delete(row)
    found = built(hand.sources)
    assert (found[even].volatility, found[even].load_factor, found[even].weekend_ratio) == (0, 1, 1)
    assert (found[shop].load_factor, found[shop].weekend_ratio) == (1, 1)
    with hand.sources.billing.transaction() as session:
        for row in session.scalars(select(DailyReading).where(DailyReading.meter_id == meter.id)):
            if row.day.weekday() == 5:
                session.delete(row)
    assert built(hand.sources)[shop].weekend_ratio is None
