"""A button with which a person can be had, and that says why one is wanted."""

from __future__ import annotations

import json

from actions.question import Question
from actions.services import Services

_PREFIX = "person_"
Button = tuple[str, str]


def button(services: Services, reason: str) -> Button:
    """Return the button (title, payload) for a person, for one of the reasons of `core.handoff.tables`."""
    return title(services), "/inform" + json.dumps({"choice": _PREFIX + reason})


def plain_button(services: Services) -> Button:
    """Return the button of somebody who just asks for a person."""
    return title(services), "/request_human"


def title(services: Services) -> str:
    """Return what is on it."""
    return services.phrases.say("form.person")


def reason_of(question: Question) -> str | None:
    """Return why a person is wanted if such a button was pressed."""
    chosen = next((one for one in question.values("choice") if one.startswith(_PREFIX)), None)
    return chosen.removeprefix(_PREFIX) if chosen and question.text.startswith("/") else None
