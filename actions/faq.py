"""General knowledge as an answer, and what is said when there is none: out of scope, or not understood."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Self

import structlog
from rasa_sdk import Tracker
from sqlalchemy.orm import Session

from actions.aside import is_pressing
from actions.base import BusinessAction, Reply
from actions.question import Question
from actions.services import Services
from actions.work_order import progress_if_asked
from core.knowledge import Item, Knowledge, KnowledgeError, UnknownItem

log = structlog.get_logger("actions")
DIRECTORY = Path(__file__).parents[1] / "data" / "knowledge"
LEARNED = Path(__file__).parents[1] / "models" / "dianfu.learned" / "knowledge" / "learned.yaml"
# The retrieval reports what is more likely right than wrong. Where the intent speaks against it, it must be surer.
LIKELY, SURE = 0.65, 0.8
CHOICES = 2
PATIENCE = 3  # messages in a row that were not understood: then a person takes over
CALMING = ("report_outage", "complain", "request_human")  # what an angry customer most likely came for
_FALLBACK = "nlu_fallback"
_UNVERIFIED = "unverified"
_FORGOTTEN: Mapping[str, Any] = {"failures": None}


def knowledge() -> Knowledge:
    """Return all items: ours, read once a process, and those that the running model was taught, read when they change.

    What cannot be read is left out: the bot then says that it does not know.
    """
    try:
        changed = LEARNED.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _knowledge(changed)


@cache
def _own() -> Knowledge:
    return Knowledge.load(DIRECTORY)


@lru_cache(maxsize=1)
def _knowledge(changed: int) -> Knowledge:
    if not changed:
        return _own()
    try:
        return _own().joined(Knowledge.load(LEARNED.parent).items)
    except KnowledgeError as problem:
        log.error("learned_knowledge_unreadable", problem=str(problem))
        return _own()


@dataclass(frozen=True)
class Heard:
    """What else the model made of the message: hits (id, score) and intents (name, confidence), the likeliest first.

    `failures` is how many messages in a row, right before this one, were not understood.
    """

    hits: tuple[tuple[str, float], ...] = ()
    ranking: tuple[tuple[str, float], ...] = ()
    failures: int = 0

    @classmethod
    def of(cls, tracker: Tracker) -> Heard:
        """Read the latest message of the tracker and the events between it and the one before."""
        message: Mapping[str, Any] = tracker.latest_message or {}
        hits = tuple((str(one["id"]), float(one["score"])) for one in message.get("knowledge") or ())
        ranking = tuple((str(one["name"]), float(one["confidence"])) for one in message.get("intent_ranking") or ())
        return cls(hits, ranking, _failures(tracker.events or ()))


def _failures(events: Sequence[Mapping[str, Any]]) -> int:
    """Return the count that the turn before this one left; any turn that was understood leaves none."""
    messages = 0
    for event in reversed(events):
        if event.get("event") == "user":
            messages += 1
        elif messages == 1 and event.get("event") == "slot" and event.get("name") == "failures":
            return int(event.get("value") or 0)
        if messages > 1:
            break
    return 0


def best(heard: Heard, *, least: float = LIKELY) -> Item | None:
    """Return the item that answers the message, None if none does with at least this probability."""
    for item_id, score in heard.hits[:1]:
        if score >= least:
            try:
                return knowledge().get(item_id)
            except UnknownItem:
                return None  # the model was trained with other files
    return None


def answer(services: Services, item: Item) -> Reply:
    """Return an item as a reply: the answer, how sure it is, of when it is, and what can be done next."""
    say = services.phrases.say
    values = {
        "answer": item.answer,
        "certainty": say("faq.unverified") if item.status == _UNVERIFIED else "",
        "origin": say("faq.origin", year=item.year, month=item.month),
    }
    steps = services.phrases.under(f"faq.next.{item.id.partition('_')[0]}")
    buttons = [(title, f"/{intent}") for intent, title in steps.items()]
    return Reply("utter_knowledge", values, buttons, slots=_FORGOTTEN)


class HearingAction(BusinessAction):
    """An action that also reads the knowledge and the other intents of the message, in `self.heard`.

    Subclasses give `respond`; who speaks of dying gets help, and who insults or threatens a calm word, whatever was
    understood.
    """

    heard = Heard()

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        phrases = self.services.phrases
        if re.search(phrases.raw("smalltalk.crisis_words"), question.text):
            person = (phrases.say("smalltalk.intent_titles.request_human"), "/request_human")
            return Reply("utter_chitchat", {"text": phrases.say("smalltalk.crisis")}, [person])
        if re.search(phrases.raw("smalltalk.insult_words"), question.text) and best(self.heard, least=SURE) is None:
            return self._calm(question)
        return self.respond(session, question)

    def _calm(self, question: Question) -> Reply:
        """Answer an insult or a threat without offence; an open form asks again by itself."""
        phrases = self.services.phrases
        if is_pressing(question):
            return Reply("utter_chitchat", {"text": phrases.say("smalltalk.calm")})
        titles = phrases.under("smalltalk.intent_titles")
        buttons = [(titles[intent], f"/{intent}") for intent in CALMING]
        return Reply("utter_chitchat", {"text": phrases.say("smalltalk.calm_ask")}, buttons)

    def rehearsing(self) -> Self:
        """See `BusinessAction.rehearsing`; what was heard belongs to the turn."""
        twin = super().rehearsing()
        twin.heard = self.heard
        return twin

    @abstractmethod
    def respond(self, session: Session, question: Question) -> Reply:
        """Answer the question."""

    def answer(self, tracker: Tracker) -> Reply:
        """Answer with a copy that belongs to this turn: the action itself is shared by all conversations."""
        turn = copy(self)
        turn.heard = Heard.of(tracker)
        return super(HearingAction, turn).answer(tracker)


class ActionOutOfScope(HearingAction):
    """Answers what knowledge covers all the same, or refuses kindly and says what can be done."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_out_of_scope"

    def respond(self, session: Session, question: Question) -> Reply:
        """See `HearingAction.respond`."""
        item = best(self.heard, least=SURE)
        if item is not None:
            return answer(self.services, item)
        return Reply("utter_out_of_scope", {"whose": self._whose(question.text)}, _menu(self.services))

    def _whose(self, text: str) -> str:
        """Return who does answer such a question, where that is certain."""
        say = self.services.phrases
        for kind, words in say.under("faq.elsewhere_words").items():
            if any(word in text for word in words.split("|")):
                return say.say(f"faq.elsewhere.{kind}")
        return say.say("faq.elsewhere.other")


