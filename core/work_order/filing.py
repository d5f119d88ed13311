"""Filing an order: once for its cause, and joined to an open one of the same matter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from core import promise
from core.clock import SHANGHAI
from core.fields import Keyring
from core.locking import one_at_a_time
from core.promise import Subject
from core.text import folded
from core.work_order.events import happened, hold, of_cause
from core.work_order.tables import DANGER, NORMAL, OPEN, URGENT, WorkOrder, order_context

SAME_TALK = timedelta(hours=2)  # within it, a second report of one conversation is about the same matter
ADDRESS_COLUMN = "work_orders.address"  # of the keyed hash


@dataclass(frozen=True)
class Filing:
    """What is to be filed; `cause` names the message it came with (at most 80 characters).

    Orders of one `family` (by default the kind) may be the same matter and join. `details` are label -> value as the
    customer confirmed them, `contact` a phone number, `promises` (kind, due) as `core.promise` knows them.
    """

    cause: str
    kind: str
    category: str
    title: str = ""  # by default the last part of the category
    priority: str = NORMAL
    family: str = ""
    account_no: str | None = None
    customer_no: str | None = None
    conversation_id: str | None = None
    address: str | None = None
    contact: str | None = None
    district: str | None = None
    area_class: str | None = None
    place_code: str | None = None
    description: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    promises: Sequence[tuple[str, datetime]] = ()
    agent_id: int | None = None  # who of the desk filed it for the customer


@dataclass(frozen=True)
class Filed:
    """The order of a filing; it is `new`, or was there for the same cause, or the filing `joined` it."""

    order: WorkOrder
    new: bool
    joined: bool


def file_order(session: Session, filing: Filing, *, keyring: Keyring, now: datetime, joins: bool = True) -> Filed:
    """File an order and return it; the same cause again gives the same answer, but for `new`.

    With `joins`, a report of a matter that an open order is about becomes an event `joined` of that order: of the
    same account and customer, of the same place and address, or of the same conversation within two hours.
    """
    one_at_a_time(session, "work_orders")
    known = session.scalar(select(WorkOrder).where(WorkOrder.cause == filing.cause))
    if known is not None:
        return Filed(known, new=False, joined=False)
    event = of_cause(session, filing.cause)
    if event is not None:
        return Filed(session.get_one(WorkOrder, event.order_id), new=False, joined=True)
    same = _same_matter(session, filing, keyring, now) if joins else None
    if same is not None:
        _join(session, same, filing, keyring, now)
        return Filed(same, new=False, joined=True)
    return Filed(_open(session, filing, keyring, now), new=True, joined=False)


def open_urgent(
    session: Session,
    *,
    cause: str,
    category: str,
    kind: str,
    account_no: str | None,
    description: str,
    keyring: Keyring,
    now: datetime,
    conversation_id: str | None = None,
    customer_no: str | None = None,
    address: str | None = None,
) -> WorkOrder:
    """Open an urgent order for a danger; the same cause, and more of the same conversation, is the same order."""
    filing = Filing(
        cause=cause, kind=kind, category=category, priority=URGENT, family=DANGER, account_no=account_no,
        customer_no=customer_no, conversation_id=conversation_id, description=description,
        address=address,
    )  # fmt: skip
    return file_order(session, filing, keyring=keyring, now=now).order


def address_hash(address: str, *, keyring: Keyring) -> str:
    """Return the keyed hash under which an address is compared: width, case and blanks do not matter."""
    return keyring.blind(folded(address), ADDRESS_COLUMN)


def place_at(order: WorkOrder, address: str, *, keyring: Keyring) -> None:
    """Note where an order is, unless that is known."""
    if order.address_cipher is None:
        order.address_cipher = keyring.encrypt(address, order_context("address", order.order_no))
        order.address_hash = address_hash(address, keyring=keyring)


def _open(session: Session, filing: Filing, keyring: Keyring, now: datetime) -> WorkOrder:
    number = _next_order_no(session, now)
    order = WorkOrder(
        order_no=number, cause=filing.cause, category=filing.category,
        title=filing.title or filing.category.rpartition("→")[2], kind=filing.kind,
        family=filing.family or filing.kind, priority=filing.priority, state="accepted",
        account_no=filing.account_no, customer_no=filing.customer_no, conversation_id=filing.conversation_id,
        description_cipher=keyring.encrypt(filing.description, order_context("description", number)),
        details_cipher=keyring.encrypt(_json(filing.details), order_context("details", number)),
        district=filing.district, area_class=filing.area_class, place_code=filing.place_code,
        urges=0, opened_at=now, updated_at=now,
    )  # fmt: skip
    _fill_in(order, filing, keyring)
    session.add(order)
    session.flush()
    happened(
        session, order, "filed", by="customer", now=now, conversation_id=filing.conversation_id,
        agent_id=filing.agent_id,
    )  # fmt: skip
    for kind, due_at in filing.promises:
        promise.tell(session, Subject("order", order.id), kind, due_at, conversation_id=filing.conversation_id, now=now)
    return order


def _join(session: Session, order: WorkOrder, filing: Filing, keyring: Keyring, now: datetime) -> None:
    """Add a second report to an order; of the same conversation it also fills in what was not known."""
    hold(session, order)
    note = "\n".join((filing.description, *(f"{label}: {value}" for label, value in filing.details.items()))).strip()
    happened(
        session, order, "joined", by="customer", now=now, note=note, keyring=keyring,
        conversation_id=filing.conversation_id, cause=filing.cause, values={"kind": filing.kind},
        agent_id=filing.agent_id,
    )  # fmt: skip
    if filing.conversation_id == order.conversation_id:
        _fill_in(order, filing, keyring)
    if filing.priority == URGENT and order.priority != URGENT:
        order.priority = URGENT
        happened(session, order, "raised", by="system", now=now)
    if filing.conversation_id is None:
        return
    for one in promise.standing(session, Subject("order", order.id)):
        promise.tell(
            session, Subject("order", order.id), one.kind, one.due_at, conversation_id=filing.conversation_id, now=now
        )


def _fill_in(order: WorkOrder, filing: Filing, keyring: Keyring) -> None:
    if filing.address:
        place_at(order, filing.address, keyring=keyring)
    if filing.contact and order.contact_cipher is None:
        order.contact_cipher = keyring.encrypt(filing.contact, order_context("contact", order.order_no))
    for name in ("account_no", "district", "area_class", "place_code"):
        if getattr(order, name) is None:
            setattr(order, name, getattr(filing, name))


def _same_matter(session: Session, filing: Filing, keyring: Keyring, now: datetime) -> WorkOrder | None:
    hashed = address_hash(filing.address, keyring=keyring) if filing.address else None
    ways = []
    if filing.account_no:  # of the same customer: a stranger who names the number learns nothing of its orders
        ways.append(and_(WorkOrder.account_no == filing.account_no, WorkOrder.customer_no == filing.customer_no))
    if filing.place_code and hashed:
        ways.append(and_(WorkOrder.place_code == filing.place_code, WorkOrder.address_hash == hashed))
    if filing.conversation_id:
        recent = WorkOrder.opened_at >= now - SAME_TALK
        ways.append(and_(WorkOrder.conversation_id == filing.conversation_id, recent))
    if not ways:
        return None
    family = filing.family or filing.kind
    query = select(WorkOrder).where(WorkOrder.family == family, WorkOrder.state.in_(OPEN), or_(*ways))
    found = session.scalars(query.order_by(WorkOrder.opened_at.desc(), WorkOrder.id.desc()))
    return next((order for order in found if _agrees(order, filing, hashed)), None)


def _agrees(order: WorkOrder, filing: Filing, hashed: str | None) -> bool:
    """Tell whether nothing says that the two are about different places (二老那边 and 我家 in one conversation)."""
    if order.account_no and filing.account_no:
        return order.account_no == filing.account_no
    return order.address_hash is None or hashed is None or order.address_hash == hashed


def _next_order_no(session: Session, now: datetime) -> str:
    """Return the next number of the day: eight digits of the date in Shanghai and six that count up."""
    day = now.astimezone(SHANGHAI).strftime("%Y%m%d")
    last = session.scalar(select(func.max(WorkOrder.order_no)).where(WorkOrder.order_no.like(f"{day}%")))
    return f"{day}{int(last[8:]) + 1 if last else 1:06d}"


def _json(details: Mapping[str, str]) -> str:
    return json.dumps(dict(details), ensure_ascii=False)
