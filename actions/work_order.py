"""Work orders: how far they are, faster please, and whether it is mended."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.order_base import AT_REST, OrderAction
from actions.order_cancel import ActionCancelWorkOrder
from actions.question import Question
from actions.services import Services
from core import promise
from core import work_order as orders_core
from core.promise import Subject
from core.work_order import OrderOver, WorkOrder, WrongState


class ActionQueryWorkOrder(OrderAction):
    """Tells how far an order is; its buttons also say that it is mended, or not."""

    closed_too = True

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_work_order"

    def act(self, session: Session, question: Question) -> Reply:
        """See `OrderAction.act`."""
        found = self.found(session, question)
        if not found:
            return Reply("utter_no_order", slots=AT_REST)
        if len(found) > 1:
            return self.which(found, "utter_orders")
        order = found[0]
        if question.intent == "inform" and not question.entities and not self.words.mentioned(order, question):
            return Reply("utter_what_for")
        answers: dict[str, Callable[[Session, Question, WorkOrder], Reply]] = {
            "fixed": self._fixed, "not_fixed": self._not_fixed,
        }  # fmt: skip
        answer = next((answers[one] for one in question.values("choice") if one in answers), self._progress)
        return answer(session, question, order)

    def _progress(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        subject, conversation = Subject("order", order.id), self.place_of(session, question, order)
        for one in promise.standing(session, subject):  # whoever is told a time hears when it moves
            promise.tell(session, subject, one.kind, one.due_at, conversation_id=conversation, now=question.now)
        values = {
            "order_no": order.order_no, "title": order.title, "state": self.words.state(order),
            "since": self.words.at(order.updated_at if order.closed_at is None else order.closed_at),
            "expectation": self.words.expectation(session, order, question.now),
        }  # fmt: skip
        return Reply(
            "utter_order_progress", values, self.words.buttons(order), [self.words.stages(order)], AT_REST
        )  # fmt: skip

    def _fixed(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        if order.is_open and not self.is_own(session, question, order):
            return self.leave(session, question, order)
        conversation = self.place_of(session, question, order)
        try:
            orders_core.confirm(session, order, mended=True, now=question.now, conversation_id=conversation)
        except OrderOver:
            return self.over(order)
        except WrongState as error:
            return self.note_wish(session, question, order, error)
        return Reply("utter_order_confirmed", {"order_no": order.order_no, "title": order.title}, slots=AT_REST)

    def _not_fixed(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        if order.is_open:
            return self.urged(session, question, order)
        conversation = self.place_of(session, question, order)
        try:
            orders_core.confirm(session, order, mended=False, now=question.now, conversation_id=conversation)
        except OrderOver:
            return self.over(order)
        return Reply("utter_order_reopened", {"order_no": order.order_no, "title": order.title}, slots=AT_REST)


class ActionUrgeWorkOrder(OrderAction):
    """Hurries an order."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_urge_work_order"

    def act(self, session: Session, question: Question) -> Reply:
        """See `OrderAction.act`."""
        found = self.found(session, question)
        if not found:
            return Reply("utter_no_order_to_urge", slots=AT_REST)
        if len(found) > 1 or self.is_lost(question):
            return self.which(found, "utter_which_order_to_urge")
        order = found[0]
        return self.urged(session, question, order) if order.is_open else self.over(order)


def progress_if_asked(services: Services, session: Session, question: Question) -> Reply | None:
    """Return how far the customer's order is, if the words plainly ask for it (师傅到了没) and there is one.

    For actions of intents that such a message is taken for.
    """
    if not re.search(services.phrases.raw("work_order.words.progress"), question.text):
        return None
    reply = ActionQueryWorkOrder(services).handle(session, question)
    return None if reply.response == "utter_no_order" else reply


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryWorkOrder, ActionUrgeWorkOrder, ActionCancelWorkOrder)
