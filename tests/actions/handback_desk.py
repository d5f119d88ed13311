"""A dialogue after a hand-back, in which slots and what was said go from turn to turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from actions_desk import KEY, NOW, Desk
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Reply
from actions.reply import MARK
from core.identity import Identity, issue_identity
from core.work_order import WorkOrder

HOUR = timedelta(hours=1)
NOTE: dict[str, Any] = {
    "done": ["已核对10月账单，第二档没有多算。", "投诉已登记"], "open": ["抄表班组复核表数"],
    "promised": [{"text": "复核结果给您回电", "due_at": (NOW + 8 * HOUR).isoformat()}],
    "intents": ["query_bill", "complain"], "at": (NOW - HOUR).isoformat(), "agent": "王岚", "case": 7,
}  # fmt: skip
STORY = "柜台那个女的嫌我老，很不耐烦，昨天上午在中北路"


class Talk:
    """One dialogue, with the note that the bridge puts into every message."""

    def __init__(self, desk: Desk, note: dict[str, Any] | None = None, *accounts: str) -> None:
        self.desk, self.note, self.accounts = desk, NOTE if note is None else note, accounts
        self.slots: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.turns = 0

    def say(self, name: str, text: str, intent: str | None = None, **entities: str) -> Reply:
        """Run one turn and keep what Rasa would keep of it."""
        self.turns += 1
        who = Identity("c1", "C1" if self.accounts else None, self.accounts, 1 if self.accounts else 0, "web")
        given = [{"entity": key, "value": value} for key, value in entities.items()]
        tracker = self.desk.tracker(
            name, self.accounts, text, given, self.slots, intent=intent, now=NOW + timedelta(seconds=self.turns),
            identity=issue_identity(KEY, who, now=NOW),
        )  # fmt: skip
        tracker.latest_message["metadata"]["handed_back"] = self.note
        tracker.events = [*self.events, {"event": "user", "text": text}]
        reply = self.desk.action(name).answer(tracker)
        said = CollectingDispatcher()
        reply.utter(said)
        marks = [{"event": "bot", "metadata": {MARK: one[MARK]} if MARK in one else {}} for one in said.messages]
        self.events = [*tracker.events, *marks]
        self.slots = {**self.slots, **reply.slots}
        return reply

    @property
    def form(self) -> dict[str, Any]:
        found = self.slots.get("form")
        assert isinstance(found, dict)
        return found

    def orders(self) -> Sequence[WorkOrder]:
        with self.desk.services.workorder.reading() as session:
            return session.query(WorkOrder).all()


def changed(**values: Any) -> dict[str, Any]:
    return {**NOTE, **values}


def titles(reply: Reply) -> list[str]:
    return [title for title, _ in reply.buttons]
