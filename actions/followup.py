"""Data alone (上个月的, 汉阳那套, a button with an account): the question before it, asked again with this data."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.question import Question
from actions.services import Services


class ActionInform(BusinessAction):
    """Hands data over to the action that was asked last."""

    def __init__(self, services: Services, topics: Mapping[str, BusinessAction]) -> None:
        super().__init__(services)
        self._topics = topics

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_inform"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        asked = self._topics.get(str(question.slots.get("asked")))
        if asked is None:
            return Reply("utter_what_for")
        return asked.reply_to(session, question)
