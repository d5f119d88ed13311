"""After a person gave the conversation back: who asks when the promised call comes wants no further person.

何时回电 sounds like the wish for one; while a hand-back note travels with the messages (metadata `handed_back`), it
becomes the question for progress, which the actions answer from the note.
"""

import re
from typing import Any, Dict, Optional, Text

from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY

from bot import forms

NOTE = "handed_back"
PERSON, PROGRESS = "request_human", "query_work_order"
_ASKS_WHEN = re.compile(
    "什么时候|啥时候|么时候|么会|几时|几点|多久|好久|哪天|何时|(?:怎么|咋|为什么|为啥)[^，。]{0,3}(?:没|冇|不)"
    "|(?:没|冇)(?:人|得人|有人)|还(?:没|冇)|[没呢吗么?？]$"
)
_CALL = re.compile("打(?:给|电话|过来|个)|来(?:个)?电话|回(?:我)?(?:个)?(?:电|话|复|访)|答复|联系")
Parsed = Dict[Text, Any]


def asked_after(parsed: Parsed, metadata: Optional[Dict[Text, Any]]) -> Parsed:
    """Return what was understood, as a question for progress if it only asks for the promised call."""
    text = str(parsed.get("text") or "").strip()
    taken = str(parsed[INTENT].get(INTENT_NAME_KEY)) == PERSON and isinstance((metadata or {}).get(NOTE), dict)
    if not taken or forms.names_person(text) or not (_CALL.search(text) and _ASKS_WHEN.search(text)):
        return parsed
    return {**parsed, INTENT: {**parsed[INTENT], INTENT_NAME_KEY: PROGRESS}}
