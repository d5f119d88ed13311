"""Answers to a question of ours (上个月的, 汉阳那套, 是的, 不用了, 算了): handed to the action that asked it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, Self, runtime_checkable

from sqlalchemy.orm import Session

from actions import handback, person
from actions.base import BusinessAction, Reply
from actions.form import ActionForm
from actions.form_base import KIND
from actions.question import Question
from actions.services import Services
from core.form import FormState

INFORM = "inform"
# What a message may hold that leans on the answer before it rather than on an open form.
_LEANING = ("period", "account_no", "date")


@runtime_checkable
class Droppable(Protocol):
    """An action that has its own words for a question of its own that is given up."""

    def dropped(self) -> Reply:
        """Say what is not done now."""


class _Followup(BusinessAction):
    """An action that hands the message on."""

    def __init__(self, services: Services, topics: Mapping[str, BusinessAction]) -> None:
        super().__init__(services)
        self._topics = topics

    def rehearsing(self) -> Self:
        """See `BusinessAction.rehearsing`; those that it hands on to change nothing either."""
        return type(self)(self.services.rehearsing(), {name: one.rehearsing() for name, one in self._topics.items()})

    def in_style(self, style: str) -> Self:
        """See `BusinessAction.in_style`; those that it hands on to speak alike."""
        turn = super().in_style(style)
        if turn is not self:
            turn._topics = {name: one.in_style(style) for name, one in self._topics.items()}
        return turn

    def asking(self, question: Question) -> BusinessAction | None:
        """Return the action whose question is open: that of the form, else the one asked last."""
        form = question.slots.get("form")
        name = form.get("action") if isinstance(form, Mapping) else question.slots.get("asked")
        return self._topics.get(str(name))

    def form_of(self, question: Question) -> ActionForm | None:
        """Return the action of forms."""
        found = self._topics.get("action_form")
        return found if isinstance(found, ActionForm) else None


class ActionInform(_Followup):
    """Hands data over."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_inform"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        reason = person.reason_of(question)
        if reason:
            return Reply("", handoff=reason)
        form = self.form_of(question)
        if form and (question.values("start") or question.values("resume")):
            return form.reply_to(session, question)
        if question.values("upload") and not question.slots.get("form"):
            return Reply("utter_photo_for_what")
        asked = self.asking(question)
        other = self._topics.get(str(question.slots.get("asked")))
        if other is not None and other is not asked and self._leans(question):
            asked = other
        if asked is None and question.values("account_no") and question.identity.assurance < 1:
            asked = self._topics.get("action_bind_account")  # a number alone, of somebody who has bound none
        if asked is None:
            return Reply("utter_what_for")
        return asked.reply_to(session, question)

    @staticmethod
    def _leans(question: Question) -> bool:
        state = question.slots.get("form")
        expected = state.get("entities", []) if isinstance(state, Mapping) else []
        return any(question.values(name) for name in _LEANING if name not in expected)


class _YesNo(_Followup):
    """Hands a yes or no to the form, or to an action that asked for one."""

    alone = ""

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        form = self.form_of(question)
        again = form.repeat(session, question) if form else None
        if again:
            return again
        asked = self.asking(question)
        if asked is not None and (handback.is_asking(question) or getattr(asked, "takes_yes_no", False)):
            return asked.reply_to(session, question)
        return Reply(self.alone)


class ActionAffirm(_YesNo):
    """A yes."""

    alone = "utter_affirm_alone"

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_affirm"


class ActionDeny(_YesNo):
    """A no."""

    alone = "utter_deny_alone"

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_deny"


class ActionCancel(_Followup):
    """Drops what is being asked or filled in."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_cancel"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        if re.search(self.services.phrases.raw("payment.words.given_back"), question.text):
            # 退了没 is taken for a cancellation: it asks for the money, and drops nothing.
            asked = replace(question, intent=INFORM)  # of the month that was asked about before
            return self._topics["action_report_payment_problem"].reply_to(session, asked)
        form = question.slots.get("form")
        slots = {"form": None, "asked": None}
        if isinstance(form, Mapping) and form.get("kind") == KIND:
            title = self.services.businesses.get(FormState.parse(form).business).title
            return self._with_paused(question, Reply("utter_form_dropped", {"title": title}, slots=slots))
        owner = self.asking(question)
        if form and isinstance(owner, Droppable):
            dropped: Reply = owner.dropped()
            return replace(dropped, slots=slots)
        orders = self._topics.get("action_cancel_work_order")
        if not form and orders and re.search(self.services.phrases.raw("form.order_words"), question.text):
            return orders.reply_to(session, question)
        return Reply("utter_cancel", slots=slots if form else {})  # what was asked before may still be leaned on

    def _with_paused(self, question: Question, reply: Reply) -> Reply:
        form = self.form_of(question)
        return form.with_paused(question, reply) if form else reply


FOLLOWUPS: tuple[type[_Followup], ...] = (ActionInform, ActionAffirm, ActionDeny, ActionCancel)
