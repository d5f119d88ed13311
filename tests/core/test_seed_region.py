"""Who lives in the demonstration region, and how they use energy."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.account import (
    Account,
    Customer,
    Meter,
    address_context,
    as_of,
    certificate_context,
    name_context,
    phone_context,
)
from core.bill import Bill
from core.clock import SHANGHAI
from core.seed import DemoDataError
from core.seed.people import credit_check, identity_check
from core.seed.region import load_region
from core.usage import DailyReading

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import Fill, Seeded

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture
def session(seeded: Seeded) -> Any:
    with seeded.database.reading() as session:
        yield session


def test_single_register_meters_count_in_flat_and_others_by_hours(session: Session) -> None:
    shares = session.execute(
        select(
            Account.plan_code, func.sum(Bill.kwh), func.sum(Bill.flat_kwh), func.sum(Bill.sharp_kwh),
            func.sum(Bill.valley_kwh),
        )
        .join(Bill)
        .group_by(Account.plan_code)
    ).all()  # fmt: skip
    by_plan = {code: (flat / kwh, sharp / kwh, valley / kwh) for code, kwh, flat, sharp, valley in shares}
    assert by_plan["hubei.residential.tier"] == (1, 0, 0)
    assert by_plan["hubei.charging.tou"][2] > 0.6
    assert 0.05 < by_plan["hubei.commercial.single.lv.tou"][1] < 0.25
    assert 0.1 < by_plan["hubei.industrial.two.10kv"][2] < 0.4


def test_homes_use_most_in_summer_and_much_in_winter(session: Session) -> None:
    query = select(Bill.month, func.sum(Bill.kwh)).join(Account).where(Account.profile == "children")
    kwh = dict(session.execute(query.group_by(Bill.month)).all())
    assert kwh[date(2026, 8, 1)] > 2 * kwh[date(2026, 5, 1)]
    assert kwh[date(2026, 1, 1)] > Decimal("1.3") * kwh[date(2026, 4, 1)]


def test_the_region_has_every_class_in_its_proportion(session: Session) -> None:
    profiles = Counter(session.scalars(select(Account.profile)))
    assert set(profiles) == set(load_region(DEMO).profiles)
    classes = Counter(session.scalars(select(Account.user_class)))
    assert set(classes) == {
        "residential", "charging", "shared_meter", "commercial", "industrial", "agricultural",
    }  # fmt: skip
    assert classes["residential"] > 40
    assert {len(number) for number in session.scalars(select(Account.account_no))} == {10, 13}
    assert set(session.scalars(select(Account.area_class))) == {"city", "rural", "remote"}


def test_a_meter_was_exchanged_and_some_readings_were_estimated(session: Session) -> None:
    exchanged = session.scalars(
        select(Meter).join(Account).where(Meter.removed_on.is_not(None), Account.closed_on.is_(None))
    ).all()
    assert exchanged
    for old in exchanged:
        new = session.scalars(
            select(Meter).where(Meter.account_id == old.account_id, Meter.installed_on == old.removed_on)
        ).one()
        assert session.get_one(DailyReading, (new.id, new.installed_on)).flat == 0
    qualities = Counter(session.scalars(select(DailyReading.quality)))
    assert 0.001 < qualities["estimated"] / qualities["actual"] < 0.02


def test_personal_data_is_invented_encrypted_and_found_by_hash(session: Session, keyring: Keyring) -> None:
    for customer in session.scalars(select(Customer)):
        number = customer.customer_no
        phone = keyring.decrypt(customer.phone_cipher, phone_context(number))
        assert re.fullmatch(r"1990000\d{4}", phone)
        assert customer.phone_hash == keyring.blind(phone, "customers.phone")
        assert customer.certificate_cipher is not None
        certificate = keyring.decrypt(customer.certificate_cipher, certificate_context(number))
        check = identity_check if customer.kind == "person" else credit_check
        assert len(certificate) == 18
        assert certificate[-1] != check(certificate[:17])
        name = keyring.decrypt(customer.name_cipher, name_context(number))
        assert re.fullmatch(r"[\u4e00-\u9fff]{2,16}", name)
        for account in customer.accounts:
            address = keyring.decrypt(account.address_cipher, address_context(account.account_no))
            assert account.district in address


def test_check_digits_are_those_of_the_standards() -> None:
    assert identity_check("11010519491231002") == "X"
    assert credit_check("91350100M000100Y4") == "3"


def test_feeds_say_how_fresh_the_data_is(session: Session) -> None:
    moments = {name: as_of(session, name) for name in ("readings", "bills", "payments")}
    assert {name: moment and moment.astimezone(SHANGHAI).isoformat() for name, moment in moments.items()} == {
        "readings": "2026-11-22T00:30:00+08:00",
        "bills": "2026-11-01T06:00:00+08:00",
        "payments": "2026-11-22T05:30:00+08:00",
    }


def test_a_tenant_moves_from_one_account_to_the_next_on_one_day(session: Session) -> None:
    moved = session.scalars(select(Account).where(Account.closed_on.is_not(None))).all()
    assert moved
    for old in moved:
        assert session.scalars(
            select(Account.opened_on).where(Account.customer_id == old.customer_id, Account.id != old.id)
        ).all() == [old.closed_on]


def test_a_wrong_description_names_file_and_key(tmp_path: Path) -> None:
    for file in DEMO.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    kinds = tmp_path / "kinds.yaml"
    kinds.write_text(kinds.read_text(encoding="utf-8").replace("profile: night", "profile: nigth"), encoding="utf-8")
    with pytest.raises(DemoDataError, match=r"kinds\.yaml: night: no profile nigth"):
        load_region(tmp_path)
    (tmp_path / "people.yaml").write_text("surnames: []", encoding="utf-8")
    with pytest.raises(DemoDataError, match=r"people\.yaml: surnames"):
        load_region(tmp_path)


def test_the_full_region_has_what_its_description_promises(fill: Fill) -> None:
    """500 customers, one month: who they are does not depend on the number of months."""
    with fill(date(2026, 11, 22), customers=500, months=1).reading() as session:
        per_customer = Counter(session.scalars(select(Account.customer_id).where(Account.closed_on.is_(None))))
        assert len(per_customer) == 500
        assert sum(count >= 2 for count in per_customer.values()) >= 40
        assert 50 <= session.scalar(select(func.count()).where(Account.prepaid)) <= 70
        classes = Counter(session.scalars(select(Account.user_class).where(Account.closed_on.is_(None))))
        assert classes["charging"] == classes["shared_meter"] == 25
        assert classes["industrial"] == 22
        assert classes["agricultural"] == 20
        assert session.scalar(select(func.count()).where(Account.large_family_kwh == 100)) == 12
        assert session.scalar(select(func.count()).where(Account.free_kwh == 10)) == 10
