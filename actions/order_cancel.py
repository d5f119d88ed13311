"""Withdrawing a work order: one that is named by its number at once, any other after a yes.

While a question of ours is open (which one? really?), the slot `form` tells the channel what answers it: a yes and a no
are often said in words that mean something else by themselves (中，撤了吧; 老婆说莫撤).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from actions.aside import laid_aside, offered_again
from actions.base import Reply
from actions.order_base import AT_REST, OrderAction
from actions.order_words import payload
from actions.question import Question
from core import work_order as orders_core
from core.work_order import OrderOver, WorkOrder, WrongState

KIND = "order"
WHICH, CONFIRM = "which", "confirm"  # what is being asked
KEPT = "kept"  # nothing is asked, but who said no may still say 还是撤了吧
YES, NO, ASK = "yes", "no", "ask"  # choices of buttons; ASK: this one, but it is no yes yet
_TYPED = frozenset({"affirm", "deny", "inform", "cancel", "cancel_work_order"})


class ActionCancelWorkOrder(OrderAction):
    """Withdraws an order: one that is named at once, another after a yes."""

    takes_yes_no = True

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_cancel_work_order"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`; a question of our own that was answered is closed."""
        reply = super().handle(session, question)
        form = reply.slots.get("form")
        if self._state(question) is None or (form and form["asking"] != KEPT):
            return reply
        return offered_again(self.services, question, replace(reply, slots={"form": None, **reply.slots}))

    def dropped(self) -> Reply:
        """Say that nothing was withdrawn."""
        return Reply("utter_binding", {"text": self.services.phrases.say("work_order.dropped")})

    def act(self, session: Session, question: Question) -> Reply:
        """See `OrderAction.act`."""
        state, choice = self._state(question), question.values("choice")
        if not question.values("work_order_no"):
            if state is not None and state["asking"] == CONFIRM and question.intent in _TYPED:
                return self._answered(session, question, str(state["order_no"]))
            if state is not None and state["asking"] == KEPT and question.intent == "inform":
                return self._after_all(session, question, str(state["order_no"]))
            if question.intent in ("affirm", "deny"):
                return Reply(f"utter_{question.intent}_alone", slots=AT_REST)
        found = self.found(session, question)
        if not found:
            return Reply("utter_no_order_to_cancel", slots=AT_REST)
        if len(found) > 1 or self.is_lost(question):
            return self._which(question, found)
        order = found[0]
        if not order.is_open:
            return self.over(order)
        if NO in choice:
            return self._kept(question, order)
        at_once = question.values("work_order_no") and question.intent == "cancel_work_order" and ASK not in choice
        return self._cancel(session, question, order) if YES in choice or at_once else self._confirm(question, order)

    # -- what we ask

    def _state(self, question: Question) -> Mapping[str, Any] | None:
        raw = question.slots.get("form")
        return raw if isinstance(raw, Mapping) and raw.get("kind") == KIND else None

    def _slots(self, question: Question, asking: str, order_no: str | None, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the slots that keep the question open; a form that it interrupts is laid aside."""
        form = {
            "kind": KIND, "action": self.name(), "asking": asking, "order_no": order_no, "quiet": True, "free": False,
            "intents": ["cancel_work_order"], "entities": ["work_order_no"], "drop": "", **more,
        }  # fmt: skip
        return {"form": form, "asked": self.name(), "order_asked": order_no} | laid_aside(question)

    def _which(self, question: Question, orders: Sequence[WorkOrder]) -> Reply:
        reply = self.which(orders, "utter_which_order_to_cancel", choice=ASK)
        raw = self.services.phrases.raw
        more = {"words": [re.escape(order.title) for order in orders], "pattern": raw("work_order.words.places")}
        return replace(reply, slots=self._slots(question, WHICH, None, more))

    def _confirm(self, question: Question, order: WorkOrder) -> Reply:
        say, raw = self.services.phrases.say, self.services.phrases.raw
        buttons = [
            (say(f"work_order.button.{name}"), payload("cancel_work_order", order, choice))
            for name, choice in (("withdraw", YES), ("keep", NO))
        ]
        values = {"order_no": order.order_no, "title": order.title, "state": self.words.state(order)}
        more = {"words": [], "pattern": f"{raw('work_order.words.keep')}|{raw('work_order.words.withdraw')}"}
        slots = self._slots(question, CONFIRM, order.order_no, more)
        return Reply("utter_order_cancel_confirm", values, buttons, slots=slots)

    # -- what is answered

    def _answered(self, session: Session, question: Question, number: str) -> Reply:
        """Take a typed yes or no to the question whether the order is to be withdrawn."""
        order = self._one(session, question, number)
        raw, text = self.services.phrases.raw, question.text.strip()
        if re.fullmatch(raw("work_order.words.keep"), text):
            return self._kept(question, order)
        agrees = question.intent == "affirm" or re.fullmatch(raw("work_order.words.withdraw"), text)
        if agrees and question.slots.get("asked") == self.name():  # some turns later it is hardly a yes to this
            return self._cancel(session, question, order) if order.is_open else self.over(order)
        if question.intent == "deny":
            return self._kept(question, order)
        return self._confirm(question, order) if order.is_open else self.over(order)

    def _one(self, session: Session, question: Question, number: str) -> WorkOrder:
        identity = question.identity
        bound = identity.assurance >= 1
        [order] = orders_core.orders_of(
            session, conversation_id=identity.conversation_id, conversations=identity.conversations,
            customer_no=identity.customer_no if bound else None, accounts=identity.accounts if bound else (),
            order_no=number,
        )  # fmt: skip
        return order

    def _kept(self, question: Question, order: WorkOrder) -> Reply:
        slots = AT_REST
        if self._state(question) is not None:
            more = {"words": [], "pattern": self.services.phrases.raw("work_order.words.after_all"), "intents": []}
            slots = {**self._slots(question, KEPT, order.order_no, more), **AT_REST}
        return Reply("utter_order_kept", {"order_no": order.order_no, "title": order.title}, slots=slots)

    def _after_all(self, session: Session, question: Question, number: str) -> Reply:
        """Take 还是撤了吧 after a no: it is asked once more."""
        if not re.fullmatch(self.services.phrases.raw("work_order.words.after_all"), question.text.strip()):
            return Reply("utter_what_for")
        order = self._one(session, question, number)
        return self._confirm(question, order) if order.is_open else self.over(order)

    def _cancel(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        values = {"order_no": order.order_no, "title": order.title}
        if not self.is_own(session, question, order):
            return self.leave(session, question, order)
        conversation = self.place_of(session, question, order)
        try:
            orders_core.cancel(session, order, now=question.now, conversation_id=conversation)
        except OrderOver:
            return self.over(order)
        except WrongState as error:
            return self.note_wish(session, question, order, error)
        return Reply("utter_order_cancelled", values, slots=AT_REST)
