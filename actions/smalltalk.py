"""Saying the last answer again."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher


class ActionRepeat(Action):
    """Repeats what was said in answer to the message before this one."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_repeat"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Say it again, or admit that there is nothing to repeat."""
        for event in last_answers(tracker.events):
            data = event.get("data") or {}
            if data.get("custom"):
                dispatcher.utter_message(json_message=data["custom"])
            else:
                dispatcher.utter_message(text=event["text"], buttons=data.get("buttons") or [])
        if not dispatcher.messages:
            dispatcher.utter_message(response="utter_nothing_to_repeat")
        return []


def last_answers(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the bot's messages between the customer's last message but one and the last one, in order."""
    answers: list[dict[str, Any]] = []
    passed_question = False
    for event in reversed(events):
        if event["event"] == "user":
            if passed_question:
                break
            passed_question = True
        elif event["event"] == "bot" and passed_question:
            answers.append(event)
    return answers[::-1]
