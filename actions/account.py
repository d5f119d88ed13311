"""Which accounts are bound to this customer."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply, card
from actions.question import Question
from core.account import list_accounts
from core.errors import NotIdentified

_WAYS = (("bind", "bind_account"), ("person", "request_human"))


class ActionQueryAccountNo(BusinessAction):
    """Lists the bound accounts with their full numbers: they are the customer's own."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_account_no"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        allowed, labels = question.identity.accounts, self.services.labels
        if not allowed or question.identity.assurance < 1:
            return self._where(question)
        views = list_accounts(session, allowed=allowed, keyring=self.services.keyring)
        rows = [
            {
                "account": view.account_no,
                "address": view.masked_address,
                "class": labels.user_class[view.user_class],
            }
            for view in views
        ]
        numbers = labels.list_separator.join(view.account_no for view in views)
        data = {"title": labels.account_title, "rows": rows}
        return Reply(
            "utter_account_nos",
            {"count": str(len(views)), "numbers": numbers},
            cards=[card("account_list", numbers, data)],
            slots={"asked": self.name()},
        )

    def _where(self, question: Question) -> Reply:
        """Tell where one's own number stands; no number is told to whom we do not know.

        Raises:
            NotIdentified: if it is not asked where.
        """
        phrases = self.services.phrases
        if not re.search(phrases.raw("binding.words.where"), question.text):
            raise NotIdentified
        buttons = [(phrases.say(f"binding.button.{one}"), f"/{to}") for one, to in _WAYS]
        return Reply("utter_binding", {"text": phrases.say("binding.number.where")}, buttons)


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryAccountNo,)
