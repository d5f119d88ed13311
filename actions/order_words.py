"""How an order is told: its state and stages, the time that is usual or expected, and which of several is meant."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from actions.base import card
from actions.question import Question
from actions.services import Services
from core import promise
from core.promise import ARRIVAL, RESTORE, Standing, Subject
from core.work_order import WorkOrder

Button = tuple[str, str]
_TAIL = re.compile(r"(?<!\d)\d{3,8}(?!\d)")
_TOLD = ("filed", "urged", "reopened")  # events with a line of their own, besides the states
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class OrderWords:
    """Puts orders into words."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._say = services.phrases.say

    def line(self, order: WorkOrder) -> str:
        """Return one order on one line."""
        return self._say("work_order.line", title=order.title, order_no=order.order_no, state=self.state(order))

    def state(self, order: WorkOrder) -> str:
        """Return the state in Chinese."""
        return self._say(f"work_order.state.{order.state}")

    def expectation(self, session: Session, order: WorkOrder, now: datetime) -> str:
        """Return what may be said of the time: the usual one, or the one that was set for this case and its age."""
        standing = promise.standing(session, Subject("order", order.id))
        if not order.is_open or not standing:
            return ""
        one = standing[0]
        if one.due_at < now:
            return self._say("work_order.overdue")
        if one.moved:
            values = {"due": self.at(one.due_at), "age": self._age(now - one.since)}
            return self._say(f"work_order.expected.{one.kind}", **values)
        return self._usual(order, one)

    def _usual(self, order: WorkOrder, one: Standing) -> str:
        figures = self._services.commitments
        if one.kind in (ARRIVAL, RESTORE):
            limits = figures.arrival_minutes if one.kind == ARRIVAL else figures.restore_hours
            amount = limits.get(order.area_class or "")
            return self._say(f"work_order.usual.{one.kind}.{order.area_class}", amount=amount) if amount else ""
        return self._say(f"work_order.usual.{one.kind}", due=self.at(one.due_at))

    def stages(self, order: WorkOrder) -> dict[str, Any]:
        """Return the card with all stages and their times."""
        rows = [
            {"label": self._label(event.kind, event.values), "value": self.at(event.at)}
            for event in order.events
            if event.kind in (*_TOLD, "cancelled") or (event.kind == "state" and event.values.get("to") != "accepted")
        ]
        title = self._say("work_order.card", title=order.title, order_no=order.order_no)
        return card("fact_card", title, {"title": title, "rows": rows})

    def buttons(self, order: WorkOrder) -> list[Button]:
        """Return what can be done with the order now."""
        if order.is_open:
            names = [("urge", "urge_work_order", None), ("fixed", "query_work_order", "fixed")]
            if order.state != "working":
                names.append(("cancel", "cancel_work_order", None))
        elif order.state == "done":
            names = [("fixed", "query_work_order", "fixed"), ("not_fixed", "query_work_order", "not_fixed")]
        elif order.state == "closed":
            names = [("not_fixed", "query_work_order", "not_fixed")]
        else:
            names = []
        return [(self._say(f"work_order.button.{name}"), payload(to, order, choice)) for name, to, choice in names]

    def choices(self, orders: Sequence[WorkOrder], intent: str, choice: str | None = None) -> list[Button]:
        """Return a button for each order, which asks `intent` of it."""
        return [
            (
                self._say("work_order.choice", title=order.title, tail=order.order_no[-4:]),
                payload(intent, order, choice),
            )
            for order in orders
        ]

    def meant(self, orders: Sequence[WorkOrder], question: Question) -> list[WorkOrder]:
        """Return the orders that the words fit best (过户那个, 尾号0003, 第二个); all of them if none fits."""
        scores = [self._score(place, order, question.text) for place, order in enumerate(orders)]
        best = max(scores, default=0)
        return [order for order, score in zip(orders, scores, strict=True) if score == best]

    def mentioned(self, order: WorkOrder, question: Question) -> bool:
        """Tell whether any word of the message points at the order, or at a place in a list."""
        places = range(len(self._services.labels.ordinals))
        return any(self._score(place, order, question.text) for place in places)

    def at(self, at: datetime) -> str:
        """Return an instant as it is said; the last minute of a day is the day."""
        return self._services.labels.of_instant(at).removesuffix("23:59")

    def _score(self, place: int, order: WorkOrder, text: str) -> int:
        labels = self._services.labels
        ordinals = labels.ordinals[place] if place < len(labels.ordinals) else []
        named = any(re.search(f"{word}(?![{labels.not_after_ordinal}])", text) for word in ordinals)
        tails = any(order.order_no.endswith(digits) for digits in _TAIL.findall(text))
        pairs = {order.category[i : i + 2] for i in range(len(order.category) - 1)}
        return 9 * (named or tails) + sum(pair in text for pair in pairs)

    def _label(self, kind: str, values: dict[str, str]) -> str:
        key = f"work_order.state.{values['to']}" if kind == "state" else f"work_order.event.{kind}"
        return self._say(key)

    def _age(self, age: timedelta) -> str:
        unit, size = next(
            ((unit, size) for unit, size in (("days", _DAY), ("hours", _HOUR)) if age >= size),
            ("minutes", timedelta(minutes=1)),
        )
        return self._say(f"work_order.age.{unit}", count=max(1, age // size))


def payload(intent: str, order: WorkOrder, choice: str | None = None) -> str:
    """Return what a button about an order stands for."""
    entities = {"work_order_no": order.order_no} | ({"choice": choice} if choice else {})
    return f"/{intent}{json.dumps(entities, ensure_ascii=False)}"
