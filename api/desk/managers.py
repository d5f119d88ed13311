"""The named manager of a customer: supervisors name one, or take the name away."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.deps import PartsDep
from api.desk.access import SupervisorDep
from api.desk.customer import CustomerRoute
from api.desk.errors import DeskProblem
from api.desk.scope import sight_of
from api.desk.steps import publish
from core import agent as people
from core.agent import Agent
from core.audit import Auditor
from core.customer_manager import ANYBODY, ManagerChanged, set_manager

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=CustomerRoute)
AgentId = Annotated[int, Field(gt=0)]


class ManagerBody(BaseModel):
    """Who looks after the customer by name; None: nobody any more. `instead_of`: whom the caller saw there."""

    model_config = ConfigDict(extra="forbid")

    agent_id: AgentId | None
    instead_of: AgentId | None = None

    @property
    def seen(self) -> int | None:
        """Whom the caller saw, None for nobody; anybody, if he does not say."""
        return self.instead_of if "instead_of" in self.model_fields_set else ANYBODY


@router.put("/conversations/{conversation_id}/manager", status_code=HTTPStatus.NO_CONTENT)
async def name_manager(conversation_id: str, body: ManagerBody, parts: PartsDep, signed: SupervisorDep) -> None:
    """Name who looks after the customer of a conversation, or take the name away.

    Answers 409 with the present manager (`holder`) where that is another one than the caller saw.
    """
    now, auditor = parts.clock(), Auditor.of(parts.settings.keyring(), signed.agent_id)

    def work(session: Session) -> None:
        conversation = sight_of(session, signed, conversation_id).conversation
        number = conversation.customer_no
        if number is None:
            raise DeskProblem(HTTPStatus.CONFLICT, "manager_of_nobody")
        if body.agent_id is not None and not people.find_agent(session, body.agent_id).active:
            raise people.AgentNotFound(body.agent_id)
        try:
            changed = set_manager(session, number, body.agent_id, now=now, instead_of=body.seen)
        except ManagerChanged as error:
            agent = session.get(Agent, error.agent_id) if error.agent_id is not None else None
            holder = {"id": agent.id, "name": agent.name} if agent is not None else None
            raise DeskProblem(HTTPStatus.CONFLICT, "manager_changed", holder=holder) from error
        if changed:
            auditor.note(session, "manager_named", conversation.id, now=now, to=body.agent_id)

    await parts.store.write(work)
    publish(parts, conversation_id)
