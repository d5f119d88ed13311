"""What an action answers, before it is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rasa_sdk.executor import CollectingDispatcher

# Tells the bridge that the answer to this message will be acted upon: it has to get through, whatever dies meanwhile.
CONFIRMING = {"type": "confirming"}
# The key under which the memory of the dialogue keeps that a lead told of a hand-back.
MARK = "handed_back"


@dataclass(frozen=True)
class Reply:
    """An answer: a response of the domain with its values, buttons (title, payload), cards, and what to remember.

    `lead` is a message of its own before it; with an empty `response` it is all that is said.
    """

    response: str
    values: Mapping[str, str] = field(default_factory=dict)
    buttons: Sequence[tuple[str, str]] = ()
    cards: Sequence[dict[str, Any]] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    commands: Sequence[dict[str, Any]] = ()  # for the bridge, never shown: {"type": "grant", …}
    handoff: str | None = None  # why a person should take over after this answer
    lead: str = ""
    told: str = ""  # the hand-back that the lead tells of
    beside: Mapping[str, Any] | None = None  # a message of its own after all the rest, with buttons of its own

    def utter(self, dispatcher: CollectingDispatcher) -> None:
        """Say it; the buttons stand below the last part, where the customer's eye is then."""
        buttons = [{"title": title, "payload": payload} for title, payload in self.buttons]
        if self.lead:
            last = not self.response and not self.cards
            dispatcher.utter_message(text=self.lead, buttons=buttons if last else [], **{MARK: self.told})
        if self.response:
            dispatcher.utter_message(response=self.response, buttons=[] if self.cards else buttons, **self.values)
        for card in self.cards:
            last = card is self.cards[-1]
            dispatcher.utter_message(json_message={**card, "buttons": buttons if last else []})
        if self.beside is not None:
            dispatcher.utter_message(json_message=dict(self.beside))
        for command in self.commands:
            dispatcher.utter_message(json_message=dict(command))
        if self.handoff:
            dispatcher.utter_message(json_message={"type": "handoff", "reason": self.handoff})


def card(kind: str, text: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card of type `kind`; `text` says the same in plain words."""
    return {"type": kind, "text": text, "card": dict(data)}
