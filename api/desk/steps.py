"""What the desk's routes share when they change something: the hints, the sign of life."""

from __future__ import annotations

from http import HTTPStatus

from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.access import NotSignedIn, Signed
from api.desk.errors import DeskProblem
from api.desk.watch import DESK, watch_of
from core import agent as people
from core.agent import Agent
from core.desk_feed import announce


def publish(parts: Parts, conversation_id: str | None = None) -> None:
    """Hint at a change, after its commit: to the desk, and to the customer of a conversation."""
    if conversation_id is not None:
        parts.bus.publish(conversation_id)
    parts.bus.publish(DESK)


def agent_of(session: Session, signed: Signed) -> Agent:
    """Return the row of who calls.

    Raises:
        NotSignedIn: if it is gone.
    """
    agent = session.get(Agent, signed.agent_id)
    if agent is None:
        raise NotSignedIn
    return agent


def refuse_unseen(session: Session, parts: Parts, agent_id: int) -> None:
    """Refuse somebody whose console is not open: he would be introduced to the customer and vanish a second later.

    Raises:
        DeskProblem: if there is no such agent, or he is not there.
    """
    agent = session.get(Agent, agent_id)
    since = parts.clock() - parts.book.limits.seconds("vanish")
    if agent is None or not agent.active or agent.last_seen_at is None or agent.last_seen_at < since:
        raise DeskProblem(HTTPStatus.CONFLICT, "no_such_agent")


async def touch_presence(parts: Parts, agent_id: int) -> None:
    """Note a sign of life of a console, now and then; the desk hears of who comes back."""
    if not watch_of(parts).due(agent_id):
        return

    def work(session: Session) -> bool:
        agent, now = session.get(Agent, agent_id), parts.clock()
        if agent is None:
            return False
        was = people.present(agent, now)
        people.touch(session, agent_id, now=now)
        session.refresh(agent)
        came = people.present(agent, now) and not was
        if came:
            announce(session, "agents", now=now, data={"agent": agent_id, "status": agent.status})
        return came

    if await parts.store.write(work):
        publish(parts)
