"""Service halls, and help with the app."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply, card
from actions.question import Question
from core.account import list_accounts
from core.knowledge import Knowledge
from core.service_hall import Hours, ServiceHall, ServiceHalls, load_service_halls

KIND, ALL = "hall", "all"
MOST = 5  # halls in one answer
KNOWLEDGE = Path(__file__).parents[1] / "data" / "knowledge"


@cache
def app_items() -> Knowledge:
    """Return the items of general knowledge, read once."""
    return Knowledge.load(KNOWLEDGE)


class ActionFindServiceHall(BusinessAction):
    """Tells the service halls of the place that is named, else of the customer's own address, else all."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_find_service_hall"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        halls = load_service_halls()
        named = halls.named(question.text)
        if named:
            return self._told(halls, named, "", ours=_is_ours(question.slots.get("form")))
        if question.values("address"):
            return self._told(halls, halls.halls, self._say("unknown"), ours=_is_ours(question.slots.get("form")))
        near = halls.named(question.pinned) if question.pinned else []
        if near:
            return self._told(halls, near, self._say("pinned", place=question.pinned))
        own = halls.of_addresses(self._addresses(session, question))
        if own:
            return self._told(halls, own, self._say("mine"))
        form = question.slots.get("form")
        if form is not None or question.values("choice"):  # another question is open, or this one was put
            return self._told(halls, halls.halls, self._say("all"), ours=_is_ours(form))
        return self._ask(question)

    def _ask(self, question: Question) -> Reply:
        """Ask which part of the town is meant."""
        said = self._say("ask_point" if question.identity.channel == "wechat" else "ask")
        form = {
            "kind": KIND, "action": self.name(), "title": self._say("title"), "shown": {},
            "missing": [self._say("label.address")], "intents": [], "entities": ["address"], "words": [], "free": True,
        }  # fmt: skip
        every = (self._say("every"), f'/find_service_hall{{"choice": "{ALL}"}}')
        slots = {"form": form, "asked": self.name()}
        return Reply("utter_form_ask", {"lead": "", "question": said}, [every], slots=slots)

    def _addresses(self, session: Session, question: Question) -> list[str]:
        allowed = question.identity.accounts if question.identity.assurance >= 1 else ()
        views = list_accounts(session, allowed=allowed, keyring=self.services.keyring) if allowed else []
        return [view.masked_address for view in views]

    def _told(self, halls: ServiceHalls, found: Sequence[ServiceHall], lead: str, *, ours: bool = False) -> Reply:
        remark = self._say("holidays") + (self._say("demonstration") if halls.demonstration else "")
        slots: dict[str, Any] = {"asked": self.name()} | ({"form": None} if ours else {})
        if len(found) > MOST:
            lead += self._say("more", most=MOST, count=len(found) - MOST)
        if len(found) > 1:
            said = {"lead": lead, "count": str(len(found)), "phone": halls.phone, "remark": remark}
            return Reply("utter_service_halls", said, cards=[self._table(found[:MOST], remark)], slots=slots)
        hall = found[0]
        said = {
            "lead": lead, "name": hall.name, "address": hall.address, "hours": self._hours(hall.hours),
            "phone": halls.phone, "remark": remark,
        }  # fmt: skip
        return Reply("utter_service_hall", said, slots=slots)

    def _table(self, found: Sequence[ServiceHall], remark: str) -> dict[str, Any]:
        rows = [[hall.name, hall.address, self._hours(hall.hours)] for hall in found]
        columns = [self._say(f"label.{name}") for name in ("name", "address", "hours")]
        text = self.services.labels.line_separator.join(self.services.labels.separator.join(row) for row in rows)
        data = {"title": self._say("title"), "columns": columns, "rows": rows, "note": remark}
        return card("table_card", text, data)

    def _hours(self, hours: Hours) -> str:
        weekend = (
            self._say("weekend", opens=f"{hours.weekend[0]:%H:%M}", closes=f"{hours.weekend[1]:%H:%M}")
            if hours.weekend
            else self._say("closed")
        )
        days = self._say("weekdays", opens=f"{hours.weekdays[0]:%H:%M}", closes=f"{hours.weekdays[1]:%H:%M}")
        return self._say("both", weekdays=days, weekend=weekend)

    def _say(self, key: str, **values: object) -> str:
        return self.services.phrases.say(f"account_help.hall.{key}", **values)


def _is_ours(form: object) -> bool:
    return isinstance(form, Mapping) and form.get("kind") == KIND


class ActionAskAppHelp(BusinessAction):
    """Tells where a function of the app is, or what helps when it does not work."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_app_help"

    def handle(self, _session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        layout = self.services.phrases.say("account_help.app_layout")
        return Reply("utter_app_help", {"steps": self._steps(question.text), "layout": layout})

    def _steps(self, text: str) -> str:
        phrases = self.services.phrases
        for item, pattern in phrases.under("account_help.app_words").items():
            if re.search(pattern, text, re.IGNORECASE):
                return app_items().get(item).answer
        pays = re.search(phrases.raw("account_help.app_pay_words"), text) is not None
        return phrases.say("account_help.app_pay" if pays else "account_help.app_other")


ACTIONS: tuple[type[BusinessAction], ...] = (ActionFindServiceHall, ActionAskAppHelp)
