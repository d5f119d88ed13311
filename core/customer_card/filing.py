"""An agent files an order on the customer's behalf: the same rows, fields and checks as the customer's own forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from core import notice, promise, work_order
from core.account import Account, address_context, find_account, phone_context
from core.business import Business, BusinessTable, Field
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.customer_card.billing import account_ref
from core.customer_card.card import Sources
from core.errors import AccountNotYours
from core.fields import Keyring
from core.form import SKIPPED, FormState, wanted
from core.form_fields import MAX_TEXT, Said, Unreadable, read
from core.outage_report import report
from core.place import Place, locate
from core.promise import ARRIVAL, Commitments, Subject
from core.work_order import Filed, Filing
from core.working_time import deadline

REPAIR = "repair"
MISSING, UNKNOWN = "missing", "unknown"
ON_FILE = "on_file"  # key of the word that stands for what the customer's file has


class UnknownBusiness(LookupError):
    """There is no such row, or it is not on offer here."""


class NoSuchAccount(LookupError):
    """The business needs an account, and none of the conversation's was named."""


class BadFields(ValueError):
    """Some answers are missing or cannot be taken; `reasons` by the name of the field."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__()
        self.reasons = dict(reasons)


@dataclass(frozen=True)
class OrderRequest:
    """What an agent files: answers as typed (a choice by its value), the account by its reference.

    What is left out of a telephone or address field, or given as the word for what is on file, is taken from the
    customer's file, unseen by the agent.
    """

    business: str
    client_id: str
    values: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    agent_id: int | None = None


@dataclass(frozen=True)
class Rules:
    """What filing needs besides the databases; `words` are the labels of yes, no, photo and what is on file."""

    businesses: BusinessTable
    commitments: Commitments
    words: Mapping[str, str]


def file_for_customer(
    sources: Sources, conversation: Conversation, request: OrderRequest, *, rules: Rules, now: datetime
) -> Filed:  # fmt: skip
    """File the order, once for its client id, and return it.

    Raises:
        UnknownBusiness, NoSuchAccount, BadFields: if it cannot be filed.
    """
    if request.business not in rules.businesses or rules.businesses.get(request.business).unavailable:
        raise UnknownBusiness
    business = rules.businesses.get(request.business)
    number = _account_no(conversation, request.account, business, sources.keyring)
    account, on_file = _on_file(sources, number)
    given = {name: "" if text.strip() == rules.words.get(ON_FILE) else text for name, text in request.values.items()}
    values = _answers(business, given, on_file, today=now.astimezone(SHANGHAI).date())
    filing = _filing(conversation, request, business, values, number, rules.words)
    filing = replace(
        filing, contact=filing.contact or on_file.get("customer"), address=filing.address or on_file.get("account"),
        district=account.district if account else None, area_class=account.area_class if account else None,
    )  # fmt: skip
    with sources.workorder.transaction() as session:
        filed = _file(session, business, filing, sources=sources, rules=rules, now=now)
        _tell(session, conversation, request, business, filed, now=now)
        return filed


def needs_account(business: Business) -> bool:
    """Tell whether an order of this kind has to name one of the customer's accounts."""
    return business.account == "required"


def _tell(
    session: Session, conversation: Conversation, request: OrderRequest, business: Business, filed: Filed, *,
    now: datetime,
) -> None:  # fmt: skip
    """Tell the customer once what was filed for him and what was promised; of an arrival only what is usual."""
    order = filed.order
    values = {"title": order.title, "order_no": order.order_no}
    told = [one for one in promise.standing(session, Subject("order", order.id)) if one.kind == business.promise]
    wording = "desk_joined" if filed.joined else "desk_filed"
    if not filed.joined and business.limit is not None:
        wording, values["limit"] = "desk_filed_limit", business.limit.text
        if told and business.promise != ARRIVAL:
            wording, values["due_at"] = "desk_filed_due", told[0].due_at.isoformat()
    notice.put(
        session, key=f"desk:{order.id}:{request.client_id}", conversation_id=conversation.id, wording=wording,
        values=values, now=now,
    )  # fmt: skip


def _file(
    session: Session, business: Business, filing: Filing, *, sources: Sources, rules: Rules, now: datetime
) -> Filed:  # fmt: skip
    site = _site(session, filing) if business.promise == ARRIVAL or business.key == REPAIR else None
    if site is not None:
        filing = replace(
            filing, place_code=site.code, district=site.district or filing.district,
            area_class=site.area_class or filing.area_class,
        )  # fmt: skip
    due_at = _due(business, filing.area_class, rules.commitments, now)
    if due_at is not None and business.promise:
        filing = replace(filing, promises=[(business.promise, due_at)])
    filed = work_order.file_order(session, filing, keyring=sources.keyring, now=now, joins=business.joins)
    if business.key == REPAIR and site is not None and site.known and filed.new and filing.conversation_id:
        report(
            session, site, conversation_id=filing.conversation_id, account_no=filing.account_no, now=now,
            order_no=filed.order.order_no,
        )  # fmt: skip
    return filed


