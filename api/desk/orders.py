"""Work orders at the desk: filed for the customer, looked at with their history, moved on, urged."""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Signed
from api.desk.cases import agent_names
from api.desk.customer import CustomerRoute, acting_in, sources_of, words_of
from api.desk.redaction import forget, redactor_for
from api.desk.scope import conversation_in_scope
from core import work_order
from core.audit import Auditor
from core.business import Business, BusinessTable
from core.channel.join import talks_of
from core.conversation import Conversation
from core.customer_card import (
    ON_FILE,
    BadFields,
    OrderRequest,
    file_for_customer,
    needs_account,
    order_detail,
    order_line,
)
from core.customer_card.filing import Rules
from core.promise import Commitments
from core.redact import Redactor
from core.upload import UploadNotFound, find_upload
from core.work_order import DANGER, WorkOrder, WrongState

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=CustomerRoute)
# With "desk:<conversation>:" before it, a client id must fit into the 80 characters of a cause.
ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,36}$")]
Answer = Annotated[str, StringConstraints(max_length=2000)]
State = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,12}$")]


class FilingRequest(BaseModel):
    """An order on the customer's behalf; `account_ref` is the reference of an account on the card."""

    model_config = ConfigDict(extra="forbid")

    client_id: ClientId
    business: Annotated[str, StringConstraints(max_length=30)]
    account_ref: Annotated[str, StringConstraints(pattern=r"^[a-p]{12}$")] | None = Field(
        None, validation_alias=AliasChoices("account_ref", "account")
    )
    values: dict[str, Answer] = Field(default_factory=dict, max_length=40)


class FilingAnswer(BaseModel):
    """The order that a filing became; `joined`: it is part of an older order of the same matter."""

    order: dict[str, Any]
    new: bool
    joined: bool


class ProgressRequest(BaseModel):
    """The next state of an order; `note` is a word to the customer."""

    model_config = ConfigDict(extra="forbid")

    state: State
    note: Annotated[str, StringConstraints(max_length=200)] = ""


class UrgeAnswer(BaseModel):
    """What an urging did: a second one within ten minutes is not counted."""

    order: dict[str, Any]
    counted: bool
    raised: bool
    escalated: bool


@router.get("/businesses")
async def businesses(parts: PartsDep, _signed: AgentDep) -> list[dict[str, Any]]:
    """Return the rows that an agent may file, with the fields of each.

    `account_needed`: an order names one of the customer's accounts; `prefill`: what stands in a field whose value is
    on file with the account that was chosen.
    """
    rules = rules_of(parts)
    return [_row(one, rules.words[ON_FILE]) for one in rules.businesses if not one.unavailable]


@router.post("/conversations/{conversation_id}/orders", status_code=HTTPStatus.CREATED)
async def file(conversation_id: str, body: FilingRequest, parts: PartsDep, signed: AgentDep) -> FilingAnswer:
    """File an order for the customer; the same `client_id` again is the same order."""
    conversation, now, rules = await acting_in(parts, signed, conversation_id), parts.clock(), rules_of(parts)
    await _check_photos(parts, conversation, rules.businesses, body)
    request = OrderRequest(body.business, body.client_id, body.values, body.account_ref, signed.agent_id)
    filed = await asyncio.to_thread(
        file_for_customer, sources_of(parts), conversation, request, rules=rules, now=now
    )  # fmt: skip
    forget(parts, conversation.id)  # the order may hold names and telephones that nobody knew of
    if filed.new or filed.joined:
        await _audit(parts, signed, conversation, "file_order", filed.order, business=body.business)

    def work(session: Session) -> dict[str, Any]:
        return order_line(session, work_order.order_by_no(session, filed.order.order_no), now=now)

    line = await asyncio.to_thread(_reading, parts, work)
    return FilingAnswer(order=_worded(parts, line), new=filed.new, joined=filed.joined)


@router.get("/conversations/{conversation_id}/orders/{order_no}")
async def one_order(conversation_id: str, order_no: str, parts: PartsDep, signed: AgentDep) -> dict[str, Any]:
    """Return one order of the customer with its history, masked."""
    conversation = await conversation_in_scope(parts, signed, conversation_id)
    return await _detail(parts, conversation, order_no)


@router.post("/conversations/{conversation_id}/orders/{order_no}/progress")
async def progress(
    conversation_id: str, order_no: str, body: ProgressRequest, parts: PartsDep, signed: AgentDep
) -> dict[str, Any]:
    """Move an order to its next state; the conversations that wait for it are told. The same state is no change."""
    conversation, now = await acting_in(parts, signed, conversation_id), parts.clock()
    talks = await _talks(parts, conversation)
    note = (await redactor_for(parts, conversation)).text(body.note.strip())  # others who wait for the order read it

    def work(session: Session) -> tuple[WorkOrder, bool]:
        order = _own(session, conversation, talks, order_no)
        if body.state == "cancelled" and order.family == DANGER:
            raise WrongState(order_no=order.order_no, state=order.state)
        commitments = rules_of(parts).commitments
        changed = work_order.progress(
            session, order, body.state, now=now, note=note, commitments=commitments, agent_id=signed.agent_id
        )
        return order, changed

    order, changed = await asyncio.to_thread(_writing, parts, work)
    if changed:
        await _audit(parts, signed, conversation, "progress_order", order, state=body.state)
    return await _detail(parts, conversation, order_no)


