"""Answers to a question of ours (上个月的, 汉阳那套, 是的, 不用了, 算了): handed to the action that asked it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.form import ActionForm
from actions.form_base import KIND
from actions.question import Question
from actions.services import Services
from core.form import FormState

# What a message may hold that leans on the answer before it rather than on an open form.
_LEANING = ("period", "account_no", "date")


class _Followup(BusinessAction):
    """An action that hands the message on."""

    def __init__(self, services: Services, topics: Mapping[str, BusinessAction]) -> None:
        super().__init__(services)
        self._topics = topics

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
        form = self.form_of(question)
        if form and (question.values("start") or question.values("resume")):
            return form.reply_to(session, question)
        asked = self.asking(question)
        other = self._topics.get(str(question.slots.get("asked")))
        if other is not None and other is not asked and self._leans(question):
            asked = other
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
        if asked is not None and getattr(asked, "takes_yes_no", False):
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
        form = question.slots.get("form")
        slots = {"form": None, "asked": None}
        if isinstance(form, Mapping) and form.get("kind") == KIND:
            title = self.services.businesses.get(FormState.parse(form).business).title
            return Reply("utter_form_dropped", {"title": title}, slots=slots)
        return Reply("utter_cancel", slots=slots)


FOLLOWUPS: tuple[type[_Followup], ...] = (ActionInform, ActionAffirm, ActionDeny, ActionCancel)
