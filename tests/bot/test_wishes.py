"""What the channel makes of a message with two wishes; how customers meet it is in tests/e2e/test_two_wishes.py."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot import channel, wishes


def parsed(intent: str) -> dict[str, Any]:
    return {
        "text": "转人工，查账单，开票",
        "intent": {"name": intent, "confidence": 0.8},
        "entities": [{"entity": "period"}],
    }


def names(intent: str) -> list[str]:
    return [each["intent"]["name"] for each in wishes.split(parsed(intent))]


@pytest.mark.parametrize(
    ("intent", "parts"),
    [
        ("query_bill", ["query_bill"]),
        ("query_bill+request_invoice", ["query_bill", "request_invoice"]),
        ("request_human+query_bill", ["query_bill", "request_human"]),
        ("nlu_fallback", ["nlu_fallback"]),
        ("out_of_scope+ask_charging_pile", ["ask_charging_pile"]),
        ("praise+complain", ["complain"]),
        ("greet+apply_capacity", ["apply_capacity"]),
        ("thank+query_bill", ["thank", "query_bill"]),
    ],
)
def test_each_wish_is_told_alone_and_a_person_last(intent: str, parts: list[str]) -> None:
    assert names(intent) == parts


def test_somebody_who_is_to_come_and_talk_is_no_wish_to_be_put_through() -> None:
    said = {**parsed("ask_integrated_energy+request_human"), "text": "拟建储能，请安排专人洽谈"}
    assert [each["intent"]["name"] for each in wishes.split(said)] == ["ask_integrated_energy"]


def test_parts_share_nothing_that_one_could_change_for_the_other() -> None:
    first, second = wishes.split(parsed("query_bill+request_invoice"))
    first["entities"].clear()
    assert second["entities"] == [{"entity": "period"}]


ANSWER, CARD = {"text": "10月电费80.86元。"}, {"custom": {"type": "bill_card", "buttons": []}}
OFFER = {"custom": {"type": "recommendation", "buttons": [{"title": "怎么办理"}]}}
GRANT = {"custom": {"type": "grant", "token": "x"}}
CHOICE = {"text": "要申请赔偿吗？", "buttons": [{"title": "申请"}]}


@pytest.mark.parametrize(
    ("said", "opened", "first", "behind"),
    [
        ([ANSWER, CARD], None, [ANSWER, CARD], []),
        ([ANSWER, CHOICE], {"action": "form"}, [], [ANSWER, CHOICE]),
        ([ANSWER, CARD, OFFER, GRANT], {"quiet": True}, [ANSWER, CARD], [OFFER, GRANT]),
        ([CHOICE], {"quiet": True}, [CHOICE], []),
        ([ANSWER], {"quiet": True}, [ANSWER], []),
    ],
)
def test_only_a_question_or_an_offer_waits_behind_the_second_answer(
    said: list[Any], opened: dict[str, Any] | None, first: list[Any], behind: list[Any]
) -> None:
    assert wishes.parted(said, opened) == (first, behind)


class SilentAgent:
    """Reads every message as two wishes."""

    def __init__(self) -> None:
        self.processor = self.tracker_store = self

    def is_ready(self) -> bool:
        return True

    async def retrieve(self, sender: str) -> None:
        return None

    async def parse_message(self, message: Any) -> dict[str, Any]:
        return parsed("query_bill+request_invoice")


async def _handled(_: Any) -> None:
    return None


@pytest.mark.parametrize("typed", [True, False])
def test_what_was_understood_has_one_form(typed: bool) -> None:
    message = wishes.UserMessage("查账单，开票", channel.TurnOutput(), "someone")
    understood = asyncio.run(channel._say(SilentAgent(), _handled, message, typed, None))
    assert understood == ({"intent": "query_bill+request_invoice", "confidence": 0.8} if typed else None)
