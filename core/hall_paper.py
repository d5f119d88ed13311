"""Papers of the hall: a poster begins a business for whoever scans it, a slip brings one order into the chat.

A slip is for the customer of its order and for the first one who scans it; a second one is sent to the counter, for
paper goes astray. What it opens is the order's progress: the conversation becomes one that waits for the order. Of the
order of a known customer somebody else, or of whom nothing is proved yet, hears how far it is and no more.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.business import Business
from core.channel.tables import ChannelUser
from core.conversation import Conversation, ConversationNotFound, find_conversation
from core.hall import HallPaper
from core.work_order import OrderNotFound, WorkOrder, order_by_no
from core.work_order.events import conversations_of, happened, hold, of_cause

LONGEST = timedelta(days=30)  # WeChat's limit for codes that end
MAX_TITLE = 60
_SCENE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class PaperNotFound(LookupError):
    """There is no such paper."""


class BadValidity(ValueError):
    """A slip holds for 1 to 30 days; a poster for so long, or until it is withdrawn."""


@dataclass(frozen=True)
class Begins:
    """A poster was scanned: this business begins."""

    paper_id: int
    title: str
    business: str


@dataclass(frozen=True)
class Shows:
    """A slip was scanned by one who may see its order; not `proved`: its customer is known and may be somebody else."""

    paper_id: int
    title: str
    order_no: str
    proved: bool = True


@dataclass(frozen=True)
class Refused:
    """The paper is over, or somebody else's."""

    paper_id: int
    title: str
    why: Literal["over", "others"]


Scanned = Begins | Shows | Refused


def make_poster(
    session: Session, business: Business, *, days: int | None, agent_id: int | None, now: datetime
) -> HallPaper:
    """Make a paper that begins a business; without `days` it holds until it is withdrawn.

    Raises:
        BadValidity: if it is too long.
    """
    ends = _end(days, now) if days is not None else None
    return _made(session, HallPaper(business=business.key, title=business.title[:MAX_TITLE], expires_at=ends),
                 agent_id, now)  # fmt: skip


def make_slip(session: Session, order: WorkOrder, *, days: int, agent_id: int | None, now: datetime) -> HallPaper:
    """Make a paper that shows an order; raises BadValidity."""
    paper = HallPaper(
        order_no=order.order_no, title=order.title[:MAX_TITLE], expires_at=_end(days, now),
        order_conversation=order.conversation_id, order_customer=order.customer_no,
    )  # fmt: skip
    return _made(session, paper, agent_id, now)


def find_paper(session: Session, paper_id: int, *, lock: bool = False) -> HallPaper:
    """Return a paper; raises PaperNotFound."""
    query = select(HallPaper).where(HallPaper.id == paper_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise PaperNotFound(paper_id)
    return found


def papers(session: Session, *, before: int | None = None, limit: int = 50) -> list[HallPaper]:
    """Return the newest papers."""
    query = select(HallPaper).order_by(HallPaper.id.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(HallPaper.id < before)))


def withdraw(session: Session, paper_id: int, *, now: datetime) -> HallPaper:
    """Let a paper end now; one that is over stays as it is. Raises PaperNotFound."""
    paper = find_paper(session, paper_id, lock=True)
    if not is_over(paper, now):
        paper.expires_at = now
    return paper


def is_over(paper: HallPaper, now: datetime) -> bool:
    """Tell whether nobody can do anything with a paper any more."""
    return paper.expires_at is not None and paper.expires_at <= now


def scanned(
    session: Session, conversation: Conversation, user: ChannelUser | None, scene: str, *, now: datetime
) -> Scanned | None:
    """Return what a scan means in this conversation (locked); None: the code is none of a paper.

    `user`: who scanned, if the channel knows them. A slip that nobody has scanned yet is theirs from now on. The same
    scan again means the same.
    """
    if not _SCENE.fullmatch(scene):
        return None
    query = select(HallPaper).where(HallPaper.scene == scene).with_for_update()
    paper = session.scalar(query.execution_options(populate_existing=True))
    if paper is None:
        return None
    if is_over(paper, now):
        return Refused(paper.id, paper.title, "over")
    if paper.order_no is None:
        return Begins(paper.id, paper.title, paper.business or "")
    if paper.scanned_at is None:
        paper.scanned_by, paper.scanned_in, paper.scanned_at = user.id if user else None, conversation.id, now
        session.flush()
    elif not _is_theirs(session, paper, conversation, user):
        return Refused(paper.id, paper.title, "others")
    return Shows(paper.id, paper.title, paper.order_no, proved=_is_proved(session, paper, conversation))


def open_order(session: Session, order_no: str, *, conversation_id: str, paper_id: int, now: datetime) -> None:
    """Let a conversation see an order and hear of it (in the work-order database); again changes nothing.

    Raises:
        OrderNotFound: if there is no such order.
    """
    order = order_by_no(session, order_no)
    hold(session, order)
    cause = f"paper:{paper_id}:{conversation_id}"
    if of_cause(session, cause) is None and conversation_id not in conversations_of(session, order):
        happened(session, order, "joined", by="customer", now=now, conversation_id=conversation_id, cause=cause)


def order_for_paper(session: Session, typed: str) -> WorkOrder:
    """Return the order whose number a clerk has typed; raises OrderNotFound."""
    digits = re.sub(r"\D", "", typed)
    if not digits:
        raise OrderNotFound(order_no=typed[:20])
    return order_by_no(session, digits)


def _is_theirs(session: Session, paper: HallPaper, conversation: Conversation, user: ChannelUser | None) -> bool:
    if user is not None and paper.scanned_by == user.id:
        return True
    if paper.order_customer is not None and paper.order_customer == conversation.customer_no:
        return True
    return any(_is(session, one, conversation) for one in (paper.scanned_in, paper.order_conversation))


def _is_proved(session: Session, paper: HallPaper, conversation: Conversation) -> bool:
    """Tell whether this is the customer of the order, as far as one is known."""
    known = paper.order_customer
    if known is None and paper.order_conversation is not None:
        filed_in = session.get(Conversation, paper.order_conversation)
        known = filed_in.customer_no if filed_in is not None else None
    return known in (None, conversation.customer_no) or _is(session, paper.order_conversation, conversation)


def _is(session: Session, conversation_id: str | None, conversation: Conversation) -> bool:
    """Tell whether this is a conversation, or the one that it was joined to."""
    if conversation_id is None:
        return False
    try:
        return find_conversation(session, conversation_id).id == conversation.id
    except ConversationNotFound:
        return False


def _made(session: Session, paper: HallPaper, agent_id: int | None, now: datetime) -> HallPaper:
    paper.scene, paper.created_at, paper.created_by = f"h_{secrets.token_urlsafe(15)}", now, agent_id
    session.add(paper)
    session.flush()
    return paper


def _end(days: int, now: datetime) -> datetime:
    if not 1 <= days <= LONGEST.days:
        raise BadValidity(days)
    return now + timedelta(days=days)
