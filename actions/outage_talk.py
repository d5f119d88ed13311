"""What the actions of outages share: how far the talk has come, its questions and their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from actions import choice as account_choice
from actions.base import BusinessAction, Reply
from actions.form_words import choice
from actions.outage_place import Where
from actions.outage_words import OutageWords
from actions.question import Question
from core import outage as outages
from core.outage import Outage
from core.outage_control import tell_expected

KIND = "outage"
SCOPES = ("household", "building", "area")
HOUSEHOLD = "household"
AGAIN = "/inform"
PATIENCE = 2
# What may answer each question: the keys of data/phrases/outage.yaml under `words`, the more particular first.
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "scope": ("elsewhere", "household", "area", "building"),
    "told": ("household",),
    "arrears": ("paid", "go_on"),
    "check": ("smell", "meter_dark", "tripped", "normal", "unchecked"),
    "push": ("smell", "trips_again", "still_dark", "holds"),
    "trips": ("trips_own", "trips_order"),
    "property": ("property_order", "own_property"),
}
# Buttons of each question: (answer, phrase); answers that open another topic have a payload of their own.
BUTTONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "scope": (("household", "scope.household"), ("building", "scope.building"), ("area", "scope.area")),
    "arrears": (("/pay_bill", "arrears.pay_button"), ("/ask_reconnection", "arrears.paid_button"),
                ("go_on", "arrears.go_on")),
    "check": (("meter_dark", "check.meter_dark"), ("tripped", "check.tripped"), ("/report_danger", "check.smell"),
              ("normal", "check.normal"), ("unchecked", "check.unchecked")),
    "push": (("holds", "check.holds"), ("trips_again", "check.trips_again"), ("still_dark", "check.still_dark")),
    "trips": (("trips_order", "check.trips_order"), ("trips_own", "check.trips_own")),
    "property": (("property_order", "property.order"), ("own_property", "property.own")),
}  # fmt: skip
# What is asked when a step is taken up again.
QUESTIONS = {
    "where": "where.where", "scope": "scope.ask_unknown", "arrears": "still_question", "check": "check.ask",
    "push": "check.push", "trips": "check.trips", "property": "property.say",
}  # fmt: skip
FOUND = frozenset({"meter_dark", "trips_again", "still_dark", "normal", "unchecked"})


@dataclass(frozen=True)
class Talk:
    """How far the talk about an outage has come; kept in a slot, so it holds nothing but text."""

    opening: str = ""
    step: str = ""
    account_no: str | None = None
    address: str = ""
    scope: str = ""
    found: str = ""
    looked: bool = False
    settled: bool = False  # arrears, or the property manager, were spoken of
    elsewhere: bool = False
    misses: int = 0

    @classmethod
    def parse(cls, raw: object) -> Talk | None:
        """Return what `asdict` wrote; None if it is something else."""
        if not isinstance(raw, Mapping) or raw.get("kind") != KIND:
            return None
        return cls(**{name: raw[name] for name in cls.__dataclass_fields__ if name in raw})


class OutageAction(BusinessAction):
    """An action about outages."""

    takes_yes_no = True

    @property
    def words(self) -> OutageWords:
        """Return what puts outages into words."""
        return OutageWords(self.services)

    def ask_where(self, session: Session, question: Question, where: Where, talk: Talk) -> Reply:
        """Ask for the place: in general, more exactly, which account, or which of several places."""
        words, talk = self.words, replace(talk, step="where", misses=talk.misses + 1)
        slots = self.open(talk, question)
        if where.ask == "account":
            buttons = account_choice.buttons(self._views(session, question), self.services.labels)
            return Reply("utter_outage_ask", {"said": words.say("where.account")}, buttons, slots=slots)
        if where.ask == "which":
            buttons = [(one.area, choice("address", one.area + (one.building or ""))) for one in where.candidates]
            return Reply("utter_outage_ask", {"said": words.say("where.which")}, buttons, slots=slots)
        said = words.say(f"where.{where.ask}", district=(where.place.district if where.place else None) or "")
        buttons = [(words.say("buttons.person"), "/request_human")] if talk.misses > PATIENCE else []
        return Reply("utter_outage_ask", {"said": said}, buttons, slots=slots)

    def open(self, talk: Talk, question: Question) -> dict[str, Any]:
        """Return the slots that keep a question open, with what tells an answer to it (bot/forms.py)."""
        words = [self.words.raw(f"words.{name}") for name in ANSWERS.get(talk.step, ())]
        entities = ["address", "account_no"] if talk.step in ("where", "scope") else []
        hints = {
            "intents": ["report_outage"] if self.name() == "action_report_outage" else [], "entities": entities,
            "words": words, "pattern": "", "free": True,
        }  # fmt: skip
        return {"form": {"kind": KIND, "action": self.name(), **asdict(talk), **hints}, "asked": self.name()}

    def close(self, talk: Talk | None = None) -> dict[str, Any]:
        """Return the slots of a talk without an open question, which a button may take up again."""
        kept = {"kind": KIND, **asdict(talk)} if talk else None
        account = {"account_asked": talk.account_no} if talk and talk.account_no else {}
        return {"form": None, "asked": self.name(), "outage_talk": kept, **account}

    def aid(self, text: str) -> list[str]:
        """Return what comes first where somebody lives by an appliance."""
        return [self.words.say("medical")] if re.search(self.words.raw("words.medical"), text) else []

    def tell(self, session: Session, outage: Outage, question: Question) -> str:
        """Return what is known of an outage under way; the conversation hears from now on how it goes on."""
        outages.subscribe(session, outage, question.identity.conversation_id, now=question.now)
        tell_expected(session, outage, question.identity.conversation_id, now=question.now)
        return self.words.under_way(outage, question.now)


def typed(question: Question) -> str:
    """Return what was typed; a button's payload is no words of the customer."""
    return "" if question.text.startswith("/") else question.text
