"""What stands around every answer of the actions: what reads a message first, and what may follow an answer.

The modules of this package add to the two lists when they are loaded. Neither is asked in a rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from actions.question import Question
from actions.reply import Reply
from actions.services import Services

if TYPE_CHECKING:
    from actions.base import BusinessAction

# Answers a message in place of its action, or returns the question (changed) as that is to see it.
Before = Callable[[Services, Session, Question], Reply | Question]
# Returns the reply, with what is said beside it; the question is as it came.
After = Callable[[Services, Session, Question, Reply], Reply]

BEFORE: list[Before] = []
AFTER: list[After] = []


def answered(
    action: BusinessAction, session: Session, question: Question, answer: Callable[[Question], Reply]
) -> Reply:  # fmt: skip
    """Return the answer with all that stands around it."""
    seen, reply = question, None
    for before in BEFORE:
        found = before(action.services, session, seen)
        if isinstance(found, Reply):
            reply = found
            break
        seen = found
    reply = answer(seen) if reply is None else reply
    for after in AFTER:
        reply = after(action.services, session, question, reply)
    return reply
