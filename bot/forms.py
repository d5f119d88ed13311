"""A form in progress: which messages answer it, and that it asks again after another question was answered.

The slot `form`, which the actions keep, says what its present question takes: `intents` that mean the form itself,
`entities` and `words` that answer it, a `pattern` for the whole text, whether it takes `free` text, and whether it is
`quiet`: not put again. A message that answers becomes an `inform`; any other is answered by its own action, and then the
form asks again.
"""

import copy
import re
from typing import Any, Dict, Optional, Text

from rasa.core.channels.channel import UserMessage
from rasa.shared.nlu.constants import ENTITIES, ENTITY_ATTRIBUTE_TYPE, INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY

SLOT = "form"
ANSWER = "inform"
AGAIN = f"/{ANSWER}"
# These mean the same whatever is being asked.
ALWAYS = frozenset({"report_danger", "request_human", "cancel", "repeat", "affirm", "deny", ANSWER})
ANSWERING = frozenset({ANSWER, "affirm", "deny", "repeat"})
# What free text is often taken for: a name or a description is no question of its own.
VAGUE = frozenset({"nlu_fallback", "out_of_scope", "chitchat", "greet", "thank", "praise", "suggest", "goodbye"})
SHORT = 24  # characters: a longer message with an address in it may well be about something else
SURE = 0.6
Parsed = Dict[Text, Any]


def state(tracker: Any) -> Optional[Parsed]:
    """Return the form in progress."""
    found = tracker.get_slot(SLOT) if tracker is not None else None
    return found if isinstance(found, dict) else None


def claimed(parsed: Parsed, form: Optional[Parsed]) -> Parsed:
    """Return what was understood, as an `inform` if the message answers the open form."""
    if form is None or not _answers(parsed, form):
        return parsed
    answer = copy.deepcopy(parsed)
    answer[INTENT][INTENT_NAME_KEY] = ANSWER
    return answer


def _answers(parsed: Parsed, form: Parsed) -> bool:
    text = str(parsed.get("text") or "").strip()
    intent = parsed[INTENT]
    name, sure = str(intent.get(INTENT_NAME_KEY)), float(intent.get(PREDICTED_CONFIDENCE_KEY) or 0.0)
    if form.get("pattern") and re.fullmatch(form["pattern"], text):
        return name != "report_danger"
    if name in ALWAYS:
        return False
    if name in form.get("intents", ()):
        return True
    if any(re.search(word, text) for word in form.get("words", ())) and len(text) <= SHORT:
        return True
    found = {entity.get(ENTITY_ATTRIBUTE_TYPE) for entity in parsed.get(ENTITIES, ())}
    if found & set(form.get("entities", ())) and (len(text) <= SHORT or name in VAGUE or sure < SURE):
        return True
    return bool(form.get("free")) and (name in VAGUE or sure < SURE)


def asks_again(said: Text, before: Optional[Parsed], after: Optional[Parsed], more: bool) -> bool:
    """Tell whether the form's question has to be put again: another one (`said`, or one `more` wish) was answered."""
    if after is None or after.get("quiet"):
        return False
    return more or (before == after and said not in ANSWERING)


def again(message: UserMessage) -> UserMessage:
    """Return the message that makes the form ask again."""
    return UserMessage(
        AGAIN, message.output_channel, message.sender_id, input_channel=message.input_channel, metadata=message.metadata
    )
