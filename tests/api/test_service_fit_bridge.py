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
from sqlalchemy import select
from sqlalchemy.orm import Session
from supervision_kit import Office, Seat, good, office, refused

from api.dispatch import dispatch_once
from core.account import Customer as Owner
from core.account import phone_context
from core.agent import Agent
from core.audit import AuditEntry
from core.binding import Binding
from core.conversation import Conversation
from core.db import Database
from core.handoff.tables import Handoff
from core.identity import read_identity
from core.migrations import upgrade
from core.recommend.tables import CallBack
from core.segment.tables import SEGMENTS
from tests.dialects import NewUrl

NUMBERS = {key: f"C00000{place}" for place, key in enumerate(SEGMENTS)}
PHONE = "13800006677"


@pytest.fixture
async def desk(urls: tuple[str, str], new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Office]:
    """A desk with a customer of each segment in the published run."""
    billing = new_url("sqlite", tmp_path)
    database = Database(billing)
    upgrade("billing", database)
    database.dispose()
    async with office(urls, billing_url=billing) as one:
        portraits = {number: key for key, number in NUMBERS.items()}
        one.write(lambda session: publish(session, portraits, now=one.clock(), fee_year=5230.4, on_time_rate=1.0))
        yield one


def token(desk: Office, segment: str) -> str:
    account = f"{4_200_000_000_001 + SEGMENTS.index(segment)}"
    return customer_token(customer_no=NUMBERS[segment], accounts=(account,), now=desk.clock())


async def opened(desk: Office, segment: str | None) -> tuple[Customer, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token(desk, segment)}"} if segment else {}
    answer = await desk.bridge.http.post("/v1/sessions", json={"channel": "web"}, headers=headers)
    body: dict[str, Any] = answer.json()
    return Customer(desk.bridge.http, body["conversation_id"], body["token"]), body


async def ended(desk: Office, agent: Seat, segment: str = "special_service") -> tuple[Customer, CallBack]:
    customer, case = await desk.closed(agent, token=token(desk, segment))
    with desk.bridge.parts.bridge.reading() as session:
        return customer, session.scalars(select(CallBack).where(CallBack.handoff_id == case)).one()


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


# -- managers


async def test_supervisors_name_a_manager_and_it_is_written_down(desk: Office) -> None:
    agent, boss = await desk.seat(name="李经理"), await desk.seat("supervisor")
    customer, case = await desk.case(token=token(desk, "high_value"))
    desk.claim(case, agent)
    path = f"/conversations/{customer.conversation_id}/manager"
    assert refused(await agent.call("PUT", path, agent_id=agent.id))[0] == 403
    await boss.put(path, agent_id=agent.id)
    card = await agent.get(f"/conversations/{customer.conversation_id}/customer")
    assert (card["manager"]["agent"]["name"], card["manager"]["due"]) == ("李经理", None)
    await boss.put(path, agent_id=None)
    assert refused(await boss.call("PUT", path, agent_id=9999)) == (409, "no_such_agent")
    with desk.bridge.parts.bridge.reading() as session:
        noted = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "manager_named")).all()
    assert [one["to"] for one in noted] == [agent.id, None]


