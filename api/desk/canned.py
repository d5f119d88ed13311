"""Canned answers for the composer, filled for the conversation as far as the desk knows it; masked."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep
from api.desk.cards import words_of
from api.desk.errors import DeskRoute
from api.desk.labels import labels_of
from api.desk.scope import sight_of
from api.desk.steps import agent_of
from core import canned, promise
from core.account import Account, address_context
from core.canned import CannedAnswer, CannedFile
from core.channel.join import talks_of
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.fields import UnreadableField
from core.masking import mask_account_no
from core.promise import Subject
from core.service_hall import ServiceHalls, load_service_halls
from core.work_order import orders_of

log = structlog.get_logger("api.desk")
router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=DeskRoute)
Values = dict[str, str | None]


class CannedView(BaseModel):
    """One answer; `missing` are the placeholders that have no value here and stand as 【…】 in the text."""

    id: int
    shortcut: str
    title: str
    text: str
    skill: str | None
    missing: list[str]


@cache
def canned_file(data_dir: Path) -> CannedFile:
    """Return the file of first answers, read once."""
    return canned.load_canned(data_dir / "desk" / "canned.yaml")


@router.get("/canned")
async def find(
    parts: PartsDep, signed: AgentDep, q: Annotated[str, Query(max_length=60)] = "",
    conversation: Annotated[str | None, Query(max_length=36)] = None,
) -> list[CannedView]:  # fmt: skip
    """Return the answers that fit the words, filled for a conversation that the agent may see."""
    path = parts.settings.data_dir / "desk" / "canned.yaml"

    def seeded(session: Session) -> bool:
        return session.scalar(select(CannedAnswer.id).limit(1)) is not None

    if not await parts.store.read(seeded):
        await parts.store.write(lambda session: canned.seed_canned(session, path, now=parts.clock()))

    def work(session: Session) -> tuple[list[CannedAnswer], Values, Conversation | None]:
        agent = agent_of(session, signed)
        found = sight_of(session, signed, conversation).conversation if conversation else None
        rows = canned.find_canned(session, query=q)
        return rows, {"agent": agent.name, "agent_no": agent.staff_no}, found

    rows, values, about = await parts.store.read(work)
    values["time"] = parts.clock().astimezone(SHANGHAI).strftime("%H:%M")
    values["phone"] = _halls(parts).phone
    if about is not None:
        values |= await _values(parts, about)
    names = canned_file(parts.settings.data_dir).placeholders
    return [_view(row, canned.fill(row.text, values, names)) for row in rows]


async def _values(parts: Parts, about: Conversation) -> Values:
    """Return what is known of a conversation; a value whose database is away is left out."""
    label = (await labels_of(parts, [about.customer_no])).get(about.customer_no or "")
    found: Values = {"customer": label, "account": mask_account_no(about.accounts[0]) if about.accounts else None}
    for read in (_of_order, _of_hall):
        try:
            found |= await asyncio.to_thread(read, parts, about)
        except (SQLAlchemyError, UnreadableField) as error:
            log.error("canned_value_unavailable", what=read.__name__, error=type(error).__name__)
    return found


def _of_order(parts: Parts, about: Conversation) -> Values:
    """Return the customer's newest open order and the time that stands for it."""
    with parts.bridge.reading() as log_session:
        talks = talks_of(log_session, about.id)
    with parts.workorder.reading() as session:
        orders = orders_of(
            session, conversation_id=about.id, conversations=talks, customer_no=about.customer_no,
            accounts=about.accounts, limit=1,
        )  # fmt: skip
        if not orders or not orders[0].is_open:
            return {}
        standing = promise.standing(session, Subject("order", orders[0].id))
        due = _at(parts, standing[0].due_at) if standing else None
        return {"order_no": orders[0].order_no, "order_title": orders[0].title, "due": due}


def _of_hall(parts: Parts, about: Conversation) -> Values:
    """Return the service hall nearest to the first bound account."""
    if not about.accounts:
        return {}
    with parts.billing.reading() as session:
        row = session.scalar(select(Account).where(Account.account_no == about.accounts[0]))
        if row is None:
            return {}
        address = parts.settings.keyring().decrypt(row.address_cipher, address_context(row.account_no))
    near = _halls(parts).of_addresses([address])
    return {"hall": near[0].name if near else None}


def _halls(parts: Parts) -> ServiceHalls:
    return load_service_halls(parts.settings.data_dir / "places" / "service_halls.yaml")


def _at(parts: Parts, at: datetime) -> str:
    return words_of(parts.settings.data_dir).instant(at)


def _view(row: CannedAnswer, filled: canned.Filled) -> CannedView:
    return CannedView(
        id=row.id, shortcut=row.shortcut, title=row.title, text=filled.text, skill=row.skill,
        missing=list(filled.missing),
    )  # fmt: skip
