"""Every feature of a seeded region, reckoned a second way from its rows, on both kinds of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from portrait_by_hand import Found, bills_by_hand, credit_by_hand, days_by_hand
from portrait_kit import AS_OF, LAST, built, empty_sources, new_run, portraits
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account
from core.db import Database
from core.fields import Keyring
from core.migrations import upgrade
from core.portrait.build import Sources, build
from core.portrait.frame import chunks, load
from core.portrait.tables import FEATURES, Portrait
from core.seed import seed
from core.segment.tables import SegmentRun
from core.tariff import TariffBook
from tests.dialects import DIALECTS, NewUrl

DEMO = Path(__file__).parents[2] / "data" / "demo"
CUSTOMERS, MONTHS = 60, 27


@dataclass(frozen=True)
class Region:
    """A seeded region with its portraits by account number."""

    sources: Sources
    portraits: dict[str, Portrait]
    accounts: list[Account]


@pytest.fixture(scope="module", params=DIALECTS)
def region(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory, book: TariffBook,
    keyring: Keyring,
) -> Iterator[Region]:  # fmt: skip
    folder = tmp_path_factory.mktemp("portraits")
    billing = Database(new_url(request.param, folder))
    upgrade("billing", billing)
    seed(billing, book=book, keyring=keyring, today=AS_OF, customers=CUSTOMERS, months=MONTHS, directory=DEMO)
    with empty_sources(new_url, request.param, folder, billing) as sources:
        with billing.reading() as session:
            accounts = list(session.scalars(select(Account).where(Account.closed_on.is_(None)).order_by(Account.id)))
        yield Region(sources, built(sources), accounts)
    billing.dispose()


def agrees(region: Region, by_hand: Callable[[Session, Account, date], Found], day: date) -> set[str]:
    """Compare the features of every account; return which had a value anywhere."""
    told = set()
    with region.sources.billing.reading() as session:
        for account in region.accounts:
            for name, value in by_hand(session, account, day).items():
                found = getattr(region.portraits[account.account_no], name)
                assert found == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), (
                    account.id,
                    name,
                )
                told |= {name} if value is not None else set()
    return told


def test_every_account_that_is_open_has_a_portrait(region: Region) -> None:
    assert {account.account_no for account in region.accounts} == set(region.portraits)
    assert len(region.portraits) > CUSTOMERS


def test_features_of_bills_equal_those_reckoned_by_hand(region: Region) -> None:
    told = agrees(region, bills_by_hand, LAST)
    assert told == {
        "history_months", "kwh_year", "fee_year", "price_mean", "kwh_growth", "valley_share", "peak_share",
        "seasonality", "summer_index", "winter_index", "tier_months", "demand_use", "price_response", "sudden_drop",
    }  # fmt: skip


def test_features_of_daily_readings_equal_those_reckoned_by_hand(region: Region) -> None:
    told = agrees(region, days_by_hand, AS_OF)
    assert told == {"load_factor", "base_share", "volatility", "weekend_ratio", "idle_share"}


def test_features_of_payments_equal_those_reckoned_by_hand_and_what_is_owed_equals_the_balance(region: Region) -> None:
    told = agrees(region, credit_by_hand, AS_OF)
    assert told == {
        "payments_year", "online_share", "overdue_yuan", "overdue_days", "late_count", "on_time_rate",
        "days_late_mean", "days_late_max",
    }  # fmt: skip
    values = [one.late_count or 0 for one in region.portraits.values()]
    assert any(values)
    assert any(one.overdue_yuan for one in region.portraits.values())


def test_facts_of_the_contract_are_those_of_the_account(region: Region) -> None:
    for account in region.accounts:
        found = region.portraits[account.account_no]
        assert (found.prepaid, found.large_family, found.low_income) == (
            account.prepaid, account.large_family_kwh > 0, account.free_kwh > 0,
        )  # fmt: skip
        assert found.capacity_kva == float(account.capacity_kva or 0)
        charging = {one.customer_id for one in region.accounts if ".charging." in one.plan_code}
        assert found.has_ev == (account.customer_id in charging)
    assert {found.violations for found in region.portraits.values()} == {None}


def content(found: dict[str, Portrait]) -> dict[str, dict[str, Any]]:
    names = ("account_id", "customer_no", "history_months", "thin", "pay_channel", "tags", *FEATURES)
    return {number: {name: getattr(row, name) for name in names} for number, row in found.items()}


def test_a_build_that_was_cut_off_and_went_on_equals_a_whole_one(region: Region) -> None:
    sources, run_id = region.sources, new_run(region.sources.bridge)

    class CutOff(Exception):
        pass

    def until_half(_what: str, done: int, total: int) -> None:
        if done > total / 2:
            raise CutOff

    with pytest.raises(CutOff):
        build(sources, run_id, as_of=AS_OF, step=7, progress=until_half)
    with sources.bridge.reading() as session:
        run = session.get_one(SegmentRun, run_id)
    some = portraits(sources.bridge, run_id)
    assert 0 < len(some) == run.accounts < len(region.portraits)
    assert run.cursor == max(row.account_id for row in some.values())
    told = []
    rest = build(
        sources, run_id, as_of=AS_OF, after=run.cursor, step=11, progress=lambda *said: told.append(said[1:])
    )  # fmt: skip
    assert len(some) + rest == len(region.portraits)
    assert told[-1] == (len(region.portraits), len(region.portraits))
    assert content(portraits(sources.bridge, run_id)) == content(region.portraits)
    with sources.bridge.reading() as session:
        assert session.get_one(SegmentRun, run_id).accounts == len(region.portraits)


def test_a_build_from_the_beginning_writes_what_was_there_anew(region: Region) -> None:
    run_id = new_run(region.sources.bridge)
    build(region.sources, run_id, as_of=AS_OF)
    assert build(region.sources, run_id, as_of=AS_OF) == len(region.portraits)
    assert content(portraits(region.sources.bridge, run_id)) == content(region.portraits)


def test_a_frame_holds_the_portraits_in_the_order_of_the_accounts(region: Region) -> None:
    run_id = next(iter(region.portraits.values())).run_id
    rows = sorted(region.portraits.values(), key=lambda row: row.account_id)
    parts = list(chunks(region.sources.bridge, run_id, ("kwh_year", "peak_share"), 20, extra=("thin", "district")))
    assert [len(part) for part in parts[:-1]] == [20] * (len(parts) - 1)
    whole = load(region.sources.bridge, run_id, ("kwh_year", "peak_share"), extra=("thin", "district"))
    assert whole.account_ids.tolist() == [row.account_id for row in rows]
    assert whole.account_ids.tolist() == [number for part in parts for number in part.account_ids.tolist()]
    assert whole.values.dtype.name == "float32"
    assert whole.column("kwh_year").tolist() == pytest.approx([row.kwh_year for row in rows], rel=1e-6)
    assert [value != value for value in whole.column("peak_share")] == [row.peak_share is None for row in rows]
    assert whole.extra["district"] == [row.district for row in rows]
    assert load(region.sources.bridge, run_id + 1000, ("kwh_year",)).values.shape == (0, 1)
    with pytest.raises(ValueError, match="no column profile"):
        load(region.sources.bridge, run_id, ("profile",))
