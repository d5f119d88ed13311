"""One recommendation beside an answer: the answer stays as it was, the yuan are the engine's, kept once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import recommendation_kit as kit
from actions_desk import KEY, NOW, Desk
from rasa_sdk.executor import CollectingDispatcher
from recommendation_kit import MONTHS, Talk, first_offer, opened, rows
from sqlalchemy import select

from actions import recommendation
from core.identity import Identity, issue_identity
from core.recommend.tables import Recommendation

home, talk, nobody_held_out, nothing_remembered = kit.home, kit.talk, kit.nobody_held_out, kit.nothing_remembered


def test_after_a_bill_one_thing_is_recommended_with_the_engines_yuan(talk: Talk, writing: Desk) -> None:
    offer = first_offer(writing, talk.account)
    assert offer is not None
    said = talk.ask()
    assert said.response == "utter_bill_month"
    assert said.reply.beside is not None
    text = said.reply.beside["text"]
    assert f"{offer.yuan}元" in text
    assert "2025年11月至2026年10月" in text  # from which months
    assert [one["title"] for one in said.reply.beside["buttons"]] == ["怎么办理", "这次不用", "以后别再推荐"]
    (row,) = rows(writing)
    assert (row.kind, row.yuan, row.state, row.account_no) == (offer.kind, offer.yuan, "shown", talk.account)
    owner = writing.one(
        "select customer_no from customers c join accounts a on a.customer_id = c.id where account_no = ?", talk.account
    )
    assert row.customer_no == owner
    assert row.basis == dict(offer.basis)


def test_the_answer_is_the_same_and_comes_first(talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with_one = talk.ask()
    monkeypatch.setattr(recommendation, "choose", lambda *_, **__: None)
    without = Talk(writing, talk.account, "c2").ask()
    assert with_one.reply.beside is not None
    assert without.reply.beside is None
    for part in ("response", "values", "buttons", "cards", "lead", "handoff"):
        assert getattr(with_one.reply, part) == getattr(without.reply, part)
    dispatcher = CollectingDispatcher()
    with_one.reply.utter(dispatcher)
    kinds = [(one.get("custom") or {}).get("type") or one.get("response") for one in dispatcher.messages]
    assert kinds == ["utter_bill_month", "bill_card", "recommendation", "grant"]


def test_once_a_month_wherever_it_is_asked(talk: Talk, writing: Desk) -> None:
    assert talk.ask().reply.beside is not None
    assert talk.ask().reply.beside is None
    for number, channel in enumerate(("web", "wechat", "app")):
        opened(writing, f"other{number}")
        other = Talk(writing, talk.account, f"other{number}", channel, now=NOW + timedelta(days=2))
        assert other.ask().reply.beside is None
    opened(writing, "later")
    assert Talk(writing, talk.account, "later", now=NOW + MONTHS).ask().reply.beside is not None
    assert len(rows(writing)) == 2


def test_a_turn_that_is_run_again_says_the_same_and_is_kept_once(talk: Talk, writing: Desk) -> None:
    before, slots = talk.now, dict(talk.slots)
    first = talk.ask()
    with writing.services.bridge.transaction() as session:
        session.delete(session.scalars(select(Recommendation)).one())  # the crash came before the commit
    talk.now, talk.slots = before, slots
    again = talk.ask()
    assert again.reply.beside == first.reply.beside
    assert len(rows(writing)) == 1


def test_who_is_held_out_hears_nothing_and_it_is_written_down(
    talk: Talk, writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendation, "held_out", lambda *_: True)
    said = talk.ask()
    assert said.reply.beside is None
    assert said.slots.get("form") is None
    (row,) = rows(writing)
    assert (row.state, row.yuan) == ("held_out", first_offer(writing, talk.account).yuan)  # type: ignore[union-attr]
    assert talk.ask().reply.beside is None
    assert len(rows(writing)) == 1  # nor is it written down twice


def test_it_runs_beside_the_event_loop_as_every_answer(talk: Talk) -> None:
    tracker = talk.desk.tracker(
        "action_query_bill", (talk.account,), "电费多少", identity=issue_identity(
            KEY, Identity("c1", None, (talk.account,), 1, "web"), now=NOW
        ),
    )  # fmt: skip
    dispatcher = CollectingDispatcher()
    run: Callable[..., Any] = talk.desk.action("action_query_bill").run
    asyncio.run(run(dispatcher, tracker, {}))
    assert [(one.get("custom") or {}).get("type") for one in dispatcher.messages][-2:] == ["recommendation", "grant"]