def _account_no(conversation: Conversation, ref: str | None, business: Business, keyring: Keyring) -> str | None:
    if ref is None:
        if needs_account(business):
            raise NoSuchAccount
        return None
    numbers = (number for number in conversation.accounts if account_ref(number, keyring=keyring) == ref)
    found = next(numbers, None)
    if found is None:
        raise NoSuchAccount
    return found


def _on_file(sources: Sources, number: str | None) -> tuple[Account | None, dict[str, str]]:
    """Return the account with the telephone and address on file, by the default of the fields that they fill."""
    if number is None:
        return None, {}
    keyring = sources.keyring
    with sources.billing.reading() as session:
        try:
            account = find_account(session, account_no=number, allowed=[number])
        except AccountNotYours:
            raise NoSuchAccount from None
        customer = account.customer
        return account, {
            "customer": keyring.decrypt(customer.phone_cipher, phone_context(customer.customer_no)),
            "account": keyring.decrypt(account.address_cipher, address_context(number)),
        }


def _answers(
    business: Business, given: Mapping[str, str], on_file: Mapping[str, str], *, today: date
) -> dict[str, str]:  # fmt: skip
    """Return the answers in their normal form.

    Raises:
        BadFields: with all that is wrong, not only the first.
    """
    state = FormState(id="", business=business.key)
    reasons = {name: UNKNOWN for name in given if name not in {one.name for one in business.fields}}
    for one in business.fields:
        if one not in wanted(business, state):
            continue
        try:
            state = state.with_value(one.name, _answer(one, given.get(one.name, "").strip(), on_file, today))
        except Unreadable as error:
            reasons[one.name] = error.reason
    if reasons:
        raise BadFields(reasons)
    return dict(state.values)


def _answer(one: Field, text: str, on_file: Mapping[str, str], today: date) -> str:
    if not text:
        known = on_file.get(one.default or "")
        if known:
            return known
        if one.optional:
            return SKIPPED
        raise Unreadable(MISSING)
    return read(one, _said(one, text), today=today)


def _said(one: Field, text: str) -> Said:
    if one.kind == "photo":
        return Said("", upload=text)
    try:
        day = {"date": [date.fromisoformat(text).isoformat()]} if one.kind == "date" else {}
    except ValueError:
        day = {}
    return Said(text, entities=day, choice=text if one.kind in ("choice", "yes_no") else None)


def _filing(
    conversation: Conversation, request: OrderRequest, business: Business, values: Mapping[str, str],
    number: str | None, words: Mapping[str, str],
) -> Filing:  # fmt: skip
    fields = [one for one in business.fields if one.name in values]
    by_kind = {one.kind: values[one.name] for one in fields}
    shown = {one.name: _shown(one, values[one.name], words) for one in business.fields if one.name in values}
    written = next((values[one.name] for one in fields if one.kind == "text" and values[one.name]), "")
    labels = {one.name: shown.get(one.name, "") for one in business.fields}
    return Filing(
        cause=f"desk:{conversation.id}:{request.client_id}", kind=business.key, title=business.title,
        category=business.category.format(**labels), priority=business.priority, account_no=number,
        customer_no=conversation.customer_no, conversation_id=conversation.id,
        address=by_kind.get("address"), contact=by_kind.get("phone"), description=written[:MAX_TEXT],
        details={one.label: shown[one.name] for one in fields if shown[one.name]}, agent_id=request.agent_id,
    )  # fmt: skip


def _shown(one: Field, value: str, words: Mapping[str, str]) -> str:
    """Return an answer as people read it."""
    if one.kind == "choice":
        return next((option.label for option in one.options if option.value == value), value)
    if value and one.kind in ("yes_no", "photo"):
        return words["photo" if one.kind == "photo" else value]
    return value + one.unit if value and one.unit and one.kind in ("number", "energy", "amount") else value


def _site(session: Session, filing: Filing) -> Place | None:
    """Return where in the network the matter is: by the address, else by the account."""
    places = [
        locate(session, address_text=filing.address) if filing.address else None,
        locate(session, account_no=filing.account_no) if filing.account_no else None,
    ]
    found = [one for one in places if isinstance(one, Place)]
    known = [one for one in found if one.known]
    return next(iter(known or [one for one in found if one.district]), None)


def _due(business: Business, area_class: str | None, commitments: Commitments, now: datetime) -> datetime | None:
    if business.promise == ARRIVAL:
        return commitments.arrival(area_class, now)
    if business.promise is None or business.limit is None:
        return None
    return deadline(now, business.limit.amount, business.limit.unit).at