@router.post("/conversations/{conversation_id}/orders/{order_no}/urge")
async def urge(conversation_id: str, order_no: str, parts: PartsDep, signed: AgentDep) -> UrgeAnswer:
    """Urge an open order on the customer's behalf."""
    conversation, now = await acting_in(parts, signed, conversation_id), parts.clock()
    talks = await _talks(parts, conversation)

    def work(session: Session) -> tuple[WorkOrder, work_order.Urged, dict[str, Any]]:
        order = _own(session, conversation, talks, order_no)
        urged = work_order.urge(session, order, now=now, conversation_id=conversation.id, agent_id=signed.agent_id)
        return order, urged, order_line(session, order, now=now)

    order, urged, line = await asyncio.to_thread(_writing, parts, work)
    if urged.counted:
        await _audit(parts, signed, conversation, "urge_order", order)
    return UrgeAnswer(
        order=_worded(parts, line), counted=urged.counted, raised=urged.raised, escalated=urged.escalated
    )  # fmt: skip


@cache
def _rules(data_dir: Path) -> Rules:
    return Rules(
        BusinessTable.load(data_dir / "business"), Commitments.load(data_dir / "promises.yaml"),
        words_of(data_dir).answers,
    )  # fmt: skip


def rules_of(parts: Parts) -> Rules:
    """Return what filing goes by, read once."""
    return _rules(parts.settings.data_dir)


async def _talks(parts: Parts, conversation: Conversation) -> tuple[str, ...]:
    """Return the conversations that were joined to this one: what was filed there is the customer's too."""
    return await parts.store.read(lambda session: talks_of(session, conversation.id))


def _own(session: Session, conversation: Conversation, talks: tuple[str, ...], order_no: str) -> WorkOrder:
    """Return an order of the customer; raises `OrderNotFound`."""
    return work_order.orders_of(
        session, conversation_id=conversation.id, conversations=talks, customer_no=conversation.customer_no,
        accounts=conversation.accounts, order_no=order_no,
    )[0]  # fmt: skip


async def _detail(parts: Parts, conversation: Conversation, order_no: str) -> dict[str, Any]:
    redactor, now, keyring = await redactor_for(parts, conversation), parts.clock(), parts.settings.keyring()
    talks = await _talks(parts, conversation)

    def work(session: Session) -> dict[str, Any]:
        order = _own(session, conversation, talks, order_no)
        return order_detail(session, order, keyring=keyring, redactor=redactor, now=now)

    detail = _masked(await asyncio.to_thread(_reading, parts, work), redactor)
    await _name_agents(parts, detail["history"])
    return _worded(parts, detail)


async def _name_agents(parts: Parts, history: list[dict[str, Any]]) -> None:
    """Put the name of who of the desk did something into its event; after the masking, for it is no customer's."""
    names = await parts.store.read(agent_names) if any(one["agent_id"] for one in history) else {}
    for one in history:
        one["agent"] = names.get(one["agent_id"])


def _masked(detail: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    shown: dict[str, Any] = redactor.tree(detail)
    return shown


def _worded(parts: Parts, line: dict[str, Any]) -> dict[str, Any]:
    """Return an order with the Chinese name of its state."""
    return {**line, "state_text": words_of(parts.settings.data_dir).labels["states"][line["state"]]}


def _reading(parts: Parts, work: Any) -> Any:
    with parts.workorder.reading() as session:
        return work(session)


def _writing(parts: Parts, work: Any) -> Any:
    with parts.workorder.transaction() as session:
        return work(session)


async def _check_photos(parts: Parts, conversation: Conversation, table: BusinessTable, body: FilingRequest) -> None:
    """Let photos of this conversation pass alone."""
    if body.business not in table:
        return
    names = [one.name for one in table.get(body.business).fields if one.kind == "photo" and body.values.get(one.name)]

    def work(session: Session) -> list[str]:
        wrong = []
        for name in names:
            try:
                find_upload(session, body.values[name], conversation_id=conversation.id)
            except UploadNotFound:
                wrong.append(name)
        return wrong

    wrong = await parts.store.read(work) if names else []
    if wrong:
        raise BadFields(dict.fromkeys(wrong, "no_photo"))


async def _audit(
    parts: Parts, signed: Signed, conversation: Conversation, action: str, order: WorkOrder, **detail: str
) -> None:  # fmt: skip
    auditor, now, number = Auditor.of(parts.settings.keyring(), signed.agent_id), parts.clock(), order.order_no
    await parts.store.write(
        lambda session: auditor.note(session, action, conversation.id, now=now, order_no=number, **detail)
    )


def _row(business: Business, on_file: str) -> dict[str, Any]:
    return {
        "key": business.key, "title": business.title, "intent": business.intent, "about": business.about,
        "category": business.category.partition("→")[0], "priority": business.priority, "account": business.account,
        "account_needed": needs_account(business),
        "limit": business.limit.text if business.limit else None, "fee": business.fee,
        "papers": list(business.papers), "notes": list(business.notes),
        "fields": [
            {
                "name": one.name, "kind": one.kind, "label": one.label, "ask": one.ask, "optional": one.optional,
                "options": [{"value": option.value, "label": option.label} for option in one.options],
                "default": one.default, "prefill": on_file if one.default in ("customer", "account") else None,
                "when": {name: list(values) for name, values in one.when.items()},
                "unit": one.unit, "min": one.min, "max": one.max, "hint": one.hint,
            }
            for one in business.fields
        ],
    }  # fmt: skip
