"""Which conversations somebody of the desk may see, and which he may act in.

An agent sees what he holds, what he is offered, what waits in the queue of one of his skills, messages that were left,
what a customer's code has opened for him at a counter while its case is open, and whom he has to call back; a
supervisor sees all. What is not there and what is not his look the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.access import Forbidden, Signed
from core.agent import SUPERVISOR
from core.audit import AuditEntry, Auditor
from core.call_back import falls_to
from core.conversation import Conversation
from core.hall import HallCode
from core.hall_counter import opened_by
from core.handoff.tables import Handoff, NotHolder
from core.locking import one_at_a_time
from core.mode import WITH_PERSON

MAX_ID = 36
LOOKED = "conversation_read"  # in the audit log


@dataclass(frozen=True)
class Sight:
    """A conversation that somebody may see, with its latest case if it has one."""

    conversation: Conversation
    case: Handoff | None
    holds: bool


async def conversation_in_scope(
    parts: Parts, signed: Signed, conversation_id: str, *, hold: bool = False
) -> Conversation:  # fmt: skip
    """Return a conversation that the caller may see; with `hold`, one that he has in hand.

    Raises:
        Forbidden: if there is none, or it is none of his business.
        NotHolder: if he may see it but somebody else, or nobody, has it.
    """
    sight = await parts.store.read(lambda session: sight_of(session, signed, conversation_id, hold=hold))
    return sight.conversation


def sight_of(session: Session, signed: Signed, conversation_id: str, *, hold: bool = False) -> Sight:
    """Return the same within a transaction, with the case.

    Raises:
        Forbidden, NotHolder: as `conversation_in_scope`.
    """
    conversation = session.get(Conversation, conversation_id) if 0 < len(conversation_id) <= MAX_ID else None
    if conversation is None:
        raise Forbidden
    case = latest_case(session, conversation_id)
    seen = may_see(signed, conversation, case) or came_by_code(session, signed, case)
    if not (seen or falls_to(session, conversation_id, signed.agent_id)):
        raise Forbidden
    holds = case is not None and case.ended_at is None and case.agent_id == signed.agent_id
    if hold and not (holds and conversation.mode in WITH_PERSON):
        raise NotHolder
    return Sight(conversation, case, holds)


async def note_look(parts: Parts, signed: Signed, sight: Sight) -> None:
    """Write down that somebody reads a conversation that he does not have in hand, once in a session of his.

    In a transaction of its own, for reading holds no locks.
    """
    if sight.holds:
        return
    conversation_id, now = sight.conversation.id, parts.clock()
    auditor = Auditor.of(parts.settings.keyring(), signed.agent_id)

    def known(session: Session) -> bool:
        query = select(AuditEntry.detail).where(
            AuditEntry.agent_id == signed.agent_id, AuditEntry.action == LOOKED, AuditEntry.subject == conversation_id
        )
        return any(one.get("login_session") == signed.session_id for one in session.scalars(query))

    def work(session: Session) -> None:
        one_at_a_time(session, LOOKED)  # the log and the console ask at the same moment
        if not known(session):
            auditor.note(session, LOOKED, conversation_id, now=now, login_session=signed.session_id)

    if not await parts.store.read(known):
        await parts.store.write(work)


def case_in_scope(session: Session, signed: Signed, handoff_id: int) -> Handoff:
    """Return a case that the caller may see.

    Raises:
        Forbidden: if there is none, or it is none of his business.
    """
    case = session.get(Handoff, handoff_id)
    if case is None:
        raise Forbidden
    conversation = session.get(Conversation, case.conversation_id)
    if conversation is None or not may_see(signed, conversation, case):
        raise Forbidden
    return case


def latest_case(session: Session, conversation_id: str) -> Handoff | None:
    """Return the newest case of a conversation: the open one, if one is open."""
    query = select(Handoff).where(Handoff.conversation_id == conversation_id)
    return session.scalar(query.order_by(Handoff.ended_at.is_not(None), Handoff.id.desc()).limit(1))


def latest_cases(session: Session, conversation_ids: Collection[str]) -> dict[str, Handoff]:
    """Return the same of several conversations in one query; one without a case is not in it."""
    query = select(Handoff).where(Handoff.conversation_id.in_(conversation_ids))
    rows = session.scalars(query.order_by(Handoff.ended_at.is_(None), Handoff.id))
    return {row.conversation_id: row for row in rows}  # the last one of each stays


def may_see(signed: Signed, conversation: Conversation, case: Handoff | None) -> bool:
    """Tell whether a conversation with this latest case is the caller's business."""
    if signed.may(SUPERVISOR):
        return True
    if case is None or case.ended_at is not None:
        return False
    if case.agent_id is not None:
        return case.agent_id == signed.agent_id
    if case.left_message:
        return True
    return case.offered_to == signed.agent_id or (conversation.mode == "queued" and case.skill in signed.skills)


def came_by_code(session: Session, signed: Signed, case: Handoff | None) -> bool:
    """Tell whether a clerk of the hall was shown the code of a conversation that somebody else has in hand."""
    return case is not None and opened_by(session, case, signed.agent_id)


def seen_by_code(session: Session, signed: Signed, conversation_ids: Collection[str]) -> set[str]:
    """Return those of several conversations that a code has opened for the caller at some time, in one query."""
    query = select(HallCode.conversation_id).where(HallCode.conversation_id.in_(conversation_ids))
    return set(session.scalars(query.where(HallCode.used_by == signed.agent_id)))


def visible(signed: Signed) -> ColumnElement[bool]:
    """Return the same as a condition on open cases joined with their conversations, for lists."""
    mine = Handoff.agent_id == signed.agent_id
    if signed.may(SUPERVISOR):
        return or_(mine, Handoff.agent_id.is_(None))
    waits = and_(Conversation.mode == "queued", Handoff.skill.in_(signed.skills))
    nobodys = and_(Handoff.agent_id.is_(None), or_(Handoff.left_message, Handoff.offered_to == signed.agent_id, waits))
    return or_(mine, nobodys)
