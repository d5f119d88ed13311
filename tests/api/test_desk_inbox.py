"""The inbox of the desk: who sees which case, what its line says, and taking it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from supervision_kit import BOOK, MONDAY, Office, Seat, office, refused

from core.conversation import Draft, find_conversation, record_reply
from core.desk_feed import events_after, last_seq
from core.handoff import life, routing
from core.handoff.tables import Handoff


@pytest.fixture
async def desk(urls: Any) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["handoff_id"] for row in rows]


def offered(desk: Office, case: int, to: Seat) -> None:
    desk.write(lambda session: life.offer(session, case, to.id, book=BOOK, now=desk.clock()))


async def test_each_case_stands_in_the_list_where_the_agent_looks_for_it(desk: Office) -> None:
    mine, other = await desk.seat(), await desk.seat()
    queued, held, foreign, ringing, elsewhere = [(await desk.case())[1] for _ in range(5)]
    customer, done = await desk.case()
    writer, left = await desk.case()
    desk.claim(held, mine)
    desk.claim(foreign, other)
    offered(desk, ringing, mine)
    offered(desk, elsewhere, other)
    desk.claim(done, mine)
    now = desk.clock()
    desk.write(lambda s: life.finish(s, customer.conversation_id, agent_id=mine.id, book=BOOK, now=now))
    desk.write(lambda s: life.leave_message(s, writer.conversation_id, book=BOOK, now=now))
    found = await mine.get("/inbox")
    shown = {name: ids(found[name]) for name in ("mine", "offers", "queue", "messages", "wrap_up")}
    assert shown == {"mine": [held], "offers": [ringing], "queue": [queued], "messages": [left], "wrap_up": [done]}
    with desk.bridge.parts.bridge.reading() as session:
        assert found["seq"] == last_seq(session)


async def test_the_queue_is_that_of_the_agents_skills_and_in_its_own_order(desk: Office) -> None:
    repairer, cashier = await desk.seat(skills=("repair",)), await desk.seat(skills=("billing",))
    bill = (await desk.case(skill="billing", said="电费不对"))[1]
    first = (await desk.case())[1]
    desk.clock.on(minutes=1)
    second = (await desk.case())[1]
    assert ids((await cashier.get("/inbox"))["queue"]) == [bill]
    rows = (await repairer.get("/inbox"))["queue"]
    assert ids(rows) == [first, second]
    assert [row["place"] for row in rows] == [1, 2]


async def test_a_supervisor_sees_every_queue(desk: Office) -> None:
    chief = await desk.seat("supervisor", skills=())
    cases = [(await desk.case(skill=skill, said="请帮帮我"))[1] for skill in ("repair", "billing", "complaint")]
    assert sorted(ids((await chief.get("/inbox"))["queue"])) == cases


async def test_the_line_of_a_case_says_why_how_long_and_until_when(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case(said="电话13871234567，家里停电了")
    desk.clock.on(minutes=4)
    row = (await seat.get("/inbox"))["queue"][0]
    assert (row["handoff_id"], row["conversation_id"], row["mode"]) == (case, customer.conversation_id, "queued")
    assert (row["reason"], row["reason_text"], row["skill"]) == ("asked", "客户要求人工", "repair")
    assert (row["waiting_seconds"], row["holder"], row["offer_expires_at"]) == (240, None, None)
    assert row["customer"] == {"label": "访客", "segment": None, "flags": []}
    clock = row["clocks"]["first_response"]
    assert (clock["state"], clock["elapsed_seconds"], clock["promise_seconds"]) == ("running", 240, 900)
    assert clock["due_at"] == (MONDAY + timedelta(minutes=15)).isoformat()
    assert clock["aim_at"] == (MONDAY + timedelta(minutes=3)).isoformat()
    assert len(clock["events"]) >= 1
    assert row["clocks"]["closure"]["promise_seconds"] == 7200


async def test_the_end_of_the_log_is_shown_without_personal_data(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, seat)
    with desk.bridge.parts.bridge.transaction() as session:
        conversation = find_conversation(session, customer.conversation_id, lock=True)
        record_reply(session, conversation, Draft("bot", "回拨 13871234567 找您"), now=desk.clock())
    last = (await seat.get("/inbox"))["mine"][0]["last_message"]
    assert last["author"] == "bot"
    assert "13871234567" not in last["text"]
    assert last["text"].startswith("回拨 138")


async def test_a_case_that_nobody_has_yet_shows_the_customers_last_words(desk: Office) -> None:
    seat = await desk.seat()
    waiting, _ = await desk.case(said="我家厨房跳闸了")
    writer, _ = await desk.case(said="想问问移表")
    now = desk.clock()
    desk.write(lambda s: life.leave_message(s, writer.conversation_id, book=BOOK, now=now))
    for customer in (waiting, writer):
        desk.write(lambda s, one=customer: record_reply(
            s, find_conversation(s, one.conversation_id, lock=True), Draft("bot", "您可以先看看用电小知识"), now=now,
        ))  # fmt: skip
    found = await seat.get("/inbox")
    shown = [(row["last_message"]["author"], row["last_message"]["text"]) for row in found["queue"] + found["messages"]]
    assert shown == [("customer", "我家厨房跳闸了"), ("customer", "想问问移表")]


async def test_a_long_queue_cuts_off_nothing_of_ones_own(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.desk.inbox.MOST_QUEUED", 3)
    seat = await desk.seat()
    cases = [(await desk.case())[1] for _ in range(5)]
    desk.claim(cases[3], seat)
    offered(desk, cases[4], seat)
    found = await seat.get("/inbox")
    assert (ids(found["mine"]), ids(found["offers"]), ids(found["queue"])) == ([cases[3]], [cases[4]], [cases[0]])


async def test_who_introduces_himself_is_not_masked_and_a_customer_who_does_is(desk: Office) -> None:
    seat = await desk.seat(name="何敏")
    customer, case = await desk.case(said="我叫蒋满仓，家里没电")
    desk.claim(case, seat)
    path = f"/conversations/{customer.conversation_id}"
    said = await seat.post(f"{path}/messages", client_id="a1", text="您好，我是何敏")
    assert said["message"]["text"] == "您好，我是何敏"
    texts = [one["text"] for one in (await seat.get(path))["messages"]]
    assert "您好，我是何敏" in texts
    assert "我叫蒋*仓，家里没电" in texts


async def test_unread_counts_what_the_customer_wrote_since_and_what_was_not_seen(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, seat)
    desk.reply(customer, seat, "您好")
    assert (await seat.get("/inbox"))["mine"][0]["unread"] == 0
    for text in ("在吗", "还没来电", "🙏"):
        await customer.say(text)
    row = (await seat.get("/inbox"))["mine"][0]
    assert row["unread"] == 3
    second = desk.bridge.rows(customer.conversation_id)[-2].seq
    await seat.post(f"/conversations/{customer.conversation_id}/seen", seq=second)
    assert (await seat.get("/inbox"))["mine"][0]["unread"] == 1


async def test_with_a_person_the_wait_is_the_one_for_the_next_answer(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, seat)
    desk.clock.on(minutes=5)
    assert (await seat.get("/inbox"))["mine"][0]["waiting_seconds"] == 300  # nobody has said a word yet
    desk.reply(customer, seat, "您好")
    desk.clock.on(minutes=5)
    assert (await seat.get("/inbox"))["mine"][0]["waiting_seconds"] == 0
    await customer.say("还在吗")
    desk.clock.on(seconds=50)
    assert (await seat.get("/inbox"))["mine"][0]["waiting_seconds"] == 50


async def test_accepting_an_offer_gives_the_conversation_and_tells_the_customer(desk: Office) -> None:
    seat = await desk.seat(name="小王")
    customer, case = await desk.case()
    offered(desk, case, seat)
    row = (await seat.get("/inbox"))["offers"][0]
    assert row["offer_expires_at"] == (desk.clock() + BOOK.limits.seconds("offer")).isoformat()
    view = await seat.post(f"/cases/{case}/accept")
    assert (view["holder"], view["mode"]) == ({"id": seat.id, "name": "小王"}, "human")
    assert "小王" in (await customer.history())["messages"][-1]["text"]


async def test_of_two_agents_one_gets_the_case_and_the_other_reads_who_has_it(desk: Office) -> None:
    seats = [await desk.seat(name=name) for name in ("小王", "小李", "小陈", "小赵")]
    _, case = await desk.case()
    answers = await asyncio.gather(*(seat.call("POST", f"/cases/{case}/claim") for seat in seats))
    won = [seat for seat, answer in zip(seats, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    for answer in answers:
        if answer.status_code != 200:
            assert refused(answer) == (409, "already_taken")
            assert answer.json()["holder"]["id"] == won[0].id
    assert (await won[0].post(f"/cases/{case}/claim"))["holder"]["id"] == won[0].id  # again changes nothing


async def test_who_claims_without_having_opened_the_inbox_is_there(desk: Office) -> None:
    seat = await desk.seat()
    _, case = await desk.case()
    desk.clock.on(minutes=10)  # signed in, and nothing since
    await seat.post(f"/cases/{case}/claim")
    with desk.bridge.parts.bridge.reading() as session:
        assert routing.vanished(session, book=BOOK, now=desk.clock()) == []


async def test_a_full_agent_takes_no_more(desk: Office) -> None:
    seat = await desk.seat(capacity=1)
    first, second = [(await desk.case())[1] for _ in range(2)]
    await seat.post(f"/cases/{first}/claim")
    assert refused(await seat.call("POST", f"/cases/{second}/claim")) == (409, "no_capacity")


async def test_declining_sends_the_offer_on_and_again_changes_nothing(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case()
    offered(desk, case, seat)
    assert desk.mode(customer) == "offered"
    for _ in range(2):
        await seat.post(f"/cases/{case}/decline")
    assert desk.mode(customer) == "queued"
    with desk.bridge.parts.bridge.reading() as session:
        assert session.get_one(Handoff, case).tried == [seat.id]


async def test_a_message_that_was_left_can_be_taken(desk: Office) -> None:
    seat = await desk.seat(skills=("billing",))  # whoever has time answers messages
    customer, case = await desk.case()
    desk.write(lambda s: life.leave_message(s, customer.conversation_id, book=BOOK, now=desk.clock()))
    row = (await seat.get("/inbox"))["messages"][0]
    assert (row["left_message"], row["clocks"]["first_response"]["promise_seconds"]) == (True, 7200)
    await seat.post(f"/cases/{case}/claim")
    assert desk.mode(customer) == "human"


async def test_a_foreign_case_and_one_that_does_not_exist_look_the_same(desk: Office) -> None:
    seat = await desk.seat(skills=("billing",))
    _, case = await desk.case()
    for path in ("accept", "claim", "decline"):
        known, unknown = [await seat.call("POST", f"/cases/{number}/{path}") for number in (case, 999_999)]
        assert refused(known) == refused(unknown) == (403, "forbidden")
        assert known.json()["detail"] == unknown.json()["detail"]


async def test_a_repeated_contact_within_72_hours_is_counted(desk: Office) -> None:
    from bridge_kit import customer_token

    seat = await desk.seat()
    more = {"now": desk.clock(), "lifetime": timedelta(days=9)}
    token, other = customer_token(**more), customer_token(customer_no="C0000002", **more)
    await desk.closed(seat, token=token)
    desk.clock.on(hours=80)
    await desk.closed(seat, token=token)
    desk.clock.on(hours=1)
    await desk.case(token=other)
    _, case = await desk.case(token=token)
    seat = await desk.seat()  # the first one's session is long over
    rows = {row["handoff_id"]: row["repeat"] for row in (await seat.get("/inbox"))["queue"]}
    assert rows[case] == 1
    assert sorted(rows.values()) == [0, 1]


async def test_a_status_is_kept_and_the_desk_hears_of_it(desk: Office) -> None:
    seat = await desk.seat()
    with desk.bridge.parts.bridge.reading() as session:
        before = last_seq(session)
    assert await seat.post("/me/status", status="away") == {"status": "away"}
    with desk.bridge.parts.bridge.reading() as session:
        told = [(one.kind, one.data) for one in events_after(session, before)]
    assert told == [("agents", {"agent": seat.id, "status": "away"})]
    assert (await seat.call("POST", "/me/status", status="asleep")).status_code == 422


async def test_a_long_queue_costs_no_more_queries_than_a_short_one(desk: Office) -> None:
    seat = await desk.seat()
    counted = []
    event.listen(desk.bridge.parts.bridge.engine, "before_cursor_execute", lambda *args: counted.append(args[2]))
    await desk.case()
    await seat.get("/inbox")
    counted.clear()
    await seat.get("/inbox")
    few = len(counted)
    for _ in range(30):
        await desk.case()
    await seat.get("/inbox")  # what has to be hidden of a customer is read once and kept
    counted.clear()
    assert len((await seat.get("/inbox"))["queue"]) == 31
    assert len(counted) == few


async def test_nobody_reads_the_inbox_without_a_session(desk: Office) -> None:
    nobody = await desk.nobody()
    for method, path in (("GET", "/inbox"), ("POST", "/cases/1/claim"), ("GET", "/options"), ("POST", "/me/status")):
        assert (await nobody.call(method, path)).status_code == 401
