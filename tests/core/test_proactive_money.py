"""Bills and balances as messages that we send first: told once, whatever is read again and whoever writes late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from proactive_kit import NOW
from sources_kit import DAY, HOUR, RULES, TODAY, World, worlds
from sqlalchemy import select

from core.clock import SHANGHAI
from core.db import Database
from core.proactive.tables import Broadcast


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[World]:
    """A world in each dialect."""
    with worlds(lambda _name: new_url(request.param, tmp_path)) as found:
        yield found


def test_bills_of_before_are_no_news_and_new_ones_are_told_once(world: World) -> None:
    mine = world.account("C1")
    linked = world.follower("a", "C1")
    world.bill(mine, month=date(2026, 9, 1))
    world.look("bills")
    assert world.sends() == []
    world.bill(mine)
    world.look("bills")
    world.start()
    world.look("bills")
    [(recipient, values)] = world.sends()
    assert recipient == linked
    due = datetime(2026, 12, 14, 23, 59, tzinfo=SHANGHAI).isoformat()
    assert values == {
        "account_tail": mine[-4:], "month": "2026年10月", "energy": "200", "amount": "124.00", "due_at": due
    }  # fmt: skip
    assert [one.fanned_out for one in world.broadcasts()] == [True]


def test_who_has_three_accounts_hears_of_three_bills(world: World) -> None:
    accounts = tuple(world.account("C1") for _ in range(3))
    linked = world.follower("a", "C1", accounts=accounts)
    world.look("bills")
    for account in accounts:
        world.bill(account)
    world.look("bills")
    assert [recipient for recipient, _ in world.sends()] == [linked] * 3
    assert {values["account_tail"] for _, values in world.sends()} == {account[-4:] for account in accounts}


def test_bills_of_the_same_day_that_come_later_are_told_too(world: World) -> None:
    first, second = world.account("C1"), world.account("C2")
    people = {world.follower("a", "C1"), world.follower("b", "C2")}
    world.look("bills")
    world.bill(first)
    world.look("bills")
    with world.bridge.transaction() as session:
        session.scalars(select(Broadcast)).one().state = "done"
    world.bill(second)
    world.look("bills", NOW + HOUR)
    assert {recipient for recipient, _ in world.sends()} == people
    assert len(world.broadcasts()) == 1


def test_a_gap_in_the_numbers_is_waited_for(world: World) -> None:
    first, second = world.account("C1"), world.account("C2")
    early, late = world.follower("a", "C1"), world.follower("b", "C2")
    known = world.bill(first, month=date(2026, 9, 1))
    world.look("bills")
    world.bill(first, id=known + 2)
    world.look("bills")
    assert world.sends() == []
    world.bill(second, id=known + 1)  # whoever wrote it took longer
    world.look("bills", NOW + timedelta(minutes=10))
    assert {recipient for recipient, _ in world.sends()} == {early, late}


def test_a_gap_that_is_never_filled_does_not_hold_up_for_ever(world: World) -> None:
    mine = world.account("C1")
    linked = world.follower("a", "C1")
    known = world.bill(mine, month=date(2026, 9, 1))
    world.look("bills")
    world.bill(mine, id=known + 5)
    world.look("bills")
    assert world.sends() == []
    world.look("bills", NOW + timedelta(minutes=31))
    assert [recipient for recipient, _ in world.sends()] == [linked]


def test_old_bills_that_are_loaded_later_are_no_news(world: World) -> None:
    mine = world.account("C1")
    world.follower("a", "C1")
    world.look("bills")
    world.bill(mine, issued_on=TODAY - 11 * DAY)
    world.look("bills")
    assert world.sends() == []


def test_the_bill_of_an_earlier_customer_is_not_told(world: World) -> None:
    mine = world.account("C1", held_since=date(2026, 11, 1))
    world.follower("a", "C1")
    world.look("bills")
    world.bill(mine)
    world.look("bills")
    assert world.sends() == []


def test_a_prepaid_account_that_lasts_a_few_days_is_told_once_a_week(world: World) -> None:
    mine = world.account("C1", prepaid=True)
    linked = world.follower("a", "C1")
    world.bill(mine)  # 4 yuan a day until the end of October
    world.pay(mine, "236.00")  # 112 yuan are left: 28 days, of which 24 have passed
    world.look("balances")
    [(recipient, values)] = world.sends()
    assert (recipient, values) == (linked, {"account_tail": mine[-4:], "balance": "112.00", "days": "4"})
    world.start()
    for day in range(1, 7):
        world.look("balances", NOW + day * DAY)
    assert len(world.sends()) == 1
    world.look("balances", NOW + 7 * DAY)
    assert len(world.sends()) == 2


def test_who_has_enough_or_pays_afterwards_is_left_alone(world: World) -> None:
    enough, after = world.account("C1", prepaid=True), world.account("C2")
    world.follower("a", "C1")
    world.follower("b", "C2")
    world.bill(enough)
    world.pay(enough, "900")
    world.bill(after)  # due in twenty days
    world.look("balances")
    assert world.sends() == []
    assert world.steps["balances"](NOW) is False  # once a day


def test_an_open_bill_is_told_before_it_is_due(world: World) -> None:
    mine, paid = world.account("C1"), world.account("C2")
    linked = world.follower("a", "C1")
    world.follower("b", "C2")
    for account in (mine, paid):
        world.bill(account, due_on=TODAY + 2 * DAY)
    world.pay(paid, "124.00")
    world.look("balances")
    assert world.told() == {"bill_unpaid": {linked: "wechat"}}


def test_without_a_bill_a_few_yuan_are_few(world: World) -> None:
    mine = world.account("C1", prepaid=True)
    linked = world.follower("a", "C1")
    world.pay(mine, "19.50")
    world.look("balances")
    assert world.told() == {"balance_few": {linked: "wechat"}}


@pytest.mark.parametrize(
    ("paid", "wording"), [("124.00", "balance_out"), ("100.00", "balance_out"), ("150.00", "balance_few")]
)
def test_money_that_is_used_up_is_no_number_of_days(world: World, paid: str, wording: str) -> None:
    mine = world.account("C1", prepaid=True)
    linked = world.follower("a", "C1")
    world.bill(mine)  # 4 yuan a day until the end of October
    world.pay(mine, paid)
    world.look("balances")
    assert world.told() == {wording: {linked: "wechat"}}


def test_nobody_is_reminded_before_nine(world: World) -> None:
    mine = world.account("C1", prepaid=True)
    world.follower("a", "C1")
    world.pay(mine, "1")
    world.look("balances", NOW.replace(hour=8, minute=59))
    assert world.sends() == []


def test_balances_are_looked_at_in_steps_that_a_crash_does_not_repeat(world: World) -> None:
    world.rules = RULES.model_copy(update={"step": 2})
    for number in range(5):
        account = world.account(f"C{number}", prepaid=True)
        world.follower(f"f{number}", accounts=(account,))
        world.pay(account, "5")
    world.start()
    assert world.steps["balances"](NOW)
    world.start()
    world.look("balances")
    assert len({recipient for recipient, _ in world.sends()}) == len(world.sends()) == 5


def test_a_database_that_is_away_only_delays(world: World) -> None:
    mine = world.account("C1")
    linked = world.follower("a", "C1")
    world.look("bills")
    world.bill(mine)

    class Away(Exception):
        pass

    def away(*_: object, **__: object) -> None:
        raise Away

    broken = replace(world, bridge=_Broken(world.bridge, away))
    broken.start()
    with pytest.raises(Away):
        broken.steps["bills"](NOW)
    world.look("bills")
    assert [recipient for recipient, _ in world.sends()] == [linked]


class _Broken(Database):
    """A database that can be read and not written to."""

    def __init__(self, database: Database, transaction: Callable[..., object]) -> None:
        self.__dict__.update(vars(database))
        self.transaction = transaction  # type: ignore[method-assign,assignment]
