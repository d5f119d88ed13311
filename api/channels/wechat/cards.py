"""Cards as lines of text: what the widget draws, written so that it reads well on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from api.channels.wechat.words import Words

MAX_LINES = 12
PAYMENTS = "payment_list"
MOST = {PAYMENTS: 5}  # the latest ones come first
Card = Mapping[str, Any]
Line = tuple[str, tuple[str, ...]]  # a line, and the figures for whose sake it is there


def lines_of(kind: str, card: Card, words: Words, *, said: str) -> list[str]:
    """Return the lines of a card; none if `said` tells them all already, or there is nothing to tell.

    A card of an unknown kind, or of another shape than its kind has, has none.
    """
    write = _CARDS.get(kind)
    if write is None:
        return []
    try:
        found = list(write(card, words))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        return []
    if all(figures and all(figure in said for figure in figures) for _, figures in found):
        return []
    lines = [line for line, _ in found]
    title = [words.title.format(title=card["title"])] if card.get("title") else []
    return [*title, *lines[: MOST.get(kind, MAX_LINES)], *_rest(kind, len(lines), words)]


def _rest(kind: str, count: int, words: Words) -> list[str]:
    """Return the line that says how many more there are."""
    most = MOST.get(kind, MAX_LINES)
    if count <= most:
        return []
    return [words.rest_payments.format(count=count - most) if kind == PAYMENTS else words.rest.format(count=count)]


def _bill(card: Card, words: Words) -> Iterator[Line]:
    if card.get("months"):
        for month in card["months"]:
            shown = {name: _shown(month.get(name)) for name in ("label", "amount", "kwh", "status")}
            yield words.month.format(**shown), (shown["amount"],)
        return
    for line in card.get("lines") or ():
        how = ""
        if _shown(line.get("quantity")) and _shown(line.get("price")):
            form = words.bill_how_money if line.get("unit") == words.yuan else words.bill_how
            how = form.format(quantity=line["quantity"], unit=line.get("unit") or "", price=line["price"])
        yield words.bill_line.format(label=line["label"], how=how, amount=line["amount"]), (str(line["amount"]),)


def _usage(card: Card, words: Words) -> Iterator[Line]:
    unit, before = str(card.get("unit") or ""), card.get("compare") or []
    for place, point in enumerate(card["points"]):
        earlier = str(before[place]["value"]) if place < len(before) else None
        form = words.point if earlier is None else words.point_before
        yield form.format(label=point["label"], value=point["value"], unit=unit, before=earlier), (str(point["value"]),)


def _balance(card: Card, words: Words) -> Iterator[Line]:
    bills = card.get("bills") or ()
    for bill in bills if len(bills) > 1 else ():
        unpaid = str(bill.get("unpaid") or bill["amount"])
        yield words.balance_bill.format(label=bill["label"], unpaid=unpaid, due=_shown(bill.get("due"))), (unpaid,)


def _payments(card: Card, words: Words) -> Iterator[Line]:
    for row in card["rows"]:
        shown = {"amount": row["amount"]} | {name: _shown(row.get(name)) for name in ("date", "channel", "status")}
        yield words.payment.format(**shown), ()


def _accounts(card: Card, words: Words) -> Iterator[Line]:
    for row in card["rows"]:
        yield words.account.format(**row), ()


def _facts(card: Card, words: Words) -> Iterator[Line]:
    for row in card["rows"]:
        value = _shown(row.get("value"))
        if value:
            yield words.row.format(label=row["label"], value=value), (value,)


def _table(card: Card, words: Words) -> Iterator[Line]:
    for row in card["rows"]:
        first, *others = [_shown(cell) for cell in row]
        if len(others) == 1:
            value = others[0]
        else:
            named = zip(card["columns"][1:], others, strict=False)
            value = words.cells.join(_cell(name, cell, words) for name, cell in named if cell and cell != words.nothing)
        yield words.row.format(label=first, value=value) if value else first, ()


def _cell(name: str, value: str, words: Words) -> str:
    """Return a figure with the unit that its column names: 用电（度）, 70 → 用电70度."""
    found = words.unit_words.fullmatch(name)
    if found is None:
        return words.cell.format(name=name, value=value)
    base, unit = found.groups()
    if value[-1:].isdigit():
        return words.cell_unit.format(name=base, value=value, unit=unit)
    return words.cell.format(name=base, value=value)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


_CARDS: dict[str, Callable[[Card, Words], Iterator[Line]]] = {
    "bill_card": _bill, "usage_chart": _usage, "balance_card": _balance, PAYMENTS: _payments,
    "account_list": _accounts, "fact_card": _facts, "table_card": _table,
}  # fmt: skip
