"""What the billing system says of a customer, masked: accounts with balance, bills, payments, use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.account import Account, Customer, as_of, name_context, phone_context, view_account
from core.bill import Bill, NoBill, bills_between, latest_month
from core.clock import SHANGHAI, add_months, first_of_month
from core.fields import Keyring
from core.masking import mask_name, mask_phone
from core.payment import Balance, NoPayment, Payment, balance_of, payments_between
from core.usage import MonthUsage, NoReading, monthly_usage

MONTHS = 12  # bills, payments and use of so many months
REF_LENGTH = 12
# Letters alone: figures in a row look like a number of somebody's, and would be masked as one.
_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopabcdef")
PERSON = "person"


def account_ref(account_no: str, *, keyring: Keyring) -> str:
    """Return the name under which an agent speaks of an account without seeing its number: 12 letters a to p, keyed."""
    return keyring.blind(account_no, "desk.account_ref")[:REF_LENGTH].translate(_LETTERS)


def person(session: Session, customer_no: str, keyring: Keyring) -> dict[str, Any]:
    """Return the masked name and telephone of a customer; None each if the billing system does not know them."""
    found = session.scalar(select(Customer).where(Customer.customer_no == customer_no))
    if found is None:
        return {"name": None, "phone": None, "kind": None}
    return {
        "name": mask_name(keyring.decrypt(found.name_cipher, name_context(customer_no))),
        "phone": mask_phone(keyring.decrypt(found.phone_cipher, phone_context(customer_no))),
        "kind": found.kind,
    }


def accounts(session: Session, numbers: Sequence[str], *, keyring: Keyring, today: date) -> list[dict[str, Any]]:
    """Return the accounts in the order of `numbers`; unknown ones are left out."""
    rows = session.scalars(select(Account).where(Account.account_no.in_(list(numbers)))).all()
    by_no = {row.account_no: row for row in rows}
    fresh = {feed: _instant(as_of(session, feed)) for feed in ("bills", "payments", "readings")}
    return [
        {**_account(session, by_no[number], keyring=keyring, today=today), "as_of": fresh}
        for number in numbers if number in by_no
    ]  # fmt: skip


def _account(session: Session, account: Account, *, keyring: Keyring, today: date) -> dict[str, Any]:
    view = view_account(account, keyring=keyring)
    residential = account.customer.kind == PERSON
    balance = balance_of(session, account=account, today=today, residential=residential)
    return {
        "ref": account_ref(account.account_no, keyring=keyring),
        "account_no": view.masked_no, "address": view.masked_address, "owner": view.masked_name,
        "user_class": account.user_class, "plan_code": account.plan_code, "district": account.district,
        "area_class": account.area_class, "prepaid": account.prepaid, "capacity_kva": _text(account.capacity_kva),
        "status": "closed" if account.closed_on else "open", "opened_on": account.opened_on.isoformat(),
        "closed_on": account.closed_on.isoformat() if account.closed_on else None,
        **_standing(balance),
        "bills": _bills(session, account, balance),
        "payments": _payments(session, account, today),
        "usage": _usage(session, account, today),
    }  # fmt: skip


def _standing(balance: Balance) -> dict[str, Any]:
    """Return what is owed; `arrears` is the part of it (without late fees) whose due date is past."""
    late = [one for one in balance.unpaid if one.overdue_days > 0]
    return {
        "balance": str(balance.balance), "owed": str(balance.owed), "late_fee": str(balance.late_fee),
        "arrears": str(sum((one.unpaid for one in late), Decimal("0.00"))), "overdue": bool(late),
        "unbilled_kwh": _text(balance.unbilled_kwh),
        "unpaid": [
            {
                "month": one.month.isoformat(), "unpaid": str(one.unpaid), "due_on": one.due_on.isoformat(),
                "overdue_days": one.overdue_days, "late_fee": str(one.late_fee),
            }
            for one in balance.unpaid
        ],
    }  # fmt: skip


def _bills(session: Session, account: Account, balance: Balance) -> list[dict[str, Any]]:
    """Return the bills of the last months, newest first."""
    try:
        last = latest_month(session, account=account)
        found = bills_between(session, account=account, first=add_months(last, 1 - MONTHS), last=last)
    except NoBill:
        return []
    return [_bill(bill, balance) for bill in reversed(found)]


def _bill(bill: Bill, balance: Balance) -> dict[str, Any]:
    still_open = next((one for one in balance.unpaid if one.month == bill.month), None)
    if still_open is None:
        status = "paid"
    elif still_open.overdue_days > 0:
        status = "overdue"
    else:
        status = "unpaid" if still_open.unpaid == bill.amount else "partly"
    return {
        "month": bill.month.isoformat(), "kwh": str(bill.kwh), "amount": str(bill.amount), "status": status,
        "unpaid": str(still_open.unpaid if still_open else Decimal("0.00")), "due_on": bill.due_on.isoformat(),
        "estimated": bill.estimated,
    }  # fmt: skip


def _payments(session: Session, account: Account, today: date) -> list[dict[str, Any]]:
    first = add_months(first_of_month(today), 1 - MONTHS)
    try:
        found = payments_between(session, account=account, first=first, last=today)
    except NoPayment:
        return []
    return [_payment(one) for one in reversed(found)]


def _payment(one: Payment) -> dict[str, Any]:
    return {
        "paid_at": _instant(one.paid_at), "amount": str(one.amount), "channel": one.channel, "status": one.status,
    }  # fmt: skip


def _usage(session: Session, account: Account, today: date) -> dict[str, Any]:
    """Return the use of the last months, that of the present month, and of the same month a year ago."""
    try:
        found = monthly_usage(session, account=account, first=add_months(first_of_month(today), -MONTHS), last=today)
    except NoReading:
        return {"months": [], "present": None, "last_year": None}
    months = {one.month: one for one in found}
    present, last_year = months.get(first_of_month(today)), months.get(add_months(first_of_month(today), -MONTHS))
    whole = [one for one in found if one.month > add_months(first_of_month(today), -MONTHS)]
    return {
        "months": [_month(one) for one in whole],
        "present": _month(present) if present else None,
        "last_year": _month(last_year) if last_year else None,
    }


def _month(one: MonthUsage) -> dict[str, Any]:
    return {
        "month": one.month.isoformat(), "kwh": str(one.usage.total), "partial": one.partial,
        "estimated_days": one.usage.estimated_days,
    }  # fmt: skip


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(SHANGHAI).isoformat() if at else None


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
