"""From a confirmed form to its order: one order for one form, whatever is pressed twice or killed in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.form_hooks import hook_of
from core.account import Account
from core.business import Business
from core.form import FormState, wanted
from core.form_fields import MAX_TEXT
from core.promise import ARRIVAL
from core.work_order import Filing, WorkOrder, file_order
from core.working_time import deadline

if TYPE_CHECKING:
    from actions.form import ActionForm
    from actions.question import Question
    from actions.services import Services


@dataclass(frozen=True)
class Filed:
    """What the customer is told of a filed order: number, whether it joined an older one, the time that is usual."""

    order_no: str
    joined: bool
    limit: str


def cause_of(form_id: str) -> str:
    """Return the cause under which a form's order is filed."""
    return f"form:{form_id}"


def file_form(
    form: ActionForm, session: Session, question: Question, business: Business, state: FormState,
    account: Account | None,
) -> Filed:  # fmt: skip
    """Write the order of a form whose values are in clear, once, and return what to tell."""
    services, hook = form.services, hook_of(business.key)
    filing = _filing(form, question, business, state, account)
    if hook is not None:
        filing = hook.filing(form, session, question, state, filing)
    limit, due_at = _limit(services, business, filing)
    if due_at is not None and business.promise:
        filing = replace(filing, promises=[(business.promise, due_at)])
    with services.workorder.transaction() as workorder:
        filed = file_order(workorder, filing, keyring=services.keyring, now=question.now, joins=business.joins)
        if hook is not None:
            hook.filed(workorder, question, state, filed.order)
        return Filed(filed.order.order_no, filed.joined, limit)


def find_filed(services: Services, business: Business, form_id: str) -> Filed | None:
    """Return the order that a form has become already, None if it has become none."""
    with services.workorder.reading() as workorder:
        order = workorder.scalar(select(WorkOrder).where(WorkOrder.cause == cause_of(form_id)))
        if order is None:
            return None
        return Filed(order.order_no, joined=False, limit=_said_limit(services, business, order.area_class))


def _filing(
    form: ActionForm, question: Question, business: Business, state: FormState, account: Account | None
) -> Filing:  # fmt: skip
    words, identity = form.words, question.identity
    fields = wanted(business, state)
    by_kind = {one.kind: state.values.get(one.name) for one in fields}
    about = account if state.account_no else None
    file = words.on_file(account, masked=False) if account else {}
    details = {one.label: words.value(one, value) for one in fields if (value := state.values.get(one.name, ""))}
    written = next((state.values[one.name] for one in fields if _is_description(one, state)), "")
    return Filing(
        cause=cause_of(state.id), kind=business.key, title=business.title, category=_category(form, business, state),
        priority=business.priority, account_no=state.account_no,
        customer_no=identity.customer_no, conversation_id=identity.conversation_id,
        address=by_kind.get("address") or (file.get("account") if about else None),
        contact=by_kind.get("phone") or file.get("customer"),
        district=about.district if about else None, area_class=about.area_class if about else None,
        description=(written or state.opening)[:MAX_TEXT], details=details,
    )  # fmt: skip


def _is_description(one: object, state: FormState) -> bool:
    kind, name = getattr(one, "kind", ""), getattr(one, "name", "")
    return kind == "text" and bool(state.values.get(name))


def _category(form: ActionForm, business: Business, state: FormState) -> str:
    """Return the chain of classes; `{field}` in it stands for the label of a choice."""
    labels = {one.name: form.words.value(one, state.values.get(one.name, "")) for one in business.fields}
    return business.category.format(**labels)


def _limit(services: Services, business: Business, filing: Filing) -> tuple[str, datetime | None]:
    now = services.clock()
    said = _said_limit(services, business, filing.area_class)
    if business.promise == ARRIVAL:
        return said, services.commitments.arrival(filing.area_class, now)
    if business.limit is None:
        return said, None
    return said, deadline(now, business.limit.amount, business.limit.unit).at


def _said_limit(services: Services, business: Business, area_class: str | None) -> str:
    if business.promise == ARRIVAL:
        return services.phrases.say(f"form.arrival.{area_class or 'unknown'}", **_minutes(services))
    return business.limit.text if business.limit else ""


def _minutes(services: Services) -> dict[str, object]:
    return dict(services.commitments.arrival_minutes)
