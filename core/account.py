"""Customers (客户), accounts (户号), meters, and how old the company's data is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from core.db import BillingBase, Exact, Instant
from core.errors import AccountNotYours
from core.fields import Keyring
from core.masking import mask_account_no, mask_address, mask_name


class Customer(BillingBase):
    """A person or organisation with a supply contract; personal data encrypted, see `core.fields`."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_no: Mapped[str] = mapped_column(String(12), unique=True)
    kind: Mapped[str] = mapped_column(String(12))  # person | organisation
    name_cipher: Mapped[str] = mapped_column(String(400))
    phone_cipher: Mapped[str] = mapped_column(String(200))
    phone_hash: Mapped[str] = mapped_column(String(64), index=True)
    certificate_cipher: Mapped[str | None] = mapped_column(String(200))
    certificate_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    accounts: Mapped[list[Account]] = relationship(back_populates="customer", order_by="Account.id")


class Account(BillingBase):
    """One supply contract at one address under one account number (户号, 10 or 13 digits)."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("length(account_no) in (10, 13)", name="account_no_digits"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    account_no: Mapped[str] = mapped_column(String(13), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    address_cipher: Mapped[str] = mapped_column(String(600))
    district: Mapped[str] = mapped_column(String(40))
    area_class: Mapped[str] = mapped_column(String(8))  # city | rural | remote, of the service promises
    region: Mapped[str] = mapped_column(String(20))
    user_class: Mapped[str] = mapped_column(String(20))  # a tariff_class of the taxonomy
    plan_code: Mapped[str] = mapped_column(String(60))
    profile: Mapped[str] = mapped_column(String(24))  # the load shape of the demonstration; empty in a real system
    prepaid: Mapped[bool] = mapped_column(default=False)
    capacity_kva: Mapped[Decimal | None] = mapped_column(Exact(2))
    large_family_kwh: Mapped[Decimal] = mapped_column(Exact(2), default=Decimal(0))
    free_kwh: Mapped[Decimal] = mapped_column(Exact(2), default=Decimal(0))
    opened_on: Mapped[date]
    held_since: Mapped[date | None]  # the present customer took the account over from somebody else
    closed_on: Mapped[date | None]
    customer: Mapped[Customer] = relationship(back_populates="accounts")
    meters: Mapped[list[Meter]] = relationship(back_populates="account", order_by="Meter.installed_on")


class Meter(BillingBase):
    """A meter at an account; readings times `multiplier` are kWh."""

    __tablename__ = "meters"
    id: Mapped[int] = mapped_column(primary_key=True)
    meter_no: Mapped[str] = mapped_column(String(22), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    multiplier: Mapped[int] = mapped_column(default=1)
    phases: Mapped[int] = mapped_column(default=1)
    installed_on: Mapped[date]
    removed_on: Mapped[date | None]
    account: Mapped[Account] = relationship(back_populates="meters")


class Feed(BillingBase):
    """How fresh a part of the billing data is: `readings`, `bills` or `payments`."""

    __tablename__ = "feeds"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    as_of: Mapped[datetime] = mapped_column(Instant)


@dataclass(frozen=True)
class AccountView:
    """An account as its own customer may see it in a chat: masked."""

    account_no: str
    masked_no: str
    masked_address: str
    masked_name: str
    user_class: str


def find_account(session: Session, *, account_no: str, allowed: Sequence[str]) -> Account:
    """Return the account, if it is one of those that the customer has proved to be theirs.

    Raises:
        AccountNotYours: if it is not, or does not exist: the two look alike, and the database is only asked for
            accounts that are allowed, so that they also take the same time.
    """
    found = session.scalar(select(Account).where(Account.account_no == account_no)) if account_no in allowed else None
    if found is None:
        raise AccountNotYours
    return found


def shown_from(account: Account) -> date:
    """Return the first day whose bills, readings and payments are the present customer's; what was before is not shown.

    All queries of these ask for it: an account that was taken over belonged to somebody else until then.
    """
    return account.held_since or date.min


def list_accounts(session: Session, *, allowed: Sequence[str], keyring: Keyring) -> list[AccountView]:
    """Return the customer's accounts in the order of `allowed`, masked; unknown numbers are left out."""
    rows = session.scalars(select(Account).where(Account.account_no.in_(list(allowed)))).all()
    by_no = {row.account_no: view_account(row, keyring=keyring) for row in rows}
    return [by_no[number] for number in allowed if number in by_no]


def view_account(account: Account, *, keyring: Keyring) -> AccountView:
    """Return the masked view of an account."""
    address = keyring.decrypt(account.address_cipher, address_context(account.account_no))
    name = keyring.decrypt(account.customer.name_cipher, name_context(account.customer.customer_no))
    return AccountView(
        account_no=account.account_no,
        masked_no=mask_account_no(account.account_no),
        masked_address=mask_address(address),
        masked_name=mask_name(name),
        user_class=account.user_class,
    )


def as_of(session: Session, feed: str) -> datetime | None:
    """Return when this part of the billing data was last brought up to date, or None if that was never recorded."""
    return session.scalar(select(Feed.as_of).where(Feed.name == feed))


def name_context(customer_no: str) -> str:
    """Return what binds an encrypted name to its row."""
    return f"customers.name:{customer_no}"


def phone_context(customer_no: str) -> str:
    """Return what binds an encrypted phone number to its row."""
    return f"customers.phone:{customer_no}"


def certificate_context(customer_no: str) -> str:
    """Return what binds an encrypted certificate number to its row."""
    return f"customers.certificate:{customer_no}"


def address_context(account_no: str) -> str:
    """Return what binds an encrypted address to its row."""
    return f"accounts.address:{account_no}"
