"""The second transaction of a message's way: the answer is logged and the turn closed, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from api.desk_news import Change
from api.escalation import Escalation
from api.grants import apply_grants
from api.offers import follow, parted, settled
from api.rasa import BotTurn
from api.reception import Reception
from api.turns import Outcome, Question, recorded
from core import conversation as log_of
from core.channel.arrival import look_before_answer
from core.clock import Clock
from core.conversation import Conversation, Draft, Message
from core.handoff import life
from core.proactive.kinds import Notices

log = structlog.get_logger("api.dialogue")


def close(
    session: Session, conversation: Conversation, message: Message, drafts: list[Draft], *, now: datetime
) -> Outcome:
    """Log the replies and close the turn."""
    message.turn = "done"
    replies = [
        log_of.record_reply(session, conversation, draft, now=now, in_reply_to=message.seq) for draft in drafts
    ]  # fmt: skip
    return Outcome(tuple(replies), conversation.mode, message.seq, conversation_id=conversation.id)


@dataclass(frozen=True)
class Finishing:
    """What is needed to log an answer; `key`: of the grants."""

    reception: Reception
    escalation: Escalation
    notices: Notices | None
    key: str
    clock: Clock

    def finish(self, session: Session, question: Question, answer: BotTurn) -> tuple[Outcome, Change | None]:
        """Log the answer to a question that is still open, once; return it, and what it means to the desk."""
        now = self.clock()
        conversation = log_of.find_conversation(session, question.conversation.id, lock=True)
        ahead = look_before_answer(session, conversation, question.key)
        if not ahead.is_open:
            return recorded(session, question), None
        # Until it is answered nothing of a question changes but by erasing, which closes it: it is not read again.
        message = session.merge(question.message, load=False)
        before = life.open_case(session, conversation.id) if ahead.case else None
        message.understood = answer.understood
        overtaken = question.is_overtaken(conversation)
        drafts, offers = parted([] if overtaken else answer.drafts)
        if overtaken and answer.drafts:
            log.info("answer_dropped", conversation=conversation.id, seq=message.seq, mode=conversation.mode)
        key, grants = self.key, answer.grants
        if grants and not apply_grants(session, conversation, message, grants, key=key, now=now):
            drafts, offers, grants = [self.reception.apology(message)], [], ()
        drafts = self._escalated(session, conversation, message, drafts, answer.handoff, overtaken=overtaken, now=now)
        calm = bool(drafts) and not overtaken and answer.handoff is None and conversation.mode == "bot"
        offers = settled(session, conversation, message, offers, grants, welcome=calm, key=key, now=now)
        outcome = close(session, conversation, message, drafts + offers, now=self.clock())
        if calm and ahead.offer and not offers and drafts != [self.reception.apology(message)]:
            follow(session, conversation, message, self.notices, now=now)
        if calm and before is None and not grants:
            return outcome, None  # the bot has it and nobody was asked for
        return outcome, Change.between(session, conversation, message, before)

    def _escalated(
        self, session: Session, conversation: Conversation, message: Message, drafts: list[Draft], handoff: str | None,
        *, overtaken: bool, now: datetime,
    ) -> list[Draft]:  # fmt: skip
        """Return what is said, with what the rules after a turn add to it or put in its place."""
        if handoff == "danger":
            return self.reception.raise_alarm(session, conversation, message, None, now=now) + drafts
        if conversation.mode != "bot" or overtaken:
            return drafts
        failed = drafts == [self.reception.apology(message)]
        verdict = self.escalation.judge(session, message, drafts, handoff, failed=failed, now=now)
        if not verdict.reason:
            return verdict.drafts
        apart = bool(verdict.drafts)
        return verdict.drafts + self.reception.queue(session, conversation, verdict.reason, now=now, apart=apart)
