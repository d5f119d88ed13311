"""What reviewers do with messages: say what was meant, put them aside, take it back; each step audited, none in vain.

Two who review the same message at once: the first one holds, the second is told who it was. The rows are locked in the
order of their ids, and all of a call happens or nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import Auditor
from core.learning.tables import ANSWERED, DISMISSED, LABELLED, OPEN, LearnedFaq, LearningGroup, LearningItem

MOST = 500  # messages in one call


class ItemNotFound(LookupError):
    """A message is not there (any more)."""


class GroupNotFound(LookupError):
    """There is no such group (any more)."""


class UnknownIntent(ValueError):
    """The model has no such intent."""


class NotReviewed(ValueError):
    """Nothing is to be taken back: the message is open."""


class AlreadyReviewed(Exception):
    """Somebody else was first; `agent_id` says who."""

    def __init__(self, agent_id: int | None) -> None:
        super().__init__(f"reviewed by agent {agent_id}")
        self.agent_id = agent_id


class GroupReviewed(AlreadyReviewed):
    """Nothing is open in a group any more: somebody else has done the last of it."""


@dataclass(frozen=True)
class Reviewer:
    """Who reviews, and who writes it down."""

    agent_id: int
    auditor: Auditor


def label(
    session: Session, ids: Sequence[int], intent: str, *, intents: Collection[str], by: Reviewer, now: datetime
) -> list[LearningItem]:
    """Say what messages meant; the same label of the same reviewer again changes nothing.

    Raises:
        ItemNotFound, UnknownIntent: if there is no such message, or no such intent.
        AlreadyReviewed: if somebody else has reviewed one of them.
    """
    if intent not in intents:
        raise UnknownIntent(intent)
    rows = _locked(session, ids)
    changed = [row for row in rows if (row.state, row.label, row.reviewed_by) != (LABELLED, intent, by.agent_id)]
    _review(changed, LABELLED, by, now, label=intent)
    _done(session, rows, changed, "learning_labelled", by, now, intent=intent)
    return rows


def dismiss(session: Session, ids: Sequence[int], *, by: Reviewer, now: datetime) -> list[LearningItem]:
    """Put messages aside from which nothing is to be learnt; raises as `label`."""
    rows = _locked(session, ids)
    changed = [row for row in rows if (row.state, row.reviewed_by) != (DISMISSED, by.agent_id)]
    _review(changed, DISMISSED, by, now)
    _done(session, rows, changed, "learning_dismissed", by, now)
    return rows


def answer(session: Session, ids: Sequence[int], faq: LearnedFaq, *, by: Reviewer, now: datetime) -> list[LearningItem]:
    """Note that an answer was written for messages; raises as `label`."""
    rows = _locked(session, ids)
    changed = [row for row in rows if (row.state, row.faq_id, row.reviewed_by) != (ANSWERED, faq.id, by.agent_id)]
    _review(changed, ANSWERED, by, now, faq_id=faq.id)
    _done(session, rows, changed, "learning_answered", by, now, faq=faq.key)
    return rows


def undo(session: Session, ids: Sequence[int], *, by: Reviewer, now: datetime) -> list[LearningItem]:
    """Make messages open again; whoever reviews may take back what another one did, and it is written down.

    Raises:
        ItemNotFound: if there is no such message.
        NotReviewed: if one is open already.
    """
    rows = _locked(session, ids)
    if any(row.state == OPEN for row in rows):
        raise NotReviewed
    before = {str(row.id): [row.state, row.label or ""] for row in rows}
    _open(rows)
    _done(session, rows, rows, "learning_undone", by, now, before=before)
    return rows


def reopen(session: Session, faq: LearnedFaq, *, by: Reviewer, now: datetime) -> list[LearningItem]:
    """Make the messages open again for which an answer was written that is withdrawn now, whoever reviewed them."""
    query = select(LearningItem).where(LearningItem.faq_id == faq.id, LearningItem.state == ANSWERED)
    query = query.order_by(LearningItem.id).with_for_update()
    rows = list(session.scalars(query.execution_options(populate_existing=True)))
    _open(rows)
    _done(session, rows, rows, "learning_reopened", by, now, faq=faq.key)
    return rows


def open_ids(session: Session, group_id: int, *, by: Reviewer) -> list[int]:
    """Return the open messages of a group; none if the reviewer has done the last of them.

    Raises:
        GroupNotFound: if there is no such group, or its messages are in other groups by now.
        GroupReviewed: if somebody else has done the last of them.
    """
    if session.get(LearningGroup, group_id) is None:
        raise GroupNotFound(group_id)
    query = select(LearningItem.id).where(LearningItem.group_id == group_id, LearningItem.state == OPEN)
    found = list(session.scalars(query.order_by(LearningItem.id).limit(MOST)))
    if not found:
        _check_mine(session, group_id, by)
    return found


def _check_mine(session: Session, group_id: int, by: Reviewer) -> None:
    """Tell who did the last message of an emptied group, unless it was the reviewer: a click that is repeated."""
    query = select(LearningItem).where(LearningItem.group_id == group_id)
    last = session.scalar(query.order_by(LearningItem.reviewed_at.desc(), LearningItem.id.desc()).limit(1))
    if last is None:
        raise GroupNotFound(group_id)
    if last.reviewed_by != by.agent_id:
        raise GroupReviewed(last.reviewed_by)


def _locked(session: Session, ids: Sequence[int]) -> list[LearningItem]:
    wanted = sorted(set(ids))
    query = select(LearningItem).where(LearningItem.id.in_(wanted)).order_by(LearningItem.id)
    rows = list(session.scalars(query.with_for_update().execution_options(populate_existing=True)))
    if not wanted or len(rows) < len(wanted):
        raise ItemNotFound(sorted(set(wanted) - {row.id for row in rows}))
    return rows


def _review(
    rows: Sequence[LearningItem], state: str, by: Reviewer, now: datetime, *, label: str | None = None,
    faq_id: int | None = None,
) -> None:  # fmt: skip
    """Give rows their state; raises AlreadyReviewed if another one has."""
    for row in rows:
        if row.state != OPEN and row.reviewed_by != by.agent_id:
            raise AlreadyReviewed(row.reviewed_by)
    for row in rows:
        row.state, row.label, row.faq_id = state, label, faq_id
        row.reviewed_by, row.reviewed_at, row.exported_at = by.agent_id, now, None


def _open(rows: Sequence[LearningItem]) -> None:
    for row in rows:
        row.state, row.label, row.faq_id, row.reviewed_by, row.reviewed_at = OPEN, None, None, None, None
        row.exported_at = None  # the next export leaves it out again


def _done(
    session: Session, rows: Sequence[LearningItem], changed: Sequence[LearningItem], action: str, by: Reviewer,
    now: datetime, **detail: object,
) -> None:  # fmt: skip
    """Count the groups anew and write the step down, if it changed anything."""
    if not changed:
        return
    session.flush()
    groups = sorted({row.group_id for row in rows if row.group_id is not None})
    for group in session.scalars(select(LearningGroup).where(LearningGroup.id.in_(groups))):
        group.size = len(open_ids_of(session, group.id))
    subject = f"item:{changed[0].id}"
    by.auditor.note(session, action, subject, now=now, items=[row.id for row in changed], **detail)


def open_ids_of(session: Session, group_id: int) -> list[int]:
    """Return the ids of all open messages of a group, however many."""
    query = select(LearningItem.id).where(LearningItem.group_id == group_id, LearningItem.state == OPEN)
    return list(session.scalars(query))
