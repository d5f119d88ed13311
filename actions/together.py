"""Several accounts of one customer in one answer (三个屋一共多少, 分别欠几多): the total first, then a line each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from actions import choice
from actions.base import Reply, card
from actions.labels import money
from actions.question import Question
from actions.services import Services
from core.account import Account, find_account, list_accounts
from core.payment import balance_of

_TAIL = 4


def meant(services: Services, session: Session, question: Question) -> list[Account]:
    """Return the accounts that the question puts together; none if it is about one of them."""
    allowed = question.identity.accounts
    if len(allowed) < 2 or question.identity.assurance < 1 or question.values("account_no"):
        return []
    views = list_accounts(session, allowed=allowed, keyring=services.keyring)
    numbers = [view.account_no for view in views]
    if not _says(services, "every", question):
        span = question.span()
        # 今年一共多少: the sum of months, not of accounts.
        if not _says(services, "sum", question) or (span is not None and span.months > 1):
            return []
        fitting = choice.by_words(views, question, services.labels)
        if len(fitting) == 1:
            return []
        numbers = fitting or numbers
    return [find_account(session, account_no=number, allowed=allowed) for number in numbers]


def titles(services: Services, session: Session, question: Question) -> dict[str, str]:
    """Return what each of the customer's accounts is called, by its number."""
    views = list_accounts(session, allowed=question.identity.accounts, keyring=services.keyring)
    named = choice.buttons(views, services.labels)
    return {view.account_no: title for view, (title, _) in zip(views, named, strict=True)}


@dataclass(frozen=True)
class Owed:
    """Where one account stands, in yuan."""

    account: Account
    owed: Decimal
    late_fee: Decimal
    balance: Decimal


def standing(session: Session, question: Question, accounts: Sequence[Account]) -> list[Owed]:
    """Return where each of the accounts stands today."""
    found = []
    for account in accounts:
        personal = account.customer.kind == "person"
        one = balance_of(session, account=account, today=question.today, residential=personal)
        found.append(Owed(account, one.owed, one.late_fee, one.balance))
    return found


def total(services: Services, found: Sequence[Owed]) -> str:
    """Return what is owed on all of them, and the part of each that owes something."""
    say, owing = services.phrases.say, [one for one in found if one.owed]
    if not owing:
        return say("payment.pay.total_clear", count=len(found))
    owed, late = (sum((getattr(one, name) for one in owing), Decimal(0)) for name in ("owed", "late_fee"))
    parts = parts_of(services, {one.account.account_no: one.owed for one in owing})
    key = "payment.pay.total_late" if late else "payment.pay.total"
    values = {"late_fee": money(late)} if late else {}
    return say(key, count=len(found), owed=money(owed), parts=parts, **values)


def parts_of(services: Services, amounts: Mapping[str, Decimal]) -> str:
    """Return the part of each account: 尾号6070的88.16元、…."""
    say = services.phrases.say
    parts = [say("payment.pay.part", tail=number[-_TAIL:], owed=money(amount)) for number, amount in amounts.items()]
    return services.labels.list_separator.join(parts)


def balances(
    services: Services, session: Session, question: Question, accounts: Sequence[Account], asked: str
) -> Reply:  # fmt: skip
    """Return what is owed on the accounts together, with a table of all."""
    found, named = standing(session, question, accounts), titles(services, session, question)
    rows = [[named[one.account.account_no], money(one.owed), money(max(one.balance, Decimal(0)))] for one in found]
    said = total(services, found)
    views = list_accounts(session, allowed=[one.account_no for one in accounts], keyring=services.keyring)
    return Reply(
        "utter_pay", {"answer": said}, choice.buttons(views, services.labels),
        [table(services, services.labels.balance_title, ("account", "owed", "left"), rows)],
        {"asked": asked, "period_asked": None},
    )  # fmt: skip


def table(services: Services, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table with one row for each account."""
    text = services.labels.line_separator.join(" ".join(row) for row in rows)
    heads = [services.phrases.say(f"payment.together.column.{name}") for name in columns]
    data = {"title": title, "columns": heads, "rows": [list(row) for row in rows]}
    return card("table_card", f"{title} {text}", data)


def _says(services: Services, kind: str, question: Question) -> bool:
    return re.search(services.phrases.raw(f"payment.together.words.{kind}"), question.text) is not None
