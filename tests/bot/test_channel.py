"""What a turn tells the bridge besides its messages: what was understood, the open form, and whether it failed."""

import asyncio
import json
import types

import pytest
from rasa.shared.core.events import BotUttered, SlotSet, UserUttered

from bot import channel, forms

FORM = {
    "kind": "business", "business": "complaint", "title": "投诉", "shown": {"情况": "等了一天"}, "missing": ["地点"],
    "asking": "address", "values": {"detail": "等了一天"},
}  # fmt: skip
READ = {"business": "complaint", "title": "投诉", "values": {"情况": "等了一天"}, "missing": ["地点"]}


class Tracker:
    def __init__(self, events=(), form=None):
        self.events, self.form = list(events), form
        self.latest_message = types.SimpleNamespace(intent={"name": "inform", "confidence": 1.0})

    def get_slot(self, name):
        return self.form if name == "form" else None


class Agent:
    """Answers every payload with one text and ends in the tracker that it is given."""

    def __init__(self, tracker):
        self.tracker, self.tracker_store = tracker, self
        self.lock_store = types.SimpleNamespace(lock=lambda _sender: _Open())

    def is_ready(self):
        return True

    async def retrieve(self, _sender):
        return self.tracker

    async def handle(self, message):
        await message.output_channel.send_text_message(message.sender_id, "说完了")


class _Open:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None


def turned(tracker, text='/inform{"start": "complaint"}'):
    agent = Agent(tracker)
    answer = asyncio.run(channel._turn(agent, agent.handle, "c1.1", text, {}, False))
    return read(answer)


def read(answer):
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (None, None),
        (FORM, READ),
        ({**FORM, "shown": None, "missing": None}, {**READ, "values": {}, "missing": []}),
        ({"kind": "binding", "asking": "code"}, None),
        ({"kind": "handback", "message": {}}, None),
    ],
)
def test_open_form_is_shown_with_its_title_answers_and_gaps(form, shown):
    assert forms.shown(form) == shown


def test_pressed_form_of_an_agent_is_answered_and_told_with_what_it_asks():
    """While a person has the conversation the bridge sends such a press alone, in a dialogue that may be new."""
    answer = turned(Tracker(form=FORM))
    assert [one["text"] for one in answer["messages"]] == ["说完了"]
    assert answer["understood"] == {"intent": "inform", "confidence": 1.0, "form": READ}


def test_press_into_a_dialogue_that_has_no_memory_yet_is_answered_too():
    assert turned(None)["understood"] is None
    assert turned(None)["messages"][0]["text"] == "说完了"


@pytest.mark.parametrize(
    ("events", "failed"),
    [
        ([UserUttered("嘟"), SlotSet("failures", 1), BotUttered("没听明白")], True),
        ([UserUttered("嘟"), SlotSet("failures", 2), UserUttered("电费"), BotUttered("39元")], False),
        ([UserUttered("漏保"), SlotSet("failures", None), BotUttered("……")], False),
        ([UserUttered("😡"), SlotSet("failures", 0), BotUttered("没听明白")], False),
        ([], False),
    ],
)
def test_turn_has_failed_if_its_own_answer_was_that_it_was_not_understood(events, failed):
    assert channel._failed(Tracker(events)) is failed
