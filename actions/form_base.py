"""What all steps of a form share: its state in the slots, and what the company has on file of the customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from actions.base import AccountUnclear, BusinessAction
from actions.form_words import FormWords
from actions.question import Question
from core.account import Account, find_account
from core.business import Business
from core.errors import AccountNotYours, NotIdentified
from core.form import FormState

ON_FILE = "@file"  # a telephone or address that the company has: it is not copied into the dialogue's memory
KIND = "business"


def open_form(question: Question) -> FormState | None:
    """Return the form of the business table that is being filled in."""
    raw = question.slots.get("form")
    return FormState.parse(raw) if isinstance(raw, Mapping) and raw.get("kind") == KIND else None


class FormAction(BusinessAction):
    """An action with a form of the business table."""

    @property
    def words(self) -> FormWords:
        """Return what puts the form's questions into words."""
        return FormWords(self.services)

    # -- what the company knows already

    def with_account(self, session: Session, question: Question, business: Business, state: FormState) -> FormState:
        """Return the state with the account that it is about."""
        if business.account == "none" or question.identity.assurance < 1 or state.account_no:
            return state
        try:
            return replace(state, account_no=self.account(session, question).account_no)
        except (AccountUnclear, NotIdentified, AccountNotYours):
            if business.account == "required":
                raise
            return state

    def from_file(self, session: Session, question: Question, business: Business, state: FormState) -> FormState:
        """Return the state with what need not be asked."""
        if question.identity.assurance < 1:
            return state
        for one in business.fields:
            known = one.default == "customer" or (one.default == "account" and state.account_no)
            if known and one.name not in state.values:
                state = state.with_value(one.name, ON_FILE)
        return state

    def account_of(self, session: Session, question: Question, state: FormState) -> Account | None:
        """Return the account of the form, or any of the customer's own for their telephone number."""
        allowed = question.identity.accounts if question.identity.assurance >= 1 else ()
        number = state.account_no or next(iter(allowed), None)
        return find_account(session, account_no=number, allowed=allowed) if number else None

    def shown(
        self, session: Session, question: Question, state: FormState, *, masked: bool = False
    ) -> FormState:  # fmt: skip
        """Return the state with what is on file in place of its mark."""
        if ON_FILE not in state.values.values():
            return state
        account = self.account_of(session, question, state)
        if account is None:
            raise AccountNotYours
        business = self.services.businesses.get(state.business)
        known = self.words.on_file(account, masked=masked)
        values = {
            name: known[str(business.field(name).default)] if value == ON_FILE else value
            for name, value in state.values.items()
        }  # fmt: skip
        return replace(state, values=values)

    # -- slots

    def slots(self, state: FormState) -> dict[str, Any]:
        """Return the slots that keep the form open."""
        business = self.services.businesses.get(state.business)
        hints = self.words.claims(business, state)
        return {"form": {"kind": KIND, "action": self.name(), **state.dump(), **hints}, "asked": self.name()}

    def closed(self) -> dict[str, Any]:
        """Return the slots of a form that is over."""
        return {"form": None, "asked": None}
