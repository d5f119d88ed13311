"""What all steps of a form share: its state in the slots, and what the company has on file of the customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from actions import choice, form_claims
from actions.base import AccountUnclear, BusinessAction
from actions.form_words import FormWords
from actions.form_words import choice as words_choice
from actions.question import Question
from core.account import Account, find_account
from core.business import Business, Field
from core.errors import AccountNotYours, NotIdentified
from core.form import ACCOUNT, OFFER, SKIPPED, WHICH, FormState, take, wanted
from core.form_fields import Said, Unreadable, read

ON_FILE = "@file"  # a telephone or address that the company has: it is not copied into the dialogue's memory
KIND = form_claims.KIND
SKIP = "_skip"  # the choice of a button that passes over an optional field


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
        hints = form_claims.claims(self.services, business, state)
        form = {"kind": KIND, "action": self.name(), **state.dump(), **hints, **self._readable(business, state)}
        return {"form": form, "asked": self.name()}

    def _readable(self, business: Business, state: FormState) -> dict[str, Any]:
        """Return the part of the slot that people read at the desk; what is on file stays there."""
        if state.asking in (OFFER, WHICH):
            return {}  # nothing is being filled in yet
        say, words, fields = self.services.phrases.say, self.words, wanted(business, state)
        number = {say("form.account"): say("form.tail", tail=state.account_no[-4:])} if state.account_no else {}
        known = {one.label: state.values[one.name] for one in fields if state.values.get(one.name)}
        shown = {one.label: words.value(one, known[one.label]) for one in fields if one.label in known}
        on_file = {label: say("form.on_file") for label, value in known.items() if value == ON_FILE}
        missing = [say("form.account")] if state.asking == ACCOUNT else []
        missing += [one.label for one in fields if one.name not in state.values and not one.optional]
        return {"title": business.title, "shown": number | shown | on_file, "missing": missing}

    def closed(self) -> dict[str, Any]:
        """Return the slots of a form that is over."""
        return {"form": None, "asked": None}

    # -- reading

    def other_account(self, session: Session, question: Question, state: FormState) -> str | None:
        """Return another of the customer's accounts that the message says is meant (不是这个户号，是尾号4341那个)."""
        if state.account_no is None or not self.words.names_account(question.text):
            return None
        fitting = choice.by_words(self._views(session, question), question, self.services.labels)
        return fitting[0] if len(fitting) == 1 and fitting[0] != state.account_no else None

    def value(self, question: Question, one: Field, state: FormState, said: Said) -> str:
        """Return the answer to a field; Unreadable if there is none in the message."""
        no = question.intent == "deny" or (one.kind == "photo" and self.words.means_yes(question.text))
        if one.optional and (no or said.choice == SKIP or self.words.skips(said.text)):
            return SKIPPED
        if one.default and self.on_file(question, state, one):
            return ON_FILE
        if question.intent == "affirm" and one.kind not in ("choice", "yes_no", "photo"):
            raise Unreadable("no_match")
        return read(one, said, today=question.today)

    def photo_beside(self, question: Question, state: FormState, business: Business) -> bool:
        """Tell whether a photo came that is no answer to what is asked: it stays with the conversation all the same."""
        if not question.values("upload") or state.asking in (OFFER, WHICH):
            return False
        return not any(one.kind == "photo" and one.name == state.asking for one in business.fields)

    def keeping(self, question: Question, state: FormState) -> FormState:
        """Return the state with the photo of a message, if the form wants one later."""
        return take(self.services.businesses.get(state.business), state, said_of(question), today=question.today)

    def resuming(self, paused: Mapping[str, Any]) -> tuple[str, str]:
        """Return the button that takes up a form that another one interrupted."""
        title = self.services.businesses.get(paused["business"]).title
        return self.services.phrases.say("form.resume", title=title), words_choice("resume", str(paused["id"]))

    def on_file(self, question: Question, state: FormState, one: Field) -> bool:
        """Tell whether the message means what the company has (就我登记的地址)."""
        known = one.default == "customer" or (one.default == "account" and state.account_no is not None)
        return known and question.identity.assurance >= 1 and self.words.means_on_file(question.text)


def said_of(question: Question) -> Said:
    """Return what a message offers to a form."""
    names = ("phone", "address", "capacity", "energy", "amount", "date")
    chosen, upload = question.values("choice"), question.values("upload")
    return Said(
        text="" if question.text.startswith("/") else question.text,
        entities={name: question.values(name) for name in names},
        choice=chosen[0] if chosen else None,
        upload=upload[0] if upload else None,
    )


def laid_aside(question: Question, key: str | None) -> dict[str, Any]:
    """Return the slot that keeps a form of another business than `key` for later, if one is being filled in."""
    before = open_form(question)
    filling = before is not None and before.business != key and before.asking not in (OFFER, WHICH)
    return {"paused": question.slots["form"]} if filling else {}
