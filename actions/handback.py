"""The hand-back note: what a person did before the bot took over again, which its next answers respect.

Thin: `respectful` stands around every answer. A question about the matter gets the note first, in full once a dialogue;
what the note lists as done is not registered again before the customer has said so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rasa_sdk import Tracker
from sqlalchemy.orm import Session

from actions import person
from actions.aside import offered_again
from actions.handback_words import NoteWords
from actions.question import Question
from actions.reply import MARK, Reply
from actions.services import Services

if TYPE_CHECKING:
    from actions.base import BusinessAction

LIFETIME = timedelta(hours=24)
KIND = "handback"  # of the slot `form`: whether it is to be registered again
REGISTERING = frozenset({"business", "outage"})  # kinds of the slot `form` that end in an order
OFFER = "_offer"  # of these a form that is only on offer registers nothing
# Questions about what is under way, and what never is one.
PROGRESS = frozenset({"query_work_order", "urge_work_order", "repeat"})
NEVER = frozenset({"inform", "affirm", "deny", "cancel", "request_human", "report_danger"})
SAID = "query_work_order"  # what the bot makes of the question for what was promised (bot/handback.py)
CONFUSED = frozenset({"ask_reconnection"})  # 回电 is a call, too
# Answers without anything in them: beside the note they would only confuse.
EMPTY = frozenset(
    {
        "utter_no_order", "utter_no_order_to_urge", "utter_order_not_found", "utter_what_for", "utter_default",
        "utter_default_choice", "utter_out_of_scope", "utter_chitchat",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Promised:
    """Something that was promised, and until when."""

    text: str
    due_at: datetime | None


@dataclass(frozen=True)
class Note:
    """What was done, is open and was promised in a case, of which intents; `told`: the customer has read it here."""

    key: str
    agent: str
    at: datetime
    done: tuple[str, ...]
    open: tuple[str, ...]
    promised: tuple[Promised, ...]
    intents: frozenset[str]
    told: bool = False

    @classmethod
    def parse(cls, raw: object, *, now: datetime) -> Note | None:
        """Read the note that the bridge puts into a message's metadata; None if it is empty, old or none."""
        if not isinstance(raw, Mapping) or (at := _instant(raw.get("at"))) is None or now - at >= LIFETIME:
            return None
        promised = tuple(
            Promised(_clean(one["text"]), _instant(one.get("due_at")))
            for one in raw.get("promised") or ()
            if isinstance(one, Mapping) and _clean(one.get("text"))
        )
        note = cls(
            key=f"{raw.get('case')}@{at.isoformat()}",
            agent=_clean(raw.get("agent_name") or raw.get("agent")),
            at=at,
            done=_texts(raw.get("done")),
            open=_texts(raw.get("open")),
            promised=promised,
            intents=frozenset(str(one) for one in raw.get("intents") or ()) - NEVER,
        )
        return note if note.done or note.open or note.promised else None

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether the time of a promise is over."""
        return any(one.due_at is not None and one.due_at <= now for one in self.promised)


def note_of(tracker: Tracker, now: datetime) -> Note | None:
    """Return the note that belongs to the latest message, and whether this dialogue has told it."""
    metadata = (tracker.latest_message or {}).get("metadata") or {}
    note = Note.parse(metadata.get("handed_back"), now=now)
    if note is None:
        return None
    marks = ((event.get("metadata") or {}).get(MARK) for event in tracker.events or () if event.get("event") == "bot")
    return replace(note, told=note.key in marks)


def respectful(action: BusinessAction, session: Session, question: Question, note: Note) -> Reply:
    """Return the action's answer in the light of the note."""
    services, words = action.services, NoteWords(action.services, note, question.now)
    would = _registering_again(action, session, question, note)
    if would is not None:
        return _asked_first(action, question, note, words, would)
    if (question.intent in CONFUSED and _asks(services, question.text)) or _asks_said(services, question):
        return _alone(services, note, words, question.now)
    reply = action.reply_to(session, question)
    answers = question.intent in NEVER and reply.response not in EMPTY  # something of ours, whatever its words
    return reply if answers or not is_about(services, question, note) else _led(services, question, note, words, reply)


def is_about(services: Services, question: Question, note: Note) -> bool:
    """Tell whether a message asks about what the note tells of: by its intent, or by its words."""
    return question.intent in PROGRESS | note.intents or _asks(services, question.text)


def retold(services: Services, tracker: Tracker, now: datetime) -> tuple[Reply | None, bool]:
    """Return the note as an answer to somebody who wants to hear it again, and whether that is all he wants.

    None if there is no note, or this dialogue has told it and other words are to be repeated.
    """
    note, text = note_of(tracker, now), str((tracker.latest_message or {}).get("text") or "")
    asked = note is not None and _asks(services, text)
    if note is None or (note.told and not asked):
        return None, False
    note = replace(note, told=False)  # who asks for it hears all of it
    return _alone(services, note, NoteWords(services, note, now), now), asked


