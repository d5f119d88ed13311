"""What erasing somebody takes out of learning: his messages, and where they stand as the example of a group."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.learning.tables import OPEN, LearningGroup, LearningItem


def forget(session: Session, conversation_id: str) -> None:
    """Delete the messages of a conversation, whatever became of them; groups show another example, or are gone.

    An answer that a reviewer wrote in his own words stays. What was exported before goes with the next export.
    """
    mine = LearningItem.conversation_id == conversation_id
    groups = set(session.scalars(select(LearningItem.group_id).where(mine, LearningItem.group_id.is_not(None))))
    session.execute(delete(LearningItem).where(mine))
    for group in session.scalars(select(LearningGroup).where(LearningGroup.id.in_(groups))):
        _without(session, group)
    session.flush()


def _without(session: Session, group: LearningGroup) -> None:
    """Let a group be what it is without messages that were deleted; its harm is reckoned anew with the next run."""
    query = select(LearningItem).where(LearningItem.group_id == group.id)
    left = list(session.scalars(query.order_by(LearningItem.harm.desc(), LearningItem.id)))
    if not left:
        session.delete(group)
        return
    group.size = sum(item.state == OPEN for item in left)
    group.example = next((item.text for item in left if item.state == OPEN), left[0].text)
