"""Finds in the log which messages of customers were not done justice to, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.conversation import Message
from core.handoff.rules import Rules
from core.handoff.tables import Handoff, HandoffEvent
from core.learning.settings import LearningSettings

UNANSWERED, LOW, CORRECTED, HANDED = "unanswered", "low_confidence", "corrected", "handed_over"
PAGE, TALKS = 2000, 200
_ENDS = ("requested", "handed_back", "closed")
Key = tuple[str, int]
T = TypeVar("T")


@dataclass(frozen=True)
class Why:
    """Why a message is to be gathered, and what an agent says that it meant."""

    reasons: frozenset[str]
    suggested: str | None = None

    def __add__(self, other: Why) -> Why:
        """Return both."""
        return Why(self.reasons | other.reasons, other.suggested or self.suggested)


def wanted(
    session: Session, rules: Rules, apology: str, settings: LearningSettings, since: datetime | None
) -> dict[Key, Why]:  # fmt: skip
    """Return the messages that are to be gathered, of what happened since then, with all that speaks for it."""
    found: dict[Key, Why] = {}
    for key, why in (*_of_messages(session, rules, apology, settings, since), *_of_cases(session, settings, since)):
        found[key] = found[key] + why if key in found else why
    return found


def _of_messages(
    session: Session, rules: Rules, apology: str, settings: LearningSettings, since: datetime | None
) -> Iterator[tuple[Key, Why]]:  # fmt: skip
    after: tuple[datetime, str, int] | None = None
    while True:
        query = select(Message).where(Message.turn == "done", Message.type == "text", Message.payload.is_(None))
        if since is not None:
            query = query.where(Message.at >= since)
        if after is not None:
            at, talk, seq = after
            here = (Message.at == at) & or_(
                Message.conversation_id > talk, (Message.conversation_id == talk) & (Message.seq > seq)
            )
            query = query.where(Message.at >= at, or_(Message.at > at, here))  # the first part is for the index
        order = (Message.at, Message.conversation_id, Message.seq)
        rows = list(session.scalars(query.order_by(*order).limit(PAGE)))
        failed = _apologised(session, apology, rows)
        for row in rows:
            if reasons := _reasons(row, rules, settings, failed):
                yield (row.conversation_id, row.seq), Why(frozenset(reasons))
        if len(rows) < PAGE:
            return
        after = (rows[-1].at, rows[-1].conversation_id, rows[-1].seq)
        session.expunge_all()


def _apologised(session: Session, apology: str, rows: Sequence[Message]) -> set[Key]:
    """Return the messages whose answer was that the system failed."""
    found: set[Key] = set()
    silent = [row for row in rows if not row.understood]
    for some in batches(sorted({row.conversation_id for row in silent}), TALKS):
        query = select(Message.conversation_id, Message.in_reply_to).where(
            Message.conversation_id.in_(some), Message.author == "system", Message.text == apology,
            Message.in_reply_to.is_not(None),
        )  # fmt: skip
        found.update((talk, seq) for talk, seq in session.execute(query) if seq is not None)
    return found


def _reasons(row: Message, rules: Rules, settings: LearningSettings, failed: set[Key]) -> set[str]:
    if (row.conversation_id, row.seq) in failed:
        return {UNANSWERED}
    understood = row.understood or {}
    if row.author != "customer" or not understood or understood.get("form"):
        return set()
    intent, confidence = str(understood.get("intent", "")), understood.get("confidence")
    reasons = set()
    if rules.failed(understood) or intent in settings.collect.not_understood:
        reasons.add(UNANSWERED)
    if isinstance(confidence, int | float) and confidence < settings.collect.low_confidence:
        reasons.add(LOW)
    return reasons


def _of_cases(
    session: Session, settings: LearningSettings, since: datetime | None
) -> Iterator[tuple[Key, Why]]:  # fmt: skip
    events = select(HandoffEvent.handoff_id).where(HandoffEvent.kind.in_(_ENDS))
    if since is not None:
        events = events.where(HandoffEvent.at >= since)
    for case in session.scalars(select(Handoff).where(Handoff.id.in_(events)).order_by(Handoff.id)):
        for number, intent in sorted(case.corrected.items()):
            yield (case.conversation_id, int(number)), Why(frozenset({CORRECTED}), intent)
        if case.reason in settings.collect.handoff_reasons:
            for seq in _before(session, case, settings):
                yield (case.conversation_id, seq), Why(frozenset({HANDED}))


def _before(session: Session, case: Handoff, settings: LearningSettings) -> list[int]:
    """Return the last messages before a person was asked for that say what it is about."""
    near = settings.collect.before_handoff
    query = select(Message).where(
        Message.conversation_id == case.conversation_id, Message.author == "customer", Message.type == "text",
        Message.payload.is_(None), Message.at <= case.requested_at,
        Message.at >= case.requested_at - timedelta(minutes=near.minutes),
    )  # fmt: skip
    rows = session.scalars(query.order_by(Message.seq.desc()).limit(near.messages))
    return [row.seq for row in rows if not _says_nothing(row, settings)]


def _says_nothing(row: Message, settings: LearningSettings) -> bool:
    understood = row.understood or {}
    if not understood:  # the bridge itself took it for the wish for a person; the model never read it
        return True
    return bool(understood.get("form")) or str(understood.get("intent", "")) in settings.collect.understood_well


def batches(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the rows in pieces of so many."""
    for at in range(0, len(rows), size):
        yield rows[at : at + size]
