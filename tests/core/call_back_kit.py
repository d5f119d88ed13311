"""What the tests of calls back and managers share: an empty desk where C0 to C4 are customers of each segment."""

from __future__ import annotations

from fitting_kit import publish
from handoff_kit import DeskRoom, empty
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import call_back
from core.agent import Agent
from core.db import Database
from core.handoff.ending import WrapUp, wrap_up
from core.handoff.tables import Handoff
from core.portrait.tables import Portrait
from core.recommend.tables import CallBack, CustomerManager
from core.segment.tables import SEGMENTS, SegmentRun


def fitted_room(database: Database) -> DeskRoom:
    """Return an empty desk at ten on a Monday; C<n> is a customer of the n-th segment."""
    with database.transaction() as session:
        for table in (CallBack, CustomerManager, Portrait, SegmentRun):
            session.execute(delete(table))
    one = empty(database)
    one.write(lambda session: publish(session, {f"C{n}": key for n, key in enumerate(SEGMENTS)}, now=one.now))
    return one


def customer(segment: str) -> str:
    return f"C{SEGMENTS.index(segment)}"


def ended(room: DeskRoom, segment: str | None, agent: int | None = None, **more: str) -> Handoff:
    """Let a customer of a segment be served by an agent until the hand-back."""
    agent = agent or room.agent("小王")
    case = room.taken(agent, room.conversation(customer(segment) if segment else None), **more)
    room.call(wrap_up, case.conversation_id, WrapUp(outcome="solved"), agent_id=agent)
    return room.case(case)


def owed(room: DeskRoom, case: Handoff) -> CallBack | None:
    return room.read(lambda session: session.scalar(select(CallBack).where(CallBack.handoff_id == case.id)))


def due(room: DeskRoom, case: Handoff) -> CallBack:
    """Return the call that is owed after a case."""
    row = owed(room, case)
    assert row is not None
    return row


def leaves(room: DeskRoom, agent_id: int) -> None:
    """Let an agent leave the desk for good."""

    def work(session: Session) -> None:
        session.get_one(Agent, agent_id).active = False

    room.write(work)


def take_it(room: DeskRoom, call_back_id: int, agent: int) -> None:
    room.write(lambda session: call_back.take(session, call_back_id, agent_id=agent))
