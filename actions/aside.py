"""A form of the business table that another question interrupts: it is laid aside, and offered again afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actions.form_claims import KIND
from actions.question import Question
from actions.reply import Reply
from actions.services import Services


def laid_aside(question: Question) -> dict[str, Any]:
    """Return the slots that lay aside the form that is open now; none if there is none of the business table."""
    before = question.slots.get("form")
    return {"paused": before} if isinstance(before, Mapping) and before.get("kind") == KIND else {}


def is_pressing(question: Question) -> bool:
    """Tell whether a form is open that asks again as soon as this message is answered (bot/forms.py)."""
    form = question.slots.get("form")
    return isinstance(form, Mapping) and not form.get("quiet")


def offered_again(services: Services, question: Question, reply: Reply) -> Reply:
    """Return the reply with a button, in front of the others, that takes up the form that was laid aside."""
    paused = question.slots.get("paused")
    if not isinstance(paused, Mapping) or paused.get("business") not in services.businesses:
        return reply
    title = services.businesses.get(str(paused["business"])).title
    payload = "/inform" + json.dumps({"resume": str(paused["id"])}, ensure_ascii=False)
    return replace(reply, buttons=[(services.phrases.say("form.resume", title=title), payload), *reply.buttons])
