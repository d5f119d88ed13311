"""Every feature of a region by chance, reckoned a second way from its rows, on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any

import pytest
from portrait_chance import Chance
from portrait_kit import built, empty_sources
from portrait_reckoned import Found, Region

from core.portrait.tables import FEATURES, Portrait
from tests.dialects import DIALECTS, NewUrl

DAYS = (date(2028, 2, 29), date(2027, 3, 14))
ACCOUNTS = 60
ALSO = ("history_months", "pay_channel", "thin")
Told = tuple[dict[str, Portrait], dict[str, Found]]


@pytest.fixture(scope="module", params=[(dialect, day) for dialect in DIALECTS for day in DAYS], ids=str)
def told(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:  # fmt: skip
    dialect, day = request.param
    with empty_sources(new_url, dialect, tmp_path_factory.mktemp("chance")) as sources:
        Chance(sources, day, ACCOUNTS, Random(day.toordinal())).fill()
        region = Region(sources, day)
        reckoned = {one.account_no: region.portrait(one) for one in region.accounts if region.is_open(one)}
        yield built(sources, day), reckoned


def test_every_feature_equals_what_plain_python_makes_of_the_rows(told: Told) -> None:
    portraits, reckoned = told
    assert set(portraits) == set(reckoned)
    wrong = {
        (number, name): (got, value)
        for number, row in portraits.items()
        for name in (*FEATURES, *ALSO)
        if not same(name, got := getattr(row, name), value := reckoned[number][name])
    }
    assert wrong == {}


def same(name: str, got: Any, value: Any) -> bool:
    if name == "volatility" and value is not None:
        return bool(got == pytest.approx(value, rel=1e-12))  # a root of a sum of squares
    return bool(got == value)


def test_the_region_has_what_is_hard(told: Told) -> None:
    """Otherwise the test above would be easy."""
    portraits, _ = told
    values = {name: [getattr(row, name) for row in portraits.values()] for name in (*FEATURES, *ALSO)}
    for name in set(FEATURES) - {"violations"}:
        known = {one for one in values[name] if one is not None}
        assert len(known) > 1, name
    assert {"new", "vacant", None} <= set(values["thin"])
    assert min(one for one in values["kwh_year"] if one is not None) <= 0
    assert {None} == set(values["violations"])
