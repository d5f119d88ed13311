"""What is known of a customer and must not be read: names, telephones, addresses, account and certificate numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from core.account import (
    Account,
    Customer,
    address_context,
    certificate_context,
    name_context,
    phone_context,
)
from core.fields import Keyring
from core.work_order import WorkOrder, reveal

_NAME_LABEL = re.compile(r"姓名|名字|户主|联系人|申请人|单位名称|称呼")


@dataclass(frozen=True)
class Known:
    """The values in clear; empty ones do not count."""

    names: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    account_nos: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say nothing of the values: this may stand in a trace."""
        return f"Known({len(self.names)} names, {len(self.phones)} phones, …)"

    def __add__(self, other: Known) -> Known:
        """Return the values of both, each once."""
        parts = ("names", "phones", "addresses", "account_nos", "certificates")
        return Known(**{part: _once((*getattr(self, part), *getattr(other, part))) for part in parts})


def known_of_customer(
    session: Session, *, customer_no: str | None, accounts: Sequence[str], keyring: Keyring
) -> Known:  # fmt: skip
    """Return what the billing database holds of a customer and of whoever the bound accounts belong to.

    Raises:
        core.fields.UnreadableField: if a key is gone.
    """
    rows = _rows(session, customer_no, accounts)
    customers = {row.customer.id: row.customer for row in rows}
    alone = session.scalar(select(Customer).where(Customer.customer_no == customer_no)) if customer_no else None
    if alone is not None:
        customers[alone.id] = alone
    people = list(customers.values())
    return Known(
        names=_once(keyring.decrypt(one.name_cipher, name_context(one.customer_no)) for one in people),
        phones=_once(keyring.decrypt(one.phone_cipher, phone_context(one.customer_no)) for one in people),
        addresses=_once(keyring.decrypt(row.address_cipher, address_context(row.account_no)) for row in rows),
        account_nos=_once((*accounts, *(row.account_no for row in rows))),
        certificates=_once(
            keyring.decrypt(one.certificate_cipher, certificate_context(one.customer_no))
            for one in people if one.certificate_cipher
        ),
    )  # fmt: skip


def known_of_orders(orders: Iterable[WorkOrder], *, keyring: Keyring) -> Known:
    """Return what stands in the encrypted parts of orders: contact, address, names that were given.

    Raises:
        core.fields.UnreadableField: if a key is gone.
    """
    texts = [(order, reveal(order, keyring=keyring)) for order in orders]
    named = [
        value for _, text in texts for label, value in text.details.items()
        if _NAME_LABEL.search(label) and len(value) <= 40
    ]  # fmt: skip
    return Known(
        names=_once(named),
        phones=_once(text.contact or "" for _, text in texts),
        addresses=_once(text.address or "" for _, text in texts),
        account_nos=_once(order.account_no or "" for order, _ in texts),
    )


def _rows(session: Session, customer_no: str | None, accounts: Sequence[str]) -> list[Account]:
    query = select(Account).options(selectinload(Account.customer))
    found = list(session.scalars(query.where(Account.account_no.in_(list(accounts))))) if accounts else []
    if customer_no:
        found += session.scalars(query.join(Customer).where(Customer.customer_no == customer_no))
    return list({row.id: row for row in found}.values())


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
