from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from core.clock import SHANGHAI
from core.working_time import Due, add_working_days, deadline

SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 11, 22), 1, date(2026, 11, 23)),
        (date(2026, 11, 22), 5, date(2026, 11, 27)),
        (date(2026, 11, 20), 1, date(2026, 11, 23)),
        (date(2026, 9, 30), 1, date(2026, 10, 8)),  # the National Day week is free
        (date(2026, 10, 9), 1, date(2026, 10, 10)),  # a Saturday that is worked in exchange
    ],
)
def test_holidays_are_passed_over_and_exchanged_days_count(day: date, count: int, expected: date) -> None:
    assert add_working_days(day, count) == (expected, True)


def test_of_a_year_whose_holidays_are_not_known_only_weekends_are_free_and_it_says_so() -> None:
    assert add_working_days(date(2026, 12, 30), 2) == (date(2027, 1, 1), False)
    assert add_working_days(date(2040, 1, 6), 1) == (date(2040, 1, 9), False)


def test_minutes_and_hours_go_by_the_clock_and_days_to_their_end() -> None:
    assert deadline(SUNDAY, 45, "minutes") == Due(SUNDAY + timedelta(minutes=45), True)
    assert deadline(SUNDAY, 24, "hours") == Due(SUNDAY + timedelta(hours=24), True)
    assert deadline(SUNDAY, 7, "days") == Due(datetime(2026, 11, 29, 23, 59, tzinfo=SHANGHAI), True)
    assert deadline(SUNDAY, 5, "working_days") == Due(datetime(2026, 11, 27, 23, 59, tzinfo=SHANGHAI), True)


def test_a_day_is_a_day_in_shanghai() -> None:
    from datetime import UTC

    late = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)  # Monday there already
    assert deadline(late, 1, "working_days").at.date() == date(2026, 11, 24)


@pytest.mark.parametrize(("amount", "unit"), [(0, "days"), (-1, "minutes"), (1, "weeks")])
def test_impossible_limits_are_refused(amount: int, unit: str) -> None:
    with pytest.raises(ValueError, match=r"time"):
        deadline(SUNDAY, amount, unit)  # type: ignore[arg-type]  # what a wrong file of data could bring
