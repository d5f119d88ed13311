"""Accounts: only their own customer reaches them, masked, and nobody learns which others exist."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError, StatementError

from core.account import (
    Account,
    Customer,
    Feed,
    address_context,
    as_of,
    certificate_context,
    find_account,
    list_accounts,
    name_context,
    phone_context,
    view_account,
)
from core.db import Database
from core.errors import AccountNotYours
from core.fields import UnreadableField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from core.fields import Keyring
    from tests.conftest import Seeded


@pytest.fixture
def session(seeded: Seeded) -> Iterator[Session]:
    with seeded.database.reading() as session:
        yield session


@pytest.fixture
def owner(session: Session) -> Customer:
    """A customer with three accounts."""
    for customer in session.scalars(select(Customer).order_by(Customer.id)):
        if len(customer.accounts) == 3:
            return customer
    raise AssertionError("the region has nobody with three accounts")


def numbers(customer: Customer) -> list[str]:
    return [account.account_no for account in customer.accounts]


def test_a_customer_finds_each_of_their_accounts(session: Session, owner: Customer) -> None:
    for number in numbers(owner):
        found = find_account(session, account_no=number, allowed=numbers(owner))
        assert (found.account_no, found.customer_id) == (number, owner.id)


def test_another_persons_account_looks_like_one_that_does_not_exist(session: Session, owner: Customer) -> None:
    other = session.scalars(select(Account.account_no).where(Account.customer_id != owner.id)).first()
    assert other is not None
    answers = []
    for number in (other, "4209999999", ""):
        with pytest.raises(AccountNotYours) as caught:
            find_account(session, account_no=number, allowed=numbers(owner))
        answers.append((caught.value.code, caught.value.values, str(caught.value)))
    assert answers == [("account_not_yours", {}, "account_not_yours")] * 3


def test_the_database_is_not_asked_for_accounts_of_others(seeded: Seeded, session: Session, owner: Customer) -> None:
    allowed, asked = numbers(owner), []

    def note(*call: object) -> None:
        asked.append(call[2])

    event.listen(seeded.database.engine, "before_cursor_execute", note)
    try:
        with pytest.raises(AccountNotYours):
            find_account(session, account_no="4209999999", allowed=allowed)
    finally:
        event.remove(seeded.database.engine, "before_cursor_execute", note)
    assert asked == []


def test_nobody_proved_means_no_account(session: Session, owner: Customer) -> None:
    with pytest.raises(AccountNotYours):
        find_account(session, account_no=numbers(owner)[0], allowed=())


def test_accounts_are_listed_masked_in_the_order_asked_for(session: Session, owner: Customer, keyring: Keyring) -> None:
    wanted = [*reversed(numbers(owner)), "4209999999"]
    views = list_accounts(session, allowed=wanted, keyring=keyring)
    assert [view.account_no for view in views] == wanted[:3]
    name = keyring.decrypt(owner.name_cipher, name_context(owner.customer_no))
    for view in views:
        assert view.masked_no != view.account_no
        assert "*" in view.masked_no
        assert view.masked_name != name
        assert "*" in view.masked_name
        assert "**" in view.masked_address


def test_a_view_shows_the_district_but_not_the_door(session: Session, owner: Customer, keyring: Keyring) -> None:
    account = owner.accounts[0]
    address = keyring.decrypt(account.address_cipher, address_context(account.account_no))
    view = view_account(account, keyring=keyring)
    assert account.district in view.masked_address
    assert view.masked_address != address
    assert not any(sign.isdigit() for sign in view.masked_address)


def test_a_field_copied_to_another_row_does_not_open(session: Session, keyring: Keyring) -> None:
    one, other = session.scalars(select(Customer).order_by(Customer.id).limit(2))
    with pytest.raises(UnreadableField):
        keyring.decrypt(one.name_cipher, name_context(other.customer_no))


def test_every_field_has_a_context_of_its_own() -> None:
    contexts = {make("1") for make in (name_context, phone_context, certificate_context, address_context)}
    assert len(contexts) == 4


def test_an_unknown_feed_has_no_age(session: Session) -> None:
    assert as_of(session, "gossip") is None


def test_account_numbers_have_ten_or_thirteen_digits(billing: Database) -> None:
    with billing.transaction() as session:
        session.add(Customer(id=1, customer_no="C1", kind="person", name_cipher="", phone_cipher="", phone_hash=""))
    row = {
        "customer_id": 1, "address_cipher": "", "district": "", "area_class": "city", "region": "hubei",
        "user_class": "residential", "plan_code": "x", "profile": "",
    }  # fmt: skip
    for number, fits in (("1234567890", True), ("1234567890123", True), ("12345678901", False)):
        account = Account(account_no=number, opened_on=date(2020, 1, 1), **row)
        if fits:
            with billing.transaction() as session:
                session.add(account)
        else:
            with pytest.raises(IntegrityError), billing.transaction() as session:
                session.add(account)
    with billing.reading() as session:
        assert sorted(session.scalars(select(Account.account_no))) == ["1234567890", "1234567890123"]


def test_an_instant_without_a_zone_is_refused(billing: Database) -> None:
    with pytest.raises(StatementError, match="time zone"), billing.transaction() as session:
        session.add(Feed(name="readings", as_of=datetime(2026, 1, 1, 12)))
