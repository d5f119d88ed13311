"""The customer beside a conversation: the card, masked, and showing one field of it for a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import AgentDep, Signed
from api.desk.errors import DeskRoute, document
from api.desk.redaction import redactor_for
from api.desk.scope import conversation_in_scope
from core import reveal
from core.agent import SUPERVISOR
from core.audit import Auditor
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.customer_card import BadFields, NoSuchAccount, Sources, UnknownBusiness, customer_card
from core.reveal import NothingToShow, ReasonTooShort, UnknownField
from core.work_order import OrderNotFound, OrderOver, WrongState

REFUSED: dict[type[Exception], tuple[HTTPStatus, str]] = {
    UnknownField: (HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_field"),
    ReasonTooShort: (HTTPStatus.UNPROCESSABLE_ENTITY, "reason_too_short"),
    NothingToShow: (HTTPStatus.NOT_FOUND, "nothing_to_show"),
    OrderNotFound: (HTTPStatus.NOT_FOUND, "order_not_found"),
    OrderOver: (HTTPStatus.CONFLICT, "order_over"),
    WrongState: (HTTPStatus.CONFLICT, "order_wrong_state"),
    UnknownBusiness: (HTTPStatus.NOT_FOUND, "unknown_business"),
    NoSuchAccount: (HTTPStatus.UNPROCESSABLE_ENTITY, "no_such_account"),
    BadFields: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_fields"),
}


class CustomerWords(BaseModel):
    """The file `data/desk/customer.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: dict[str, dict[str, str]]
    answers: dict[str, str]
    field_reasons: dict[str, str]
    problems: dict[str, str]


@cache
def words_of(data_dir: Path) -> CustomerWords:
    """Read the file of names.

    Raises:
        pydantic.ValidationError: if it is not of this form.
    """
    path = data_dir / "desk" / "customer.yaml"
    return CustomerWords.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


class CustomerRoute(DeskRoute):
    """A route of the desk that also answers what the card and the orders refuse."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except tuple(REFUSED) as error:
                return _refusal(request, error)

        return handling


router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=CustomerRoute)


class RevealRequest(BaseModel):
    """Which field is to be shown, and why."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    reason: Annotated[str, StringConstraints(max_length=reveal.LONGEST_REASON)]


class RevealAnswer(BaseModel):
    """The value in clear; a console hides it again when the time is over."""

    field: str
    value: str
    expires_at: datetime


@router.get("/conversations/{conversation_id}/customer")
async def customer(conversation_id: str, parts: PartsDep, signed: AgentDep) -> dict[str, Any]:
    """Return the card of the customer, masked; `labels` holds the Chinese names of its keys."""
    conversation = await conversation_in_scope(parts, signed, conversation_id)
    redactor = await redactor_for(parts, conversation)
    card = await asyncio.to_thread(customer_card, sources_of(parts), conversation, now=parts.clock())
    shown: dict[str, Any] = redactor.tree(card)
    return {**shown, "labels": words_of(parts.settings.data_dir).labels}


@router.post("/conversations/{conversation_id}/reveal")
async def show(conversation_id: str, body: RevealRequest, parts: PartsDep, signed: AgentDep) -> RevealAnswer:
    """Show one field for a reason; it is in the audit log before it is in the answer."""
    conversation = await acting_in(parts, signed, conversation_id)
    wanted, reason = reveal.parse_field(body.field), reveal.check_reason(body.reason)
    value = await asyncio.to_thread(reveal.value_of, sources_of(parts), conversation, wanted)
    # What the agent types as a reason is read by others, who did not ask to see anything.
    reason = (await redactor_for(parts, conversation)).text(reason)
    now, auditor = parts.clock(), Auditor.of(parts.settings.keyring(), signed.agent_id)

    def work(session: Session) -> datetime:
        row = reveal.record(
            session, agent_id=signed.agent_id, conversation_id=conversation.id, field=body.field, reason=reason, now=now
        )  # fmt: skip
        auditor.note(session, "reveal", conversation.id, now=now, field=body.field, reason=reason)
        return row.expires_at

    expires_at = await parts.store.write(work)
    return RevealAnswer(field=body.field, value=value, expires_at=expires_at.astimezone(SHANGHAI))


async def acting_in(parts: Parts, signed: Signed, conversation_id: str) -> Conversation:
    """Return a conversation in which the caller may act: he has it in hand, or he is a supervisor.

    Raises:
        api.desk.access.Forbidden, core.handoff.tables.NotHolder: if he may not.
    """
    return await conversation_in_scope(parts, signed, conversation_id, hold=not signed.may(SUPERVISOR))


def sources_of(parts: Parts) -> Sources:
    """Return where cards are read from."""
    return Sources(parts.billing, parts.workorder, parts.bridge, parts.settings.keyring())


def _refusal(request: Request, error: Exception) -> JSONResponse:
    status, code = REFUSED[type(error)]
    words = words_of(parts_of(request).settings.data_dir)
    more: dict[str, Any] = {}
    if isinstance(error, BadFields):
        reasons = error.reasons.items()
        more = {
            "fields": {name: words.field_reasons.get(why, words.field_reasons["no_match"]) for name, why in reasons}
        }
    return document(request, status, code, words.problems, **more)
