"""Who is offered what: the oldest case first; its manager, its last agent, the least busy, the one idle longest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.agent import Agent
from core.conversation import Conversation
from core.customer_manager import manager_of
from core.handoff import asking
from core.handoff.book import Book
from core.handoff.case import hold_case
from core.handoff.queue import waiting
from core.handoff.tables import DANGER, Handoff
from core.locking import one_at_a_time
from core.roster import Worker

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Choice:
    """A case and the agent it is to be offered to."""

    handoff_id: int
    agent_id: int


def plan(session: Session, *, book: Book, now: datetime) -> list[Choice]:
    """Return which cases are to be offered to whom now; nobody gets more than he has room for."""
    staff = {one.id: one for one in book.staff(session, now=now)}
    chosen: list[Choice] = []
    if not staff:
        return chosen
    for case in waiting(session):
        if case.offered_to is not None:
            continue
        if case.priority != DANGER and not any(one.free for one in staff.values()):
            break  # dangers come first in the line, and nobody else gets more than his agents have room for
        agent_id = choose(session, case, list(staff.values()), book=book, now=now)
        if agent_id is not None:
            staff[agent_id] = replace(staff[agent_id], load=staff[agent_id].load + 1, idle_since=now)
            chosen.append(Choice(case.id, agent_id))
    return chosen


def offer_chosen(session: Session, choice: Choice, *, book: Book, now: datetime) -> bool:
    """Offer one case as planned, if it still waits; one process at a time decides.

    Where the agent has gone or taken something else since the plan was made, it goes to whom it would go now: else
    those who stand behind it would be given the agents that are left.
    """
    one_at_a_time(session, "routing")
    conversation, case = hold_case(session, choice.handoff_id)
    if conversation.mode != "queued" or case.ended_at is not None or case.left_message:
        return False
    staff = book.staff(session, now=now)
    planned = any(one.id == choice.agent_id and _has_room(case, one, book) for one in staff)
    agent_id = choice.agent_id if planned else choose(session, case, staff, book=book, now=now)
    if agent_id is None:
        return False
    if agent_id in case.tried:
        case.tried = []  # all were asked: the round begins again
    asking.offer(session, case.id, agent_id, book=book, now=now)
    return True


def choose(session: Session, case: Handoff, staff: Sequence[Worker], *, book: Book, now: datetime) -> int | None:
    """Return to whom a case goes now, None if it has to wait."""
    conversation = session.get_one(Conversation, case.conversation_id)
    skilled = [one for one in staff if case.skill in one.skills]
    if not skilled:
        if now - case.requested_at < book.limits.seconds("drop_skill"):
            return None
        skilled = list(staff)
    manager = manager_of(session, conversation.customer_no)
    wanted = (manager.agent_id if manager else None, last_agent(session, case, book=book, now=now))
    known = [one for number in wanted for one in skilled if one.id == number and one.id not in case.tried]
    if free := next((one for one in known if one.free), None):
        return free.id
    if known and now - case.requested_at < book.limits.seconds("last_agent_wait") and case.priority != DANGER:
        return None
    room = [one for one in skilled if _has_room(case, one, book)]
    fresh = [one for one in room if one.id not in case.tried]
    if not fresh and now - conversation.mode_since < book.limits.seconds("offer"):
        return None  # whoever has just let it go by is not asked again at once
    best = min(fresh or room, key=lambda one: (one.load / one.capacity, one.idle_since or _NEVER, one.id), default=None)
    return best.id if best else None


def last_agent(session: Session, case: Handoff, *, book: Book, now: datetime) -> int | None:
    """Return who had the last case of this customer within the hours of a repeated contact."""
    conversation = session.get_one(Conversation, case.conversation_id)
    same = Handoff.conversation_id == conversation.id
    if conversation.customer_no is not None:
        theirs = select(Conversation.id).where(Conversation.customer_no == conversation.customer_no)
        same = Handoff.conversation_id.in_(theirs)
    query = select(Handoff.agent_id).where(
        same, Handoff.id != case.id, Handoff.agent_id.is_not(None),
        Handoff.ended_at > now - book.limits.hours("last_agent"),
    )  # fmt: skip
    return session.scalar(query.order_by(Handoff.ended_at.desc()).limit(1))


def vanished(session: Session, *, book: Book, now: datetime) -> list[int]:
    """Return the cases, talked about or offered, whose agent's console gave no sign of life for too long."""
    gone = select(Agent.id).where(
        (Agent.last_seen_at < now - book.limits.seconds("vanish")) | Agent.last_seen_at.is_(None)
        | Agent.active.is_(False)
    )  # fmt: skip
    query = (
        select(Handoff.id)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(
            Handoff.ended_at.is_(None),
            ((Conversation.mode == "human") & Handoff.agent_id.in_(gone))
            | ((Conversation.mode == "offered") & Handoff.offered_to.in_(gone)),
        )
    )
    return list(session.scalars(query.order_by(Handoff.rank_at)))


def _has_room(case: Handoff, worker: Worker, book: Book) -> bool:
    more = book.limits.danger_over_capacity if case.priority == DANGER else 0
    return worker.load < worker.capacity + more
