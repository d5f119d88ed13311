"""What a customer reads off the meter, against readings and bill."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.meter_check import billed_reading, check_reading, figures, nearest
from core.numerals import in_figures
from core.usage import meter_view

if TYPE_CHECKING:
    from tests.conftest import Seeded

NO_DATES = re.compile(r"\d+月|\d+年")


def accounts(session: Session, where: str = "") -> list[Account]:
    query = select(Account).where(Account.closed_on.is_(None)).order_by(Account.id)
    return [account for account in session.scalars(query) if not where or account.user_class == where]


def verdict(seeded: Seeded, session: Session, account: Account, given: Decimal) -> str:
    latest = meter_view(session, account=account)
    billed = billed_reading(session, account=account)
    return check_reading(
        session, account=account, latest=latest, billed=billed, given=given, today=seeded.today
    ).verdict  # fmt: skip


def test_every_latest_bill_of_the_region_follows_from_its_readings(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        told = 0
        for account in accounts(session):
            billed = billed_reading(session, account=account)
            if billed is None or billed.difference is None or billed.end is None or billed.bill.estimated:
                continue
            assert billed.mismatch == 0
            assert billed.difference * billed.end.multiplier == billed.bill.kwh
            told += 1
        assert told > 40


def test_a_bill_that_its_readings_do_not_make_is_called_a_mismatch(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        account = accounts(session, "residential")[0]
        billed = billed_reading(session, account=account)
        assert billed is not None
        assert billed.measured is not None
        session.expunge(billed.bill)
        billed.bill.kwh += Decimal("12.50")
        assert billed.mismatch == Decimal("12.50")


def test_the_display_of_today_is_a_little_above_last_nights_reading(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session):
            total = meter_view(session, account=account).readings.total
            assert verdict(seeded, session, account, total.to_integral_value(rounding="ROUND_FLOOR")) == "fits"
            assert verdict(seeded, session, account, total + 1) == "fits"


def test_far_more_than_a_day_can_use_is_past(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        for account in accounts(session):
            total = meter_view(session, account=account).readings.total
            assert verdict(seeded, session, account, total + 5000) == "past"


def test_between_the_bill_and_last_night_an_earlier_look_is_believed(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        account = next(
            one for one in accounts(session, "residential")
            if (billed := billed_reading(session, account=one)) and billed.end
            and meter_view(session, account=one).readings.total - billed.end.readings.total > 10
        )  # fmt: skip
        billed = billed_reading(session, account=account)
        assert billed is not None
        assert billed.end is not None
        end = billed.end.readings.total
        assert verdict(seeded, session, account, end + 3) == "between"
        assert verdict(seeded, session, account, end) == "between"
        assert verdict(seeded, session, account, end - 50) == "before"


def test_the_figure_of_one_register_is_recognised(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        account = accounts(session, "charging")[0]
        latest = meter_view(session, account=account)
        billed = billed_reading(session, account=account)
        found = check_reading(
            session, account=account, latest=latest, billed=billed, given=latest.readings.valley, today=seeded.today
        )  # fmt: skip
        assert (found.verdict, found.register) == ("register", "valley")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("表上显示7736 账单上是7512 咋不一样", ["7736", "7512"]),
        ("我看表上写的是三千四百二 你们单子上是三千五 哪个对", ["3420", "3500"]),
        ("屏上是０１２３４５．６７", ["12345.67"]),
        ("2026年10月的读数", []),
        ("我家户号4200482710", []),
        ("尖峰平谷四个数都怎么读", []),
    ],
)
def test_figures_that_may_be_readings_are_taken_from_the_message(text: str, expected: list[str]) -> None:
    assert figures(text, without=NO_DATES) == [Decimal(one) for one in expected]


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        ("一万二千三百九", "12390"), ("一万二千三百零九", "12309"), ("七七三六", "7736"), ("零八五", "085"),
        ("两千", "2000"), ("十五", "15"), ("一万零五十", "10050"), ("一万二", "12000"),
        ("三千五", "3500"), ("万一不对", "万一不对"),
    ],
)  # fmt: skip
def test_spoken_numbers_become_figures(said: str, figure: str) -> None:
    assert in_figures(said) == figure


def test_of_two_figures_the_one_near_the_meter_is_meant(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        latest = meter_view(session, account=accounts(session, "residential")[0])
        total = latest.readings.total
        assert nearest([Decimal(7), total + 2, total * 3], latest) == total + 2
        assert nearest([], latest) is None
