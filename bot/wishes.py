"""Two wishes in one message: the dialogue gets them one after the other, as if they had come in two messages.

The model reads `a+b`; rules and stories know `a` and `b` alone. If the answer to the first is a question (which of your
accounts?), the second waits in a slot until that is answered; any other message makes it forgotten.
"""

import copy
import re
from typing import Any, Dict, List, Optional, Text, Tuple

from rasa.core.channels.channel import UserMessage
from rasa.shared.core.events import SlotSet
from rasa.shared.nlu.constants import INTENT, INTENT_NAME_KEY

from bot.components.machines import DOUBLE

SLOT = "second_wish"
ANSWER = "inform"
LAST = "request_human"
# 又买了辆电车，再帮我装个桩: what is said on the way to a wish is no wish of its own.
ASIDE = frozenset(
    {"out_of_scope", "chitchat", "ask_capabilities", "bot_challenge", "nlu_fallback", "inform", "repeat", "greet"}
)
# 安排专人洽谈 is no wish to be put through.
_ASKS_FOR_PERSON = re.compile("人工|转接|转人|转给|客服|真人|坐席|座席|接线|活人|大活|[找接来换]个?人")
# Who complains praises nobody in the same breath: the gate took the politeness for it.
LOUDER = {"praise": "complain", "thank": "complain"}
Parsed = Dict[Text, Any]


def meant(parsed: Parsed) -> Parsed:
    """Return what was understood without what is said only on the way to a wish (您好，我们厂要…)."""
    names = str((parsed.get(INTENT) or {}).get(INTENT_NAME_KEY) or "").split(DOUBLE)
    asides = ASIDE if _ASKS_FOR_PERSON.search(str(parsed.get("text") or "")) else ASIDE | {LAST}
    left = [name for name in names if name not in asides and LOUDER.get(name) not in names] or names[:1]
    return parsed if left == names else _named(parsed, DOUBLE.join(left))


def split(parsed: Parsed) -> List[Parsed]:
    """Return what was understood once for each wish, entities and text alike; the wish for a person comes last."""
    parsed = meant(parsed)
    names = str((parsed.get(INTENT) or {}).get(INTENT_NAME_KEY) or "").split(DOUBLE)
    # A person takes the conversation over: what can be answered before is answered before.
    names.sort(key=lambda name: name == LAST)
    return [parsed] if len(names) == 1 else [_named(copy.deepcopy(parsed), name) for name in names]


def _named(parsed: Parsed, name: Text) -> Parsed:
    return {**parsed, INTENT: {**parsed[INTENT], INTENT_NAME_KEY: name}}


def is_question(messages: List[Dict[Text, Any]]) -> bool:
    """Return whether a turn ended in a choice that the customer has to make (which account? which order?)."""
    last = messages[-1] if messages else {}
    choices = [button for button in last.get("buttons") or [] if "{" in str(button.get("payload", ""))]
    return len(choices) > 1 and str(last.get("text") or "").rstrip().endswith(("？", "?"))


def waiting(tracker: Any) -> Optional[Parsed]:
    """Return the wish that waits for the answer to a question."""
    return tracker.get_slot(SLOT) if tracker is not None else None


def parted(
    messages: List[Dict[Text, Any]], opened: Optional[Dict[Text, Any]]
) -> Tuple[List[Dict[Text, Any]], List[Dict[Text, Any]]]:
    """Return what an answer says at once, and what comes behind the second answer, where its question is read.

    `opened`: the form that the answer has opened, if any. A form's question is all that was said; an offer, which need
    not be taken up, stands under an answer, from its first buttons on.
    """
    if opened is None:
        return messages, []
    if not opened.get("quiet"):
        return [], messages
    at = next((place for place, one in enumerate(messages) if _buttons(one)), len(messages))
    return (messages[:at], messages[at:]) if at else (messages, [])


def _buttons(message: Dict[Text, Any]) -> Any:
    return message.get("buttons") or (message.get("custom") or {}).get("buttons")


async def keep(agent: Any, sender: Text, wish: Optional[Parsed]) -> None:
    """Let a wish wait, or forget the one that waits."""
    async with agent.lock_store.lock(sender):
        tracker = await agent.tracker_store.retrieve(sender)
        if tracker is not None:
            tracker.update(SlotSet(SLOT, wish), agent.domain)
            await agent.tracker_store.save(tracker)


def told(message: UserMessage, wish: Parsed) -> UserMessage:
    """Return the message again with one wish as what was understood."""
    return UserMessage(
        wish["text"],
        message.output_channel,
        message.sender_id,
        parse_data=wish,
        input_channel=message.input_channel,
        metadata=message.metadata,
    )