def _asks(services: Services, text: str) -> bool:
    typed = "" if text.startswith("/") else text.strip()
    if re.search(services.phrases.raw("smalltalk.crisis_words"), typed):
        return False  # nothing comes before the answer to that
    return bool(re.search(services.phrases.raw("handback.asking_words"), typed))


def _asks_said(services: Services, question: Question) -> bool:
    """Tell whether a question for progress is one for what the person said, beside which no order is told."""
    worded = re.search(services.phrases.raw("handback.said_words"), question.text) is not None
    return question.intent == SAID and worded and not question.values("work_order_no")


def _led(services: Services, question: Question, note: Note, words: NoteWords, reply: Reply) -> Reply:
    """Return the reply with the note before it; where the reply says nothing of its own, the note alone."""
    if reply.response in EMPTY or _is_past(services, question, reply):
        forgotten = {name: None for name in ("failures",) if name in reply.slots}
        return replace(_alone(services, note, words, question.now), slots={**reply.slots, **forgotten})
    ways_out = [person.button(services, "rule")] if note.is_overdue(question.now) else []
    return replace(reply, lead=words.line(), told=note.key, buttons=[*reply.buttons, *ways_out])


def _is_past(services: Services, question: Question, reply: Reply) -> bool:
    """Tell whether the reply tells of an order that is over, and that nobody named: the note is newer."""
    over = {services.phrases.say(f"work_order.state.{one}") for one in ("closed", "cancelled")}
    told = reply.response == "utter_order_progress" and reply.values.get("state") in over
    return told and not question.values("work_order_no")


def _alone(services: Services, note: Note, words: NoteWords, now: datetime) -> Reply:
    button = person.button(services, "rule") if note.is_overdue(now) else person.plain_button(services)
    return Reply("", buttons=[button], lead=words.line(), told=note.key)


# -- what was done is not registered again unasked


def is_asking(question: Question) -> bool:
    """Tell whether it is being asked whether to register something again."""
    form = question.slots.get("form")
    return isinstance(form, Mapping) and form.get("kind") == KIND


def decided(services: Services, action: str, question: Question) -> Question | Reply:
    """Return what the answer to that question stands for: the message that led to it, or the end of it."""
    asked = question.slots.get("form")
    if not isinstance(asked, Mapping) or asked.get("kind") != KIND or asked.get("action") != action:
        return question
    if question.intent == "deny" or re.fullmatch(services.phrases.raw("handback.no_words"), question.text.strip()):
        said = {"text": services.phrases.say("handback.again.left")}
        return offered_again(services, question, Reply("utter_chitchat", said, slots={"form": None, "asked": None}))
    if question.intent not in ("affirm", "inform"):
        return question
    before = asked["message"]
    return replace(
        question, intent=str(before["intent"]), text=str(before["text"]), entities=tuple(before["entities"]),
        slots={**question.slots, "form": None},
    )  # fmt: skip


def _registering_again(action: BusinessAction, session: Session, question: Question, note: Note) -> Reply | None:
    """Return what the action would answer if that began a form for what was done; worked out as a rehearsal."""
    if not note.done or question.intent not in note.intents:
        return None
    would = action.rehearsing().reply_to(session, question)
    form, before = would.slots.get("form"), question.slots.get("form")
    if not isinstance(form, Mapping) or form.get("kind") not in REGISTERING or form.get("asking") == OFFER:
        return None
    same = ("kind", "business")
    goes_on = isinstance(before, Mapping) and all(before.get(name) == form.get(name) for name in same)
    return None if goes_on else would


def _asked_first(
    action: BusinessAction, question: Question, note: Note, words: NoteWords, would: Reply
) -> Reply:  # fmt: skip
    say, raw = action.services.phrases.say, action.services.phrases.raw
    message = {"intent": question.intent, "text": question.text, "entities": list(question.entities)}
    again = f".{{0,8}}(?:{raw('handback.yes_words')}).{{0,8}}"
    form: dict[str, Any] = {
        "kind": KIND, "action": action.name(), "message": message, "quiet": True, "free": False,
        # Who says the same again means it; a question about it stays one.
        "intents": [question.intent], "asks": raw("form.question_words"), "entities": [], "drop": "",
        "words": [], "pattern": f"(?:{raw('form.yes_words')})|(?:{raw('handback.no_words')})|{again}",
    }  # fmt: skip
    paused = {name: would.slots[name] for name in ("paused",) if name in would.slots}
    buttons = [(say("handback.again.yes"), "/affirm"), (say("handback.again.no"), "/deny")]
    return Reply(
        "utter_chitchat", {"text": say("handback.again.ask")}, buttons,
        slots={**paused, "form": form, "asked": action.name()}, lead=words.line(), told=note.key,
    )  # fmt: skip


# -- reading


def _instant(raw: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(raw))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_clean, raw))) if isinstance(raw, list | tuple) else ()


def _clean(raw: object) -> str:
    """Return what was typed; a mere sign (。 or -) says nothing."""
    return raw.strip() if isinstance(raw, str) and any(map(str.isalnum, raw)) else ""
