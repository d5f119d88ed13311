"""What the billing database says, by SQL alone: none of the project's own code has a part in an expected figure."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
REGISTERS = {"sharp": "尖峰", "peak": "高峰", "flat": "平段", "valley": "低谷"}
FEN = Decimal("0.01")


def today() -> date:
    return datetime.now(SHANGHAI).date()


def month_of(day: date, offset: int = 0) -> date:
    index = day.year * 12 + day.month - 1 + offset
    return date(index // 12, index % 12 + 1, 1)


def month_end(month: date) -> date:
    return month_of(month, 1) - timedelta(days=1)


def yuan(value: Decimal) -> str:
    return format(value.quantize(FEN), "f")


def plain(value: Decimal) -> str:
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


def exact(value: float | None, places: str = "0.01") -> Decimal:
    return Decimal(0) if value is None else Decimal(str(value)).quantize(Decimal(places))


@dataclass(frozen=True)
class Bill:
    id: int
    month: date
    amount: Decimal
    kwh: Decimal
    due_on: date


@dataclass(frozen=True)
class Payment:
    at: datetime
    amount: Decimal
    status: str


class BillingFacts:
    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def bills(self, account: str, first: date, last: date) -> list[Bill]:
        found = self.rows(
            "SELECT b.id, b.month, b.amount, b.kwh, b.due_on FROM bills b JOIN accounts a ON a.id = b.account_id"
            " WHERE a.account_no = ? AND b.month BETWEEN ? AND ? ORDER BY b.month",
            account, str(first), str(last),
        )  # fmt: skip
        return [
            Bill(key, date.fromisoformat(month), exact(amount), exact(kwh), date.fromisoformat(due))
            for key, month, amount, kwh, due in found
        ]

    def lines(self, bill: Bill) -> list[dict[str, str]]:
        """The printed lines: quantity, price and amount as a customer reads them."""
        found = self.rows("SELECT quantity, unit_price, amount FROM bill_lines WHERE bill_id = ? ORDER BY seq", bill.id)
        return [
            {
                "quantity": plain(exact(quantity, "0.0001")),
                "price": plain(exact(price, "0.000001")),
                "amount": yuan(exact(amount)),
            }
            for quantity, price, amount in found
        ]

    def line_codes(self, account: str) -> set[str]:
        return {
            code
            for (code,) in self.rows(
                "SELECT DISTINCT l.code FROM bill_lines l JOIN bills b ON b.id = l.bill_id"
                " JOIN accounts a ON a.id = b.account_id WHERE a.account_no = ?",
                account,
            )
        }

    def registers(self, account: str, first: date, last: date) -> dict[str, Decimal]:
        """kWh by register: on each meter the last reading less the first, times the meter's ratio."""
        found = self.rows(
            "SELECT m.multiplier, r.sharp, r.peak, r.flat, r.valley, e.sharp, e.peak, e.flat, e.valley"
            " FROM meters m JOIN accounts a ON a.id = m.account_id"
            " JOIN daily_readings r ON r.meter_id = m.id AND r.day ="
            "  (SELECT min(day) FROM daily_readings WHERE meter_id = m.id AND day BETWEEN ?2 AND ?3)"
            " JOIN daily_readings e ON e.meter_id = m.id AND e.day ="
            "  (SELECT max(day) FROM daily_readings WHERE meter_id = m.id AND day BETWEEN ?2 AND ?3)"
            " WHERE a.account_no = ?1",
            account, str(first - timedelta(days=1)), str(last),
        )  # fmt: skip
        total = dict.fromkeys(REGISTERS, Decimal(0))
        for ratio, *values in found:
            for place, name in enumerate(REGISTERS):
                total[name] += (exact(values[place + 4]) - exact(values[place])) * ratio
        return total

    def kwh(self, account: str, first: date, last: date) -> Decimal:
        return sum(self.registers(account, first, last).values(), Decimal(0))

    def balance(self, account: str) -> Decimal:
        [(paid,)] = self.rows(
            "SELECT sum(p.amount) FROM payments p JOIN accounts a ON a.id = p.account_id"
            " WHERE a.account_no = ? AND p.status = 'succeeded'",
            account,
        )
        [(billed,)] = self.rows(
            "SELECT sum(b.amount) FROM bills b JOIN accounts a ON a.id = b.account_id WHERE a.account_no = ?", account
        )
        return exact(paid) - exact(billed)

    def unpaid(self, account: str) -> dict[Bill, Decimal]:
        """The open bills of an account that pays after use, where each payment names its bill."""
        result = {}
        for bill in self.bills(account, date(2000, 1, 1), date(2999, 1, 1)):
            [(paid,)] = self.rows(
                "SELECT sum(amount) FROM payments WHERE bill_id = ? AND status = 'succeeded'", bill.id
            )
            if bill.amount > exact(paid):
                result[bill] = bill.amount - exact(paid)
        return result

    def late_fee(self, account: str, day: date) -> Decimal:
        """0.1 % a day for residents, bill by bill, rounded to the fen."""
        fees = [
            (left * (day - bill.due_on).days / 1000).quantize(FEN, ROUND_HALF_UP)
            for bill, left in self.unpaid(account).items()
            if day > bill.due_on
        ]
        return sum(fees, Decimal("0.00"))

    def payments(self, account: str, first: date, last: date) -> list[Payment]:
        """The payments of these days in Shanghai, the latest first; SQLite keeps their times in UTC."""
        found = self.rows(
            "SELECT p.paid_at, p.amount, p.status FROM payments p JOIN accounts a ON a.id = p.account_id"
            " WHERE a.account_no = ? ORDER BY p.paid_at DESC, p.id DESC",
            account,
        )
        all_ = [
            Payment(datetime.fromisoformat(f"{at}+00:00").astimezone(SHANGHAI), exact(amount), status)
            for at, amount, status in found
        ]
        return [one for one in all_ if first <= one.at.date() <= last]

    def as_of(self, feed: str) -> str:
        [(at,)] = self.rows("SELECT as_of FROM feeds WHERE name = ?", feed)
        local = datetime.fromisoformat(f"{at}+00:00").astimezone(SHANGHAI)
        return f"{local.month}月{local.day}日{local.hour:02d}:{local.minute:02d}"

    def all_account_nos(self) -> list[str]:
        return [number for (number,) in self.rows("SELECT account_no FROM accounts ORDER BY id")]

    def money_of_others(self, accounts: tuple[str, ...]) -> set[str]:
        """Amounts that stand on bills of other accounts and on none of these."""
        marks = ",".join("?" * len(accounts))
        others = self.rows(
            "SELECT DISTINCT b.amount FROM bills b JOIN accounts a ON a.id = b.account_id"
            f" WHERE a.account_no NOT IN ({marks})",
            *accounts,
        )
        return {yuan(exact(amount)) for (amount,) in others if amount}