async def test_of_nobody_there_is_no_manager(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    customer, _ = await desk.case()
    answer = await boss.call("PUT", f"/conversations/{customer.conversation_id}/manager", agent_id=boss.id)
    assert refused(answer) == (409, "manager_of_nobody")


# -- calls back


async def test_a_call_back_is_listed_taken_and_done_once(desk: Office) -> None:
    first, second = await desk.seat(), await desk.seat()
    _, row = await ended(desk, first)
    (listed,) = (await second.get("/call-backs"))["items"]
    assert (listed["id"], listed["segment"], listed["mine"], listed["overdue"]) == (
        row.id,
        "特殊服务客户",
        False,
        False,
    )
    assert len(listed["why"]) == 1
    await second.post(f"/call-backs/{row.id}/take")
    assert (await first.get("/call-backs"))["items"] == []
    assert (await first.call("POST", f"/call-backs/{row.id}/take")).status_code == 403
    assert refused(await second.call("POST", f"/call-backs/{row.id}/done", note=" ")) == (422, "bad_call_back_note")
    await second.post(f"/call-backs/{row.id}/done", note="问过了，电话13912345678，都好")
    assert refused(await second.call("POST", f"/call-backs/{row.id}/drop", note="再来一次")) == (409, "call_back_over")
    with desk.bridge.parts.bridge.reading() as session:
        kept = session.get_one(CallBack, row.id)
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("call_back"))).all()
    assert (kept.state, kept.done_by) == ("done", second.id)
    assert "13912345678" not in (kept.note or "")
    assert list(actions) == ["call_back_taken", "call_back_done"]


async def test_late_ones_are_counted_for_all_and_a_supervisor_may_take_them_over(desk: Office) -> None:
    agent, boss = await desk.seat(), await desk.seat("supervisor")
    _, row = await ended(desk, agent)
    await agent.post(f"/call-backs/{row.id}/take")
    desk.clock.at = row.due_at + timedelta(minutes=1)
    boss = await desk.seat("supervisor")
    page = await boss.get("/call-backs")
    assert (page["overdue"], page["items"][0]["overdue"]) == (1, True)
    await boss.post(f"/call-backs/{row.id}/take")
    await boss.post(f"/call-backs/{row.id}/release")
    assert (await boss.get("/call-backs"))["items"][0]["agent"] is None


async def test_a_call_of_who_has_left_the_desk_is_anybodys(desk: Office) -> None:
    first, second = await desk.seat(), await desk.seat()
    _, row = await ended(desk, first)
    await first.post(f"/call-backs/{row.id}/take")
    assert (await second.get("/call-backs"))["items"] == []

    def leaves(session: Session) -> None:
        session.get_one(Agent, first.id).active = False

    desk.write(leaves)
    (listed,) = (await second.get("/call-backs"))["items"]
    assert (listed["id"], listed["agent"]) == (row.id, None)
    await second.post(f"/call-backs/{row.id}/take")
    assert (await second.get("/call-backs"))["items"][0]["mine"]


async def test_the_number_is_shown_to_whom_the_call_falls_for_a_reason_that_is_kept(desk: Office) -> None:
    keyring, number = desk.bridge.parts.settings.keyring(), NUMBERS["special_service"]
    billing = Database(desk.bridge.parts.settings.billing_url)  # the bridge itself only reads it
    with billing.transaction() as session:
        cipher = keyring.encrypt(PHONE, phone_context(number))
        session.add(Owner(customer_no=number, kind="person", name_cipher="", phone_cipher=cipher, phone_hash="x"))
    billing.dispose()
    agent = await desk.seat()
    customer, row = await ended(desk, agent)
    path = f"/call-backs/{row.id}/phone"
    assert refused(await agent.call("POST", path, reason="电话回访")) == (403, "call_back_not_yours")
    assert (await agent.call("GET", f"/conversations/{customer.conversation_id}/messages")).status_code == 403
    await agent.post(f"/call-backs/{row.id}/take")
    assert refused(await agent.call("POST", path, reason="看")) == (422, "reason_too_short")
    shown = good(await agent.call("POST", path, reason="电话回访"))
    assert (shown["field"], shown["value"]) == ("phone", PHONE)
    assert (await agent.call("GET", f"/conversations/{customer.conversation_id}/messages")).status_code == 200
    with desk.bridge.parts.bridge.reading() as session:
        noted = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "reveal")).all()
    assert [(one["field"], one["reason"]) for one in noted] == [("phone", "电话回访")]
    await agent.post(f"/call-backs/{row.id}/drop", note="客户说不用再打")
    assert (await agent.call("POST", path, reason="电话回访")).status_code == 403
