"""Service fitted to the segment over HTTP: what the customer meets and never hears, and what the desk does for him."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import IDENTITY_KEY, Customer, customer_token
from fitting_kit import LABELS, publish
from service_fit_kit import NUMBERS, fitted_office, token
from sqlalchemy.orm import Session
from supervision_kit import Office

from api.dispatch import dispatch_once
from core.binding import Binding
from core.conversation import Conversation
from core.handoff.tables import Handoff
from core.identity import read_identity
from core.segment.tables import SEGMENTS
from tests.dialects import NewUrl


@pytest.fixture
async def desk(urls: tuple[str, str], new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Office]:
    """A desk with a customer of each segment in the published run."""
    async with fitted_office(urls, new_url, tmp_path, fee_year=5230.4, on_time_rate=1.0) as one:
        yield one


async def opened(desk: Office, segment: str | None) -> tuple[Customer, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token(desk, segment)}"} if segment else {}
    answer = await desk.bridge.http.post("/v1/sessions", json={"channel": "web"}, headers=headers)
    body: dict[str, Any] = answer.json()
    return Customer(desk.bridge.http, body["conversation_id"], body["token"]), body


# -- what the customer meets


async def test_only_special_service_begins_in_large_type(desk: Office) -> None:
    large = {key: (await opened(desk, key))[1]["large_type"] for key in (*SEGMENTS, None)}
    assert [key for key, value in large.items() if value] == ["special_service"]


async def test_the_dialogue_hears_of_style_and_offers_and_never_of_the_segment(desk: Office) -> None:
    styles = {}
    for segment in SEGMENTS:
        customer, _ = await opened(desk, segment)
        await customer.say("你好")
        asked = desk.bridge.rasa.asked[-1]
        given = asked["metadata"]["identity"]
        found = read_identity(IDENTITY_KEY, given, now=desk.clock(), sender=asked["sender"])
        styles[segment] = (found.style, found.first[:1])
        assert not [label for label in LABELS if label in repr(found) + json.dumps(asked["metadata"])]
    assert styles == {
        "special_service": ("plain", ("person",)), "high_risk": ("", ("balance",)),
        "high_value": ("business", ("bill",)),
        "growth": ("", ("charging_pile",)), "basic": ("", ()),
    }  # fmt: skip


async def test_no_customer_is_ever_told_his_segment(desk: Office) -> None:
    heard = [(await desk.bridge.http.get("/widget/v1.js")).text]
    names = [label for label in LABELS if label not in ("segment", "portrait")]
    assert not [name for name in names if name in heard[0]]
    for segment in SEGMENTS:
        customer, session = await opened(desk, segment)
        said = [await customer.say(text) for text in ("你好", "我是什么客户", "转人工")]
        queue = (await desk.bridge.http.get("/v1/queue", headers=customer.headers)).text
        told = json.dumps([session, said, await customer.history()], ensure_ascii=False) + queue
        assert not [label for label in LABELS if label in told]


async def test_the_words_of_a_danger_and_the_way_to_a_person_are_the_same_for_all(desk: Office) -> None:
    for text in ("家里电线冒火花着火了", "转人工"):
        told = set()
        for segment in (*SEGMENTS, None):
            customer, _ = await opened(desk, segment)
            answer = await customer.say(text)
            texts = [(one["type"], one["text"]) for one in answer["messages"] if one["type"] in ("safety", "card")]
            told.add((answer["mode"], json.dumps(texts, ensure_ascii=False)))
        assert len(told) == 1


# -- the queue


async def test_the_loop_lifts_whom_the_segment_lifts_and_nobody_lower(desk: Office) -> None:
    cases = {}
    for segment in SEGMENTS:
        _, cases[segment] = await desk.case(token=token(desk, segment))
    await dispatch_once(desk.bridge.parts)
    with desk.bridge.parts.bridge.reading() as session:
        found = {key: session.get_one(Handoff, case) for key, case in cases.items()}
        flags = {key: row.summary["flags"] for key, row in found.items()}
        priorities = {key: row.priority for key, row in found.items()}
    assert flags == {
        "special_service": ["special_service"], "high_risk": [], "high_value": ["high_value"], "growth": [],
        "basic": [],
    }  # fmt: skip
    assert priorities["special_service"] < priorities["high_value"] < priorities["basic"] == priorities["high_risk"]


async def test_the_line_goes_on_although_nobody_can_tell_the_segment(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await desk.seat()
    _, case = await desk.case(token=token(desk, "special_service"))

    def broken(*_: object) -> None:
        raise KeyError("no such segment")

    monkeypatch.setattr("api.dispatch.fitted", broken)
    await dispatch_once(desk.bridge.parts)
    with desk.bridge.parts.bridge.reading() as session:
        row = session.get_one(Handoff, case)
    assert (row.summary["flags"], row.offered_to) == ([], agent.id)


async def test_a_segment_that_only_a_newer_version_knows_leaves_nobody_without_an_answer(desk: Office) -> None:
    desk.write(lambda session: publish(session, {NUMBERS["basic"]: "platinum"}, now=desk.clock() + timedelta(hours=1)))
    customer, session = await opened(desk, "basic")
    answer = await customer.say("你好")
    asked = desk.bridge.rasa.asked[-1]
    found = read_identity(IDENTITY_KEY, asked["metadata"]["identity"], now=desk.clock(), sender=asked["sender"])
    assert answer["messages"]
    assert (session["large_type"], found.style, found.first) == (False, "", ())


# -- the card


async def test_the_card_shows_segment_figures_and_what_they_mean_for_the_talk(desk: Office) -> None:
    agent = await desk.seat()
    customer, case = await desk.case(token=token(desk, "high_value"))
    desk.claim(case, agent)
    card = await agent.get(f"/conversations/{customer.conversation_id}/customer")
    portrait = card["portrait"]
    assert (portrait["segment"], portrait["thin"]) == ("高价值稳定客户", None)
    assert [(one["name"], one["text"]) for one in portrait["figures"]] == [
        ("年电费", "5,230元"),
        ("按时缴费率", "100%"),
    ]
    assert len(portrait["talk"]) == 1
    assert card["manager"]["agent"] is None
    assert card["manager"]["due"]


async def test_of_whom_nobody_knows_there_is_no_portrait(desk: Office) -> None:
    agent = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    card = await agent.get(f"/conversations/{customer.conversation_id}/customer")
    assert (card["portrait"], card["manager"]) == (None, None)


async def test_somebody_new_is_said_to_be_new(desk: Office) -> None:
    agent = await desk.seat()
    customer, case = await desk.case(token=customer_token(customer_no="C0000099", accounts=(), now=desk.clock()))
    desk.claim(case, agent)
    portrait = (await agent.get(f"/conversations/{customer.conversation_id}/customer"))["portrait"]
    assert "新客户" in portrait["thin"]
    assert portrait["served_as"] == "基础需求客户"


@pytest.mark.parametrize("known", [True, False], ids=["by number", "by what was bound"])
async def test_the_figures_of_an_earlier_holder_are_not_shown_of_whoever_took_the_account_over(
    desk: Office, known: bool
) -> None:
    account, now = "4200000000077", desk.clock()
    number = {"C0000077": "basic"}
    desk.write(lambda session: publish(session, number, now=now, accounts={"C0000077": account}, kwh_year=4321.0))
    agent = await desk.seat()
    if known:
        customer, case = await desk.case(token=customer_token(customer_no="C0000078", accounts=(account,), now=now))
    else:
        customer, case = await desk.case()
        desk.write(lambda session: bound(session, customer, account, "C0000078", now))
    desk.claim(case, agent)
    portrait = (await agent.get(f"/conversations/{customer.conversation_id}/customer"))["portrait"]
    assert (portrait["figures"], portrait["served_as"]) == ([], "基础需求客户")
    assert "新客户" in portrait["thin"]


def bound(session: Session, customer: Customer, account: str, owner_no: str, now: datetime) -> None:
    """Let somebody unknown have proved an account in his conversation."""
    conversation = session.get_one(Conversation, customer.conversation_id)
    conversation.accounts, conversation.assurance = [account], 1
    session.add(
        Binding(
            conversation_id=conversation.id, channel="web", account_no=account, owner_no=owner_no, since=now,
            customer_no=None, channel_user=None, ended_at=None,
        )
    )  # fmt: skip
