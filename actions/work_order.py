"""Work orders: how far they are, faster please, not needed any more, and whether it is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.order_words import OrderWords, payload
from actions.question import Question
from core import promise
from core import work_order as orders_core
from core.promise import Subject
from core.work_order import OrderNotFound, OrderOver, WorkOrder, WrongState

_MOST = 5
_AT_REST: dict[str, Any] = {"asked": "action_query_work_order", "order_asked": None}


class _OrderAction(BusinessAction):
    """An action over the work orders that the customer may see; subclasses give `act`."""

    writes = True
    open_only = True

    @property
    def words(self) -> OrderWords:
        """Return what puts orders into words."""
        return OrderWords(self.services)

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        database = self.services.workorder
        try:
            with database.transaction() if self.writes else database.reading() as orders:
                return self.act(orders, question)
        except OrderNotFound:
            return Reply("utter_order_not_found", slots=_AT_REST)

    def act(self, session: Session, question: Question) -> Reply:
        """Answer over the work-order database."""
        raise NotImplementedError

    def found(self, session: Session, question: Question) -> list[WorkOrder]:
        """Return the orders that may be meant: the one that is named, or those that the words fit best.

        Raises:
            OrderNotFound: if one is named that is not the customer's, or not there.
        """
        identity = question.identity
        bound = identity.assurance >= 1
        named = question.values("work_order_no")
        found = orders_core.orders_of(
            session, conversation_id=identity.conversation_id, customer_no=identity.customer_no if bound else None,
            accounts=identity.accounts if bound else (), order_no=named[0] if named else None, limit=_MOST,
        )  # fmt: skip
        still_open = [order for order in found if order.is_open]
        if named or not still_open:
            return found if named else found[:1]
        return self.words.meant(still_open, question)

    def which(self, orders: list[WorkOrder], response: str) -> Reply:
        """Ask which order is meant."""
        lines = "\n".join(self.words.line(order) for order in orders)
        intent = self.name().removeprefix("action_")
        return Reply(
            response, {"count": str(len(orders)), "lines": lines}, self.words.choices(orders, intent),
            slots={"asked": self.name(), "order_asked": None},
        )  # fmt: skip

    def over(self, order: WorkOrder) -> Reply:
        """Say that the order is over already."""
        values = {"order_no": order.order_no, "title": order.title, "state": self.words.state(order)}
        return Reply("utter_order_over", values, self.words.buttons(order), slots=_AT_REST)

    def is_own(self, session: Session, question: Question, order: WorkOrder) -> bool:
        """Tell whether the customer filed the order and did not only join it."""
        identity = question.identity
        customer_no = identity.customer_no if identity.assurance >= 1 else None
        return orders_core.is_own(
            session, order, conversation_id=identity.conversation_id, customer_no=customer_no
        )  # fmt: skip

    def note_wish(self, session: Session, question: Question, order: WorkOrder, error: WrongState) -> Reply:
        """Keep the customer's words with an order that no click may end."""
        orders_core.add_note(
            session, order, question.text or self.services.phrases.say("work_order.wish"),
            keyring=self.services.keyring, now=question.now, conversation_id=question.identity.conversation_id,
        )  # fmt: skip
        danger = order.family == orders_core.DANGER
        return Reply(
            "utter_order_stays_danger" if danger else "utter_order_stays_working",
            {"order_no": error.values["order_no"], "title": order.title}, slots=_AT_REST,
        )  # fmt: skip

    def urged(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        """Urge the order and say what that did."""
        done = orders_core.urge(session, order, now=question.now, conversation_id=question.identity.conversation_id)
        values = {
            "order_no": order.order_no, "title": order.title, "state": self.words.state(order),
            "expectation": self.words.expectation(session, order, question.now),
        }  # fmt: skip
        response = "utter_order_urged" if done.counted else "utter_order_urged_before"
        if done.escalated:
            response = "utter_order_escalated"
        more = [button for button in self.words.buttons(order) if "/urge_" not in button[1]]
        return Reply(response, values, more, slots=_AT_REST)


class ActionQueryWorkOrder(_OrderAction):
    """Tells how far an order is; its buttons also say that it is mended, or not."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_work_order"

    def act(self, session: Session, question: Question) -> Reply:
        """See `_OrderAction.act`."""
        found = self.found(session, question)
        if not found:
            return Reply("utter_no_order", slots=_AT_REST)
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
        subject, conversation = Subject("order", order.id), question.identity.conversation_id
        for one in promise.standing(session, subject):  # whoever is told a time hears when it moves
            promise.tell(session, subject, one.kind, one.due_at, conversation_id=conversation, now=question.now)
        values = {
            "order_no": order.order_no, "title": order.title, "state": self.words.state(order),
            "since": self.words.at(order.updated_at if order.closed_at is None else order.closed_at),
            "expectation": self.words.expectation(session, order, question.now),
        }  # fmt: skip
        return Reply(
            "utter_order_progress", values, self.words.buttons(order), [self.words.stages(order)], _AT_REST
        )  # fmt: skip

    def _fixed(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        conversation = question.identity.conversation_id
        if order.is_open and not self.is_own(session, question, order):
            orders_core.leave(session, order, conversation_id=conversation, now=question.now)
            return Reply("utter_order_left", {"order_no": order.order_no}, slots=_AT_REST)
        try:
            orders_core.confirm(session, order, mended=True, now=question.now, conversation_id=conversation)
        except OrderOver:
            return self.over(order)
        except WrongState as error:
            return self.note_wish(session, question, order, error)
        return Reply("utter_order_confirmed", {"order_no": order.order_no, "title": order.title}, slots=_AT_REST)

    def _not_fixed(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        if order.is_open:
            return self.urged(session, question, order)
        try:
            orders_core.confirm(
                session, order, mended=False, now=question.now, conversation_id=question.identity.conversation_id
            )
        except OrderOver:
            return self.over(order)
        return Reply("utter_order_reopened", {"order_no": order.order_no, "title": order.title}, slots=_AT_REST)


class ActionUrgeWorkOrder(_OrderAction):
    """Hurries an order."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_urge_work_order"

    def act(self, session: Session, question: Question) -> Reply:
        """See `_OrderAction.act`."""
        found = self.found(session, question)
        if not found:
            return Reply("utter_no_order_to_urge", slots=_AT_REST)
        if len(found) > 1:
            return self.which(found, "utter_which_order_to_urge")
        order = found[0]
        return self.urged(session, question, order) if order.is_open else self.over(order)


class ActionCancelWorkOrder(_OrderAction):
    """Withdraws an order: one that is named at once, another after a yes."""

    takes_yes_no = True

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_cancel_work_order"

    def act(self, session: Session, question: Question) -> Reply:
        """See `_OrderAction.act`."""
        if question.intent in ("affirm", "deny"):
            return self._answered(session, question)
        found = self.found(session, question)
        if not found:
            return Reply("utter_no_order_to_cancel", slots=_AT_REST)
        if len(found) > 1:
            return self.which(found, "utter_which_order_to_cancel")
        order, choice = found[0], question.values("choice")
        if not order.is_open:
            return self.over(order)
        if "no" in choice:
            return Reply("utter_order_kept", {"order_no": order.order_no, "title": order.title}, slots=_AT_REST)
        if "yes" in choice or (question.values("work_order_no") and question.intent == "cancel_work_order"):
            return self._cancel(session, question, order)
        return self._confirm(order)

    def _confirm(self, order: WorkOrder) -> Reply:
        say = self.services.phrases.say
        buttons = [
            (say(f"work_order.button.{name}"), payload("cancel_work_order", order, choice))
            for name, choice in (("withdraw", "yes"), ("keep", "no"))
        ]
        return Reply(
            "utter_order_cancel_confirm",
            {"order_no": order.order_no, "title": order.title, "state": self.words.state(order)}, buttons,
            slots={"asked": self.name(), "order_asked": order.order_no},
        )  # fmt: skip

    def _answered(self, session: Session, question: Question) -> Reply:
        """Take a typed yes or no to the question whether the order is to be withdrawn."""
        number = question.slots.get("order_asked")
        if not number:
            return Reply(f"utter_{question.intent}_alone", slots=_AT_REST)
        identity = question.identity
        bound = identity.assurance >= 1
        [order] = orders_core.orders_of(
            session, conversation_id=identity.conversation_id, customer_no=identity.customer_no if bound else None,
            accounts=identity.accounts if bound else (), order_no=str(number),
        )  # fmt: skip
        if question.intent == "affirm":
            return self._cancel(session, question, order) if order.is_open else self.over(order)
        return Reply("utter_order_kept", {"order_no": order.order_no, "title": order.title}, slots=_AT_REST)

    def _cancel(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        values = {"order_no": order.order_no, "title": order.title}
        conversation = question.identity.conversation_id
        if not self.is_own(session, question, order):
            orders_core.leave(session, order, conversation_id=conversation, now=question.now)
            return Reply("utter_order_left", {"order_no": order.order_no}, slots=_AT_REST)
        try:
            orders_core.cancel(session, order, now=question.now, conversation_id=conversation)
        except OrderOver:
            return self.over(order)
        except WrongState as error:
            return self.note_wish(session, question, order, error)
        return Reply("utter_order_cancelled", values, slots=_AT_REST)


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryWorkOrder, ActionUrgeWorkOrder, ActionCancelWorkOrder)
