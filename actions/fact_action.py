"""What actions share that answer from facts first and from the customer's own data where somebody is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from actions import choice
from actions.base import AccountUnclear, BusinessAction, Reply
from actions.question import Question
from actions.services import Services
from core.account import Account
from core.errors import AccountNotYours, NotIdentified

# The slot with a question that waits for the choice of an account: {action, text, entities}.
BEFORE = "said_before"


class FactAction(BusinessAction):
    """An action that needs no account to say something useful."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.facts = services.facts

    def reply_to(self, session: Session, question: Question) -> Reply:
        """Return the answer; once the account is chosen, to the question that was open until then."""
        before = question.slots.get(BEFORE)
        if not isinstance(before, Mapping):
            return super().reply_to(session, question)
        if question.intent == "inform" and before.get("action") == self.name():
            question = _recalled(question, before)
        reply = super().reply_to(session, question)
        return replace(reply, slots={BEFORE: None, **reply.slots})

    def _ask_which(self, session: Session, question: Question) -> Reply:
        """Ask for the account, and keep what was asked: a button says nothing but the account."""
        reply = super()._ask_which(session, question)
        kept = {"action": self.name(), "text": question.text, "entities": list(question.entities)}
        return replace(reply, slots={**reply.slots, BEFORE: kept})

    def known_account(self, session: Session, question: Question) -> Account | None:
        """Return the account that is meant; None where nobody is known, or several are and none was named."""
        try:
            return self.account(session, question)
        except (NotIdentified, AccountNotYours, AccountUnclear):
            return None

    def identified(self, question: Question) -> bool:
        """Tell whether somebody has proved who asks."""
        return bool(question.identity.accounts) and question.identity.assurance >= 1

    def account_buttons(self, session: Session, question: Question) -> list[tuple[str, str]]:
        """Return a button for each of the customer's accounts."""
        return choice.buttons(self._views(session, question), self.services.labels)

    def kept(self, account: Account | None) -> dict[str, Any]:
        """Return the slots with which a following answer comes back to this action."""
        return self.remember(account) if account else {"asked": self.name(), "period_asked": None}

    def lines(self, *parts: str) -> str:
        """Return the parts that say something, each on its own line."""
        return "\n".join(part for part in parts if part)


def give(entity: str, value: str) -> str:
    """Return the payload of a button that gives one value to the action asked last."""
    return "/inform" + json.dumps({entity: value}, ensure_ascii=False)


def _recalled(question: Question, before: Mapping[str, Any]) -> Question:
    """Return the question that was open, with the account that was named since."""
    pressed = question.text.startswith("/")
    text = str(before["text"]) if pressed else f"{before['text']} {question.text}"
    return replace(question, text=text, entities=(*before["entities"], *question.entities))
