"""Who asks for the promised call after a hand-back is not put through to another person."""

import pytest

from bot.handback import asked_after

NOTE = {"handed_back": {"done": [], "promised": []}}


def read_as(text, metadata=NOTE, intent="request_human"):
    return asked_after({"text": text, "intent": {"name": intent, "confidence": 0.5}}, metadata)["intent"]["name"]


@pytest.mark.parametrize(
    "text", ["你们什么时候给我回电话", "怎么还没人打给我", "几时联系我咧", "说好的回电呢", "都下午了还冇人答复我"]
)
def test_question_for_the_call_is_a_question_for_progress(text):
    assert read_as(text) == "query_work_order"


@pytest.mark.parametrize(
    "text", ["转人工", "什么时候能打通你们客服", "换个人给我打电话，什么时候打", "打电话给我", "找真人"]
)
def test_wish_for_a_person_stays_one(text):
    assert read_as(text) == "request_human"


@pytest.mark.parametrize("metadata", [None, {}, {"handed_back": None}])
def test_without_a_note_nothing_is_changed(metadata):
    assert read_as("你们什么时候给我回电话", metadata) == "request_human"


def test_other_intents_are_left_alone():
    assert read_as("什么时候给我回电话", intent="report_danger") == "report_danger"
