"""What the actions of outages share: how far the talk has come, its questions and their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from actions import choice as account_choice
from actions.base import BusinessAction, Reply
from actions.form_base import open_form
from actions.form_words import choice
from actions.outage_answers import MEANING, SCOPE_WORDS, SCOPES, Answers
from actions.outage_place import Where
from actions.outage_words import OutageWords
from actions.question import Question
from core import outage as outages
from core.form import OFFER, WHICH
from core.masking import mask_phone
from core.outage import Outage
from core.outage_control import tell_expected
from core.outage_report import withdraw

KIND = "outage"
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
QUESTIONS = {"check": "check.ask", "push": "check.push", "trips": "check.trips"}
# What is asked when a step is taken up again.
AGAINS = {
    "scope": "scope.again", "arrears": "arrears.again", "check": "check.ask", "push": "check.push_again",
    "trips": "check.trips_short", "property": "property.again",
}  # fmt: skip
REPORTING = "action_report_outage"
TELLING = frozenset({"where", "scope", "check", "push", "trips", "arrears"})  # steps at which the reach may be told
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
    area: str = ""  # what the place is called when it is spoken of again
    asked: str = ""  # how the place was asked for: `Where.ask`
    choices: Sequence[str] = ()  # the places that were offered
    phone: str = ""
    told_no: str = ""  # an account number that was typed and is not the asker's own: never looked up for them

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

    @property
    def answers(self) -> Answers:
        """Return what reads answers."""
        return Answers(self.words)

    def ask_where(self, session: Session, question: Question, where: Where, talk: Talk) -> Reply:
        """Ask for the place: in general, more exactly, which account, or which of several places."""
        places = tuple(one.area + (one.building or "") for one in where.candidates)
        district = (where.place.district if where.place else None) or ""
        talk = replace(talk, step="where", misses=talk.misses + 1, asked=where.ask, choices=places, area=district)
        return self.where_again(session, question, talk)

    def where_again(self, session: Session, question: Question, talk: Talk, lead: str = "") -> Reply:
        """Put the question for the place, as it was asked the last time."""
        words, asked = self.words, talk.asked or "where"
        said = words.say(f"where.{asked}", district=talk.area)
        buttons = [(words.say("buttons.person"), "/request_human")] if talk.misses > PATIENCE else []
        if asked == "account":
            buttons = [*account_choice.buttons(self._views(session, question), self.services.labels), *buttons]
        offered = [(one, choice("address", one)) for one in talk.choices]
        said = f"{lead}\n{said}" if lead else said
        return Reply("utter_outage_ask", {"said": said}, [*offered, *buttons], slots=self.open(talk, question))

    def pointed(self, session: Session, question: Question, talk: Talk) -> Question:
        """Return the message with the place that an ordinal (第一个) points at."""
        place = self.answers.place_in_list(question.text) if talk.step == "where" else None
        views = self._views(session, question) if talk.asked == "account" else []
        offered = [("account_no", one.account_no) for one in views] or [("address", one) for one in talk.choices]
        if place is None or place >= len(offered):
            return question
        entity, value = offered[place]
        return replace(question, text=AGAIN, entities=({"entity": entity, "value": value},))

    def back(self, session: Session, question: Question, talk: Talk, lead: str = "") -> Reply:
        """Put the open question again after something else was answered."""
        lead = lead or self.words.say("back")
        if talk.step == "where":
            return self.where_again(session, question, talk, lead)
        return self.ask(talk, question, lead, again=True)

    def ask(
        self, talk: Talk, question: Question, lead: str = "", *, alone: bool = False, again: bool = False
    ) -> Reply:  # fmt: skip
        """Ask what the step asks; `alone`: the lead is the question itself, `again`: it was asked before."""
        words = self.words
        said = [lead] if lead else []
        if not alone:
            key = (AGAINS if again else QUESTIONS)[talk.step]
            said.append(words.say(key, area=talk.area or words.say("here")))
        buttons = [
            (words.say(key), answer if answer.startswith("/") else choice("choice", answer))
            for answer, key in BUTTONS.get(talk.step, ())
        ]
        if talk.step == "scope" and talk.account_no:
            buttons.append((words.say("scope.elsewhere"), choice("choice", "elsewhere")))
        if talk.misses >= PATIENCE:
            buttons.append((words.say("buttons.person"), "/request_human"))
        return Reply("utter_outage_ask", {"said": "\n".join(said)}, buttons, slots=self.open(talk, question))

    def photo_lead(self, question: Question) -> str:
        """Return that a photo came, empty if none did."""
        return self.services.phrases.say("form.photo_taken") if question.values("upload") else ""

    def missed(self, talk: Talk, question: Question) -> Reply:
        """Ask once more after words that were no answer."""
        return self.ask(replace(talk, misses=talk.misses + 1), question, self.words.say("again"), again=True)

    def in_list(self, talk: Talk, place: int) -> str:
        """Return the answer of a button by its place."""
        offered = [answer for answer, _ in BUTTONS.get(talk.step, ())]
        if talk.step == "scope" and talk.account_no:
            offered.append("elsewhere")
        return MEANING.get(offered[place], offered[place]) if place < len(offered) else ""

    def open(self, talk: Talk, question: Question) -> dict[str, Any]:
        """Return the slots that keep a question open, with what tells an answer to it (bot/forms.py).

        A business form that was open waits: at the end it is offered again.
        """
        raw = self.words.raw
        names = [*ANSWERS.get(talk.step, ()), *(SCOPE_WORDS if talk.step in TELLING else ())]
        places = ["address", "account_no"] if talk.step in ("where", "scope") else []
        back, ordinal = raw("words.restored"), raw("words.ordinal")
        drop = f"(?!{back}$)(?:{self.services.phrases.raw('form.drop_words')})"
        if talk.step == "where":
            drop = f"{drop}|{raw('words.no_more')}"
        hints = {
            "intents": ["report_outage"] if self.name() == "action_report_outage" else [],
            "entities": [*places, "phone"], "words": [raw(f"words.{name}") for name in names],
            "pattern": f"(?:{back})|(?:{ordinal})", "free": True,
            "drop": drop,
        }  # fmt: skip
        paused = {"paused": question.slots["form"]} if self.interrupts(question) else {}
        form = {"kind": KIND, "action": self.name(), **asdict(talk), **hints, **self._readable(talk)}
        return {"form": form, "asked": self.name(), **paused}

    def _readable(self, talk: Talk) -> dict[str, Any]:
        """Return the part of the slot that people read at the desk."""
        say, labels = self.words.say, self.services.phrases.under("outage.shown")
        reports = self.name() == REPORTING
        place = say("shown_account", tail=talk.account_no[-4:]) if talk.account_no else talk.address
        known = {
            "place": place or (talk.area if talk.step != "where" else ""),
            "scope": say(f"scope.{talk.scope}") if talk.scope in SCOPES else "",
            "found": say(f"check.{talk.found}") if talk.found else "", "phone": mask_phone(talk.phone),
        }  # fmt: skip
        asked = ["place"] + (["scope"] if reports else [])
        asked += ["found"] if reports and talk.step in ("check", "push", "trips") else []
        return {
            "business": "repair" if reports else "query_outage",
            "title": say("shown_report" if reports else "shown_query"),
            "shown": {labels[name]: value for name, value in known.items() if value},
            "missing": [labels[name] for name in known if name in asked and not known[name]],
        }

    def close(self, question: Question, talk: Talk | None = None) -> dict[str, Any]:
        """Return the slots of a talk without an open question, which a button may take up again.

        A business form that is open stays so: the channel lets it ask again.
        """
        kept = {"kind": KIND, **asdict(talk)} if talk else None
        account = {"account_asked": talk.account_no} if talk and talk.account_no else {}
        form = {} if self.interrupts(question) else {"form": None, "asked": self.name()}
        return {"outage_talk": kept, **form, **account}

    def interrupts(self, question: Question) -> bool:
        """Tell whether a business form with an open question is interrupted by this message."""
        state = open_form(question)
        return state is not None and state.business != "repair" and state.asking not in (OFFER, WHICH)

    def with_paused(self, question: Question, reply: Reply) -> Reply:
        """Return the last word of a talk with the way back to the business form that waits."""
        paused, before = question.slots.get("paused"), question.slots.get("form")
        ours = isinstance(before, Mapping) and before.get("kind") == KIND
        if not ours or not isinstance(paused, Mapping) or reply.slots.get("form", paused) is not None:
            return reply
        title = self.services.businesses.get(str(paused["business"])).title
        button = (self.words.say("resume", title=title), choice("resume", str(paused["id"])))
        return replace(reply, buttons=[button, *reply.buttons])

    def power_is_back(self, question: Question) -> Reply:
        """End the talk kindly: nothing is reported."""
        with self.services.workorder.transaction() as workorder:
            withdraw(workorder, question.identity.conversation_id)
        return Reply("utter_outage_said", {"said": self.words.say("restored")}, slots=self.close(question))

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


def asks_again(question: Question) -> bool:
    """Tell whether the channel lets the open question be put again after another one was answered."""
    return question.text.strip() == AGAIN and not question.entities
