"""What customers are told while Chatwoot cannot be reached: nobody is kept waiting in a queue that is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desks import chatwoot_line as lines
from api.desks.base import DESK
from api.desks.chatwoot_line import Progress
from api.desks.chatwoot_notes import Notes
from core.handoff import life, speech
from core.handoff.tables import DANGER
from core.working_time import Due

log = structlog.get_logger("api.chatwoot")
PATIENCE = timedelta(seconds=10)  # so long a failure may last before customers hear of it


async def tell_truth(parts: Parts, notes: Notes, *, away_since: datetime | None) -> int:
    """Tell everybody whose case or words Chatwoot does not have that it cannot be reached; return to how many."""
    now = parts.clock()
    stuck = await parts.store.read(lambda session: _stuck(session, now=now, away_since=away_since))
    told = 0
    for progress in stuck:
        if await parts.store.write(partial(_tell, parts, notes, progress, now)):
            parts.bus.publish(progress.conversation_id)
            parts.bus.publish(DESK)
            told += 1
    return told


def _stuck(session: Session, *, now: datetime, away_since: datetime | None) -> list[Progress]:
    """Return the cases with something that Chatwoot should have had long ago and that nobody was told of."""
    found = []
    for progress, failed in lines.open_lines(session):
        concerned = not progress.told and (failed or away_since is not None)
        step = lines.next_step(session, progress) if concerned else None
        if step is None or step.case.ended_at is not None:
            continue
        since = step.message.at if step.message is not None else step.case.requested_at
        if now - (min(since, away_since) if away_since else since) >= PATIENCE:
            found.append(progress)
    return found


def _tell(parts: Parts, notes: Notes, progress: Progress, now: datetime, session: Session) -> bool:
    """Turn a case that never reached Chatwoot into a message that was left; of all others only say how it stands."""
    conversation, case = life.hold_case(session, progress.handoff_id)
    if case.ended_at is not None:
        return False
    lines.mark(session, progress.handoff_id, told=True)
    if case.left_message:
        return False  # the promise that was made holds: it is kept in our log
    if conversation.mode not in ("queued", "offered") or progress.remote is not None:
        text = notes.stalled
    elif case.priority == DANGER:
        text = notes.down_danger
    else:
        life.leave_message(session, conversation.id, book=parts.book, now=now, by="desk_away")
        text = notes.down.format(by=speech.by(Due(case.due_at or now, certain=True), book=parts.book, now=now))
    life.say(session, conversation, text, now=now)
    log.warning("customer_told", handoff=case.id, mode=conversation.mode)
    return True
