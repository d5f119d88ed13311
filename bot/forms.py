"""A form in progress: which messages answer it, and that it asks again after another question was answered.

The slot `form`, which the actions keep, says what its present question takes: `intents` that mean the form itself,
`entities` and `words` that answer it, a `pattern` for the whole text, whether it takes `free` text (`prose`: questions
too) or what is but `doubtful` as anything else, what (`asks`) is a question although the intent is the form's own, what
gives it up (`drop`), and whether it is `quiet`: not put again. A message that answers becomes an `inform`; any other is
answered by its own action, and then the form asks again. For people it says its `title`, what is filled in (`shown`, by
label) and the labels of what is `missing`.
"""

import copy
import re
from typing import Any, Dict, Optional, Text

from rasa.core.channels.channel import UserMessage
from rasa.shared.nlu.constants import ENTITIES, ENTITY_ATTRIBUTE_TYPE, INTENT, INTENT_NAME_KEY, PREDICTED_CONFIDENCE_KEY

SLOT = "form"
ANSWER = "inform"
AGAIN, YES = f"/{ANSWER}", "/affirm"
SUBMITTED = "submitted"
# These mean the same whatever is being asked.
ALWAYS = frozenset({"report_danger", "request_human", "cancel", "repeat", "affirm", "deny", ANSWER})
ANSWERING = frozenset({ANSWER, "affirm", "deny", "repeat"})
# What free text is often taken for: a name or a description is no question of its own.
VAGUE = frozenset({"nlu_fallback", "out_of_scope"})
SHORT = 24  # characters: a longer message with an address in it may well be about something else
MOSTLY = 0.5  # of a message: where an entity takes up less, the rest is what the message is about
SURE = 0.6
DROP = "cancel"
_ASKING = re.compile(r"[?？]|[吗么哦]$|什么|怎么|咋|多少|几多|可有|(.)不\1")
_PERSON = re.compile("人工|转接|转人|转给|客服|真人|坐席|座席|接线|[找来换]个?(活|大活)?人|工作人员|专人|经理|值班")
Parsed = Dict[Text, Any]


def state(tracker: Any) -> Optional[Parsed]:
    """Return the form in progress."""
    found = tracker.get_slot(SLOT) if tracker is not None else None
    return found if isinstance(found, dict) else None


def shown(form: Optional[Parsed]) -> Optional[Parsed]:
    """Return the open form as the desk and the bridge's log show it; None if nothing is being filled in."""
    if form is None or not form.get("title"):
        return None
    return {
        "business": form.get("business"),
        "title": form["title"],
        "values": form.get("shown") or {},
        "missing": form.get("missing") or [],
    }


def claimed(parsed: Parsed, form: Optional[Parsed]) -> Parsed:
    """Return what was understood, as an `inform` if the message answers the open form."""
    if form is None or not (_drops(parsed, form) or _answers(parsed, form)):
        return parsed
    return _as(parsed, DROP if _drops(parsed, form) else ANSWER)


def _as(parsed: Parsed, intent: Text) -> Parsed:
    answer = copy.deepcopy(parsed)
    answer[INTENT] = {**parsed[INTENT], INTENT_NAME_KEY: intent}
    return answer


def _drops(parsed: Parsed, form: Parsed) -> bool:
    """Tell whether the message gives the form up in its own words (不投诉了, 来电了不用报了)."""
    return bool(form.get("drop")) and re.search(form["drop"], str(parsed.get("text") or "").strip()) is not None


def _answers(parsed: Parsed, form: Parsed) -> bool:
    text = str(parsed.get("text") or "").strip()
    intent = parsed[INTENT]
    name, sure = str(intent.get(INTENT_NAME_KEY)), float(intent.get(PREDICTED_CONFIDENCE_KEY) or 0.0)
    if form.get("pattern") and re.fullmatch(form["pattern"], text):
        return name != "report_danger"
    worded = len(text) <= SHORT and any(re.search(word, text) for word in form.get("words", ()))
    if name in ALWAYS and not _misread(name, text, worded):
        return False
    if name in form.get("intents", ()) and not worded and form.get("asks") and re.search(form["asks"], text):
        return False
    if name in form.get("intents", ()) or worded or _misread(name, text, worded):
        return True
    wanted = [one for one in parsed.get(ENTITIES, ()) if one.get(ENTITY_ATTRIBUTE_TYPE) in form.get("entities", ())]
    if wanted and (name in VAGUE or sure < SURE or _share(wanted, text) >= MOSTLY):
        return True
    if _ASKING.search(text) and not form.get("prose"):
        return False
    return (name in VAGUE or sure < SURE) and bool(form.get("doubtful") or form.get("free"))


def _misread(name: Text, text: Text, worded: bool) -> bool:
    """Tell whether an answer sounds like the wish for a person (八个人, 打电话就行) or to stop (不做了，租约到了)."""
    return (name == "request_human" and not names_person(text)) or (name == "cancel" and worded)


def names_person(text: Text) -> bool:
    """Tell whether a message has a word for the person who is wanted."""
    return _PERSON.search(text) is not None


def _share(entities: Any, text: Text) -> float:
    """Return how much of the text the longest of the entities takes up."""
    lengths = [int(one.get("end") or 0) - int(one.get("start") or 0) for one in entities]
    return max(lengths) / max(1, len(text))


def asks_again(said: Text, before: Optional[Parsed], after: Optional[Parsed], more: bool) -> bool:
    """Tell whether the form's question has to be put again: another one (`said`, or one `more` wish) was answered."""
    if after is None or after.get("quiet"):
        return False
    return more or (before == after and said not in ANSWERING)


def carried_out(tracker: Any, metadata: Any) -> bool:
    """Tell whether this very turn has filed a form before: it is run again, after a crash."""
    done = tracker.get_slot(SUBMITTED) if tracker is not None else None
    asked_at = (metadata or {}).get("asked_at")
    return bool(asked_at) and isinstance(done, dict) and done.get("asked_at") == asked_at


def confirmed(message: UserMessage) -> UserMessage:
    """Return the confirmation that finds what was filed."""
    return UserMessage(
        YES, message.output_channel, message.sender_id, input_channel=message.input_channel, metadata=message.metadata
    )


def again(message: UserMessage) -> UserMessage:
    """Return the message that makes the form ask again."""
    return UserMessage(
        AGAIN, message.output_channel, message.sender_id, input_channel=message.input_channel, metadata=message.metadata
    )