class ActionDefault(HearingAction):
    """Answers from knowledge what no intent fits; else asks again, then with the likeliest intents, then gives over."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_default"

    def respond(self, session: Session, question: Question) -> Reply:
        """See `HearingAction.respond`."""
        phrases = self.services.phrases
        progress = progress_if_asked(self.services, session, question)
        if progress is not None:
            return replace(progress, slots={**progress.slots, **_FORGOTTEN})
        item = best(self.heard)
        if item is not None:
            return answer(self.services, item)
        # Signs without words (a cat on the keyboard, angry faces) are no try to say something.
        failures = self.heard.failures + bool(re.search(phrases.raw("faq.wording"), question.text))
        if failures >= PATIENCE:
            return Reply(
                "utter_chitchat", {"text": phrases.say("faq.handed_over")}, slots=_FORGOTTEN, handoff="failures"
            )
        choices = self._choices() if failures > 1 else []
        if not choices:
            return Reply("utter_default", buttons=_menu(self.services), slots={"failures": failures})
        person = phrases.say("smalltalk.intent_titles.request_human")
        slots = {"failures": failures}
        return Reply("utter_default_choice", buttons=[*choices, (person, "/request_human")], slots=slots)

    def _choices(self) -> list[tuple[str, str]]:
        """Return buttons for the two likeliest things that a customer can want."""
        titles = self.services.phrases.under("smalltalk.intent_titles")
        talk = self.services.phrases.raw("smalltalk.no_choice").split("|")
        names = [name for name, _ in self.heard.ranking if name in titles and name not in talk]
        return [(titles[name], f"/{name}") for name in names[:CHOICES]]


def _menu(services: Services) -> list[tuple[str, str]]:
    return [(title, f"/{intent}") for intent, title in services.phrases.under("smalltalk.menu").items()]


ACTIONS: tuple[type[BusinessAction], ...] = (ActionOutOfScope, ActionDefault)
