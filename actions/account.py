"""Which accounts are bound to this customer."""

from __future__ import annotations

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply, card
from actions.question import Question
from core.account import list_accounts
from core.errors import NotIdentified


class ActionQueryAccountNo(BusinessAction):
    """Lists the bound accounts with their full numbers: they are the customer's own."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_account_no"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        allowed, labels = question.identity.accounts, self.services.labels
        if not allowed or question.identity.assurance < 1:
            raise NotIdentified
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


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryAccountNo,)
