"""From customers as they are described to the rows of all that belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from core.account import address_context, certificate_context, name_context, phone_context
from core.clock import SHANGHAI, add_months
from core.fields import Keyring
from core.seed.accounts import AccountSpec, CustomerSpec
from core.seed.billing import BillDraft, Billing
from core.seed.payments import payments_of
from core.seed.readings import Window, ledger_of, readings_of
from core.seed.region import Region
from core.seed.shapes import Counts, Shapes
from core.seed.spans import ONE_DAY
from core.seed.write import account_row, bill_row, customer_row, line_rows, write_readings, write_rows
from core.tariff import TariffBook

# Columns of the keyed hashes, as `Keyring.blind` takes them.
PHONE_COLUMN = "customers.phone"
CERTIFICATE_COLUMN = "customers.certificate"
THREE_PHASES_FROM_KVA = 12


class Writer:
    """Writes customers with all that belongs to them, and counts the rows by table."""

    def __init__(
        self, connection: Connection, region: Region, book: TariffBook, keyring: Keyring, window: Window
    ) -> None:
        self.connection = connection
        self.keyring = keyring
        self.window = window
        self.shapes = Shapes(region.profiles, book)
        self.billing = Billing(book, region.profiles)
        self.counts: Counter[str] = Counter()

    def write(self, people: Sequence[CustomerSpec]) -> None:
        """Write some customers."""
        accounts = [account for person in people for account in person.accounts]
        # Next month's use decides on what the prepaid top up this month.
        until = add_months(self.window.last_billed, 2)
        ledgers = {account.id: ledger_of(account, self.shapes, until) for account in accounts}
        self._rows("customers", (customer_row(person, self._encrypted(person)) for person in people))
        self._rows("accounts", (self._account(account) for account in accounts))
        self._rows("meters", (row for account in accounts for row in self._meters(account)))
        self.counts["daily_readings"] += write_readings(
            self.connection,
            (
                reading
                for account in accounts
                for reading in readings_of(account, self.shapes, ledgers[account.id], self.window)
            ),
        )
        bills = {account.id: self._bills(account, ledgers[account.id], until) for account in accounts}
        stored = [bill for account in accounts for bill in bills[account.id] if self._is_stored(bill)]
        self._rows("bills", map(bill_row, stored))
        self._rows("bill_lines", (line for bill in stored for line in line_rows(bill)))
        self._rows("payments", (row for account in accounts for row in self._payments(account, bills[account.id])))

    def _rows(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        self.counts[name] += write_rows(self.connection, name, rows)

    def _encrypted(self, person: CustomerSpec) -> dict[str, str]:
        number, keys = person.customer_no, self.keyring
        return {
            "name_cipher": keys.encrypt(person.name, name_context(number)),
            "phone_cipher": keys.encrypt(person.phone, phone_context(number)),
            "phone_hash": keys.blind(person.phone, PHONE_COLUMN),
            "certificate_cipher": keys.encrypt(person.certificate, certificate_context(number)),
            "certificate_hash": keys.blind(person.certificate, CERTIFICATE_COLUMN),
        }

    def _account(self, account: AccountSpec) -> dict[str, Any]:
        cipher = self.keyring.encrypt(account.address, address_context(account.account_no))
        return account_row(account, cipher, closed_on=self._if_past(account.closed_on))

    def _meters(self, account: AccountSpec) -> Iterator[dict[str, Any]]:
        for meter in account.meters:
            removed = self._if_past(meter.removed_on)
            if meter.installed_on > self.window.yesterday or (removed and removed < self.window.first - ONE_DAY):
                continue
            yield {
                "id": meter.id,
                "meter_no": meter.meter_no,
                "account_id": account.id,
                "multiplier": account.multiplier,
                "phases": 3 if account.capacity_kva >= THREE_PHASES_FROM_KVA else 1,
                "installed_on": meter.installed_on,
                "removed_on": removed,
            }

    def _bills(self, account: AccountSpec, ledger: dict[date, Counts], until: date) -> list[BillDraft]:
        first = self.window.first
        if account.prepaid:
            return list(self.billing.bills(account, ledger, first=first.replace(month=1), last=until))
        return list(self.billing.bills(account, ledger, first=first, last=self.window.last_billed))

    def _is_stored(self, bill: BillDraft) -> bool:
        return self.window.first <= bill.month <= self.window.last_billed

    def _payments(self, account: AccountSpec, bills: Sequence[BillDraft]) -> Iterator[dict[str, Any]]:
        for payment in payments_of(account, bills, first=self.window.first):
            if payment.paid_at.astimezone(SHANGHAI).date() < self.window.today:
                yield dict(vars(payment))

    def _if_past(self, day: date | None) -> date | None:
        return day if day is not None and day < self.window.today else None
