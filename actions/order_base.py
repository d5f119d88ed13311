"""What all actions over work orders share: which orders the customer may see, and which one is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.order_words import OrderWords
from actions.question import Question
from core import work_order as orders_core
from core.work_order import OrderNotFound, WorkOrder, WrongState

MOST = 5
LOST = "lost"  # what `order_asked` holds after a number that names no order of the customer's
AT_REST: dict[str, Any] = {"asked": "action_query_work_order", "order_asked": None}


class OrderAction(BusinessAction):
    """An action over the work orders that the customer may see; subclasses give `act`."""

    writes = True
    closed_too = False  # whether an order of another day that is over may be meant by what names none

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
            return Reply("utter_order_not_found", slots={**AT_REST, "order_asked": LOST})

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
            session, conversation_id=identity.conversation_id, conversations=identity.conversations,
            customer_no=identity.customer_no if bound else None, accounts=identity.accounts if bound else (),
            order_no=named[0] if named else None, limit=MOST,
        )  # fmt: skip
        if named:
            return found
        here = [order for order in found if order.conversation_id in identity.talks]
        still_open = [order for order in found if order.is_open]
        if still_open:
            return self._meant(still_open, here, question)
        waiting = [order for order in found if order.state == "done"]
        return (found if self.closed_too else waiting or here)[:1]

    def _meant(self, orders: list[WorkOrder], here: list[WorkOrder], question: Question) -> list[WorkOrder]:
        """Return what the words fit best; 刚才那张, 这张 is the newest of this conversation."""
        meant = self.words.meant(orders, question)
        just = re.search(self.services.phrases.raw("work_order.words.just"), question.text)
        return [order for order in meant if order in here][:1] or meant if just and len(meant) > 1 else meant

    def is_lost(self, question: Question) -> bool:
        """Tell whether the order meant may be one that was just not found (那个单子): then no other is touched."""
        return question.slots.get("order_asked") == LOST and not question.values("work_order_no")

    def which(self, orders: Sequence[WorkOrder], response: str, choice: str | None = None) -> Reply:
        """Ask which order is meant; the buttons carry `choice`."""
        lines = "\n".join(self.words.line(order) for order in orders)
        intent = self.name().removeprefix("action_")
        return Reply(
            response, {"count": str(len(orders)), "lines": lines}, self.words.choices(orders, intent, choice),
            slots={"asked": self.name(), "order_asked": None},
        )  # fmt: skip

    def over(self, order: WorkOrder) -> Reply:
        """Say that the order is over already."""
        values = {"order_no": order.order_no, "title": order.title, "state": self.words.state(order)}
        return Reply("utter_order_over", values, self.words.buttons(order), slots=AT_REST)

    def is_own(self, session: Session, question: Question, order: WorkOrder) -> bool:
        """Tell whether the customer filed the order and did not only join it."""
        identity = question.identity
        customer_no = identity.customer_no if identity.assurance >= 1 else None
        return orders_core.is_own(
            session, order, conversation_id=identity.conversation_id, conversations=identity.conversations,
            customer_no=customer_no,
        )  # fmt: skip

    def place_of(self, session: Session, question: Question, order: WorkOrder) -> str:
        """Return which of the customer's conversations hears of the order; the present one, if none does yet."""
        waiting = orders_core.conversations_of(session, order)
        return next((one for one in question.identity.talks if one in waiting), question.identity.conversation_id)

    def leave(self, session: Session, question: Question, order: WorkOrder) -> Reply:
        """Let the customer hear no more of an order that was only joined."""
        waiting = orders_core.conversations_of(session, order)
        for one in [talk for talk in question.identity.talks if talk in waiting] or [question.identity.conversation_id]:
            orders_core.leave(session, order, conversation_id=one, now=question.now)
        return Reply("utter_order_left", {"order_no": order.order_no}, slots=AT_REST)

    def note_wish(self, session: Session, question: Question, order: WorkOrder, error: WrongState) -> Reply:
        """Keep the customer's words with an order that no click may end."""
        orders_core.add_note(
            session, order, question.text or self.services.phrases.say("work_order.wish"),
            keyring=self.services.keyring, now=question.now, conversation_id=question.identity.conversation_id,
        )  # fmt: skip
        danger = order.family == orders_core.DANGER
        return Reply(
            "utter_order_stays_danger" if danger else "utter_order_stays_working",
            {"order_no": error.values["order_no"], "title": order.title}, slots=AT_REST,
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
        return Reply(response, values, more, slots=AT_REST)
