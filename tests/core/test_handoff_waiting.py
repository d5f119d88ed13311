"""Deadlines: what happens when somebody is kept waiting, in every state, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, empty, new_room

from core.conversation import Message
from core.db import Database
from core.desk_feed import events_after
from core.handoff import life, waiting, watch
from core.handoff.tables import Handoff
from core.handoff.words import KEEP_WAITING, LEAVE_MESSAGE, LEAVE_QUEUE


@pytest.fixture(scope="module", params=DIALECTS)
def database(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    one = new_room(new_url(request.param, tmp_path_factory.mktemp("desk"))).database
    yield one
    one.dispose()


@pytest.fixture
def room(database: Database) -> DeskRoom:
    """An empty desk at ten in the morning."""
    return empty(database)


def _last(room: DeskRoom, case: Handoff) -> Message:
    return room.log(case)[-1]


def _warnings(room: DeskRoom) -> list[tuple[int | None, Any]]:
    feed = room.read(lambda session: events_after(session, 0, limit=1000))
    return [(event.agent_id, event.data.get("what")) for event in feed if event.kind == "warning"]


def _due(room: DeskRoom) -> list[int]:
    return room.read(lambda session: waiting.due_cases(session, now=room.now))


def test_nothing_is_due_before_its_time(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.request()
    room.passes(minutes=4, seconds=59)
    room.alive(agent)
    assert (_due(room), room.step(case)) == ([], None)


def test_who_waits_for_long_is_told_the_truth_again_with_his_choices(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    case = room.request()
    room.passes(minutes=5)
    room.alive(agent)
    assert _due(room)[-1] == case.id
    assert (room.step(case), room.step(case)) == ("waiting", None)
    told = _last(room, case)
    assert told.text.startswith(BOOK.words.queue.still)
    assert "第 1 位" in told.text
    titles = [button["title"] for button in told.buttons]
    words = BOOK.words.queue
    assert titles == [words.keep_waiting, words.leave_message, words.leave]
    assert (KEEP_WAITING, LEAVE_MESSAGE, LEAVE_QUEUE) == (
        "bridge:keep_waiting",
        "bridge:leave_message",
        "bridge:leave_queue",
    )


def test_the_truth_is_told_more_and_more_rarely(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    case = room.request()
    told: list[int] = []
    for minute in range(1, 181):
        room.passes(minutes=1)
        room.alive(agent)
        if room.step(case) == "waiting":
            told.append(minute)
    assert told == [5, 15, 35, 75, 135]


def test_with_nobody_on_duty_the_wait_becomes_a_message_and_the_bot_is_back(room: DeskRoom) -> None:
    case = room.request()
    room.passes(minutes=3)
    assert room.step(case) == "left_message"
    assert (room.mode(case), room.case(case).left_message) == ("bot", True)
    assert "今天12:03前" in _last(room, case).text


def test_when_the_last_agent_leaves_the_customer_hears_of_it_first(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    case = room.request()
    room.passes(minutes=5)
    assert room.step(case) == "waiting"
    assert _last(room, case).text.startswith(BOOK.words.queue.still_nobody)
    assert room.mode(case) == "queued"
    room.passes(minutes=3)
    assert room.step(case) == "left_message"


def test_a_danger_waits_longer_and_is_not_talked_to_meanwhile(room: DeskRoom) -> None:
    case = room.request(reason="danger")
    for _ in range(9):
        room.passes(minutes=3)
        assert room.step(case) is None
    assert room.log(case) == []
    room.passes(minutes=3)
    assert room.step(case) == "left_message"
    assert room.case(case).priority == 0


def test_a_message_that_nobody_answered_in_time_gets_a_new_time_and_the_supervisors(room: DeskRoom) -> None:
    case = room.request()
    room.call(life.leave_message, case.conversation_id)
    room.passes(hours=2)
    assert room.step(case) == "message_late"
    assert room.log(case) == []  # the ledger of promises tells the customer, and nobody else
    assert (room.case(case).due_at, room.step(case)) == (room.now.replace(hour=14), None)
    promised = [event.data for event in room.events(case) if event.kind == "promised"]
    assert [bool(one.get("moved")) for one in promised][-2:] == [False, True]
    assert _warnings(room)[-1] == (None, "message_late")


def test_an_agent_who_does_not_answer_is_reminded_and_then_his_supervisors_hear_of_it(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.writes(case)
    room.passes(seconds=60)
    room.writes(case, "人呢")  # asking again does not begin the wait anew
    room.passes(seconds=40)
    assert (room.step(case), room.step(case)) == ("agent_silent", None)
    assert _warnings(room) == [(agent, "agent_silent")]
    room.passes(seconds=200)
    assert (room.step(case), room.step(case)) == ("escalated", None)
    assert _warnings(room)[-1] == (None, "agent_silent")
    assert _last(room, case).text == BOOK.words.agent_late


def test_an_agent_who_took_a_case_and_says_nothing_is_reminded_too(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.passes(seconds=100)
    assert room.step(case) == "agent_silent"


def test_an_answer_in_time_ends_the_reminder(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.writes(case)
    room.passes(seconds=99)
    room.replies(case, agent)
    room.passes(seconds=30)
    assert room.step(case) is None


def test_a_silent_customer_is_asked_once_and_then_the_talk_ends(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.passes(minutes=10)
    assert (room.step(case), room.step(case)) == ("customer_silent", None)
    assert "5 分钟内" in _last(room, case).text
    room.passes(minutes=5)
    assert room.step(case) == "closed_idle"
    assert (room.mode(case), _last(room, case).text) == ("wrap_up", BOOK.words.silent_end)


def test_a_customer_who_answers_the_reminder_keeps_his_agent(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.passes(minutes=10)
    room.step(case)
    room.writes(case, "在的")
    room.passes(minutes=1)
    room.replies(case, agent)
    room.passes(minutes=5)
    assert room.step(case) is None
    assert room.mode(case) == "human"


def test_while_the_clock_is_held_nobody_is_asked_whether_he_is_there(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.call(life.pause, case.conversation_id, agent_id=agent, reason="waiting_field")
    room.passes(hours=1)
    assert (_due(room), room.step(case)) == ([], None)
    room.call(life.resume, case.conversation_id, agent_id=agent)
    room.passes(minutes=10)
    assert room.step(case) == "customer_silent"


def test_a_writing_up_that_takes_too_long_gives_the_conversation_back(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.call(life.finish, case.conversation_id, agent_id=agent)
    room.passes(minutes=5)
    assert room.step(case) == "handed_back"
    found = room.case(case)
    assert (room.mode(case), found.note, found.outcome) == ("bot", {}, None)
    assert room.at(case).note["done"] == []


def test_an_offer_goes_back_by_its_deadline(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.offer(room.request(), agent)
    room.passes(seconds=20)
    assert room.step(case) == "offer_expired"
    assert room.mode(case) == "queued"


@pytest.mark.parametrize("steps", ["queued", "offered", "human", "wrap_up", "message"])
def test_no_state_is_without_an_end(room: DeskRoom, steps: str) -> None:
    """Whatever nobody does, the conversation is back with the bot in the end."""
    agent = room.agent()
    case = room.request()
    if steps == "offered":
        room.offer(case, agent)
    if steps in ("human", "wrap_up"):
        room.claim(case, agent)
        room.replies(case, agent)
    if steps == "wrap_up":
        room.call(life.finish, case.conversation_id, agent_id=agent)
    if steps == "message":
        room.call(life.leave_message, case.conversation_id)
    for _ in range(60):
        room.passes(minutes=1)
        room.step(case)
    assert room.mode(case) == "bot"


# -- the clocks


def _note(room: DeskRoom, case: Handoff) -> list[tuple[str, str]]:
    due = room.read(lambda session: watch.to_note(session, book=BOOK, now=room.now))
    noted = room.write(lambda session: watch.note(session, case.id, book=BOOK, now=room.now))
    assert (case.id in due) == bool(noted)
    return noted


def test_clocks_warn_before_they_breach_and_each_is_noted_once(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    case = room.request()
    room.passes(minutes=11, seconds=59)
    assert _note(room, case) == []
    room.passes(seconds=1)
    assert (_note(room, case), _note(room, case)) == ([("warned", "first_response")], [])
    room.passes(minutes=3)
    assert _note(room, case) == []
    room.passes(seconds=1)
    assert (_note(room, case), _note(room, case)) == ([("breached", "first_response")], [])
    assert [event.kind for event in room.events(case)][-2:] == ["breached", "escalated"]
    assert _warnings(room) == [(None, "clock"), (None, "clock")]


def test_a_case_that_was_answered_is_not_warned_of(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.passes(minutes=2)
    room.replies(case, agent)
    room.passes(minutes=30)
    assert _note(room, case) == []
    room.passes(minutes=64)
    assert _note(room, case) == [("warned", "closure")]


def test_what_was_written_in_the_queue_does_not_make_a_new_agent_late(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.request()
    room.writes(case, "有人吗")
    room.passes(minutes=4)
    room.alive(agent)
    room.claim(case, agent)
    room.passes(seconds=100)
    assert room.step(case) == "agent_silent"
    assert _warnings(room) == [(agent, "agent_silent")]


def test_holding_the_clock_does_not_forget_who_waits_for_an_answer(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.call(life.pause, case.conversation_id, agent_id=agent, reason="waiting_field")
    room.writes(case, "那我今天能来电吗")
    room.passes(seconds=20)
    room.call(life.resume, case.conversation_id, agent_id=agent)
    room.passes(seconds=80)
    assert room.step(case) == "agent_silent"


def test_who_asked_nothing_new_is_not_told_that_he_waits_when_the_case_goes_on_to_another(room: DeskRoom) -> None:
    agent, other = room.agent(), room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.call(life.reassign, case.conversation_id, agent_id=agent, to_agent=other, note="请接着办")
    room.passes(seconds=100)
    assert (room.step(case), _warnings(room)) == ("agent_silent", [(other, "agent_silent")])
    room.passes(seconds=200)
    assert room.step(case) == "escalated"
    assert BOOK.words.agent_late not in room.lines(case)


def test_who_got_no_answer_before_the_case_went_on_is_told_that_it_takes_long(room: DeskRoom) -> None:
    agent, other = room.agent(), room.agent()
    case = room.taken(agent)
    room.replies(case, agent)
    room.writes(case, "那我今天能来电吗")
    room.call(life.reassign, case.conversation_id, agent_id=agent, to_agent=other, note="请接着办")
    room.passes(seconds=300)
    assert (room.step(case), room.lines(case)[-1]) == ("escalated", BOOK.words.agent_late)


def test_when_the_only_agent_vanishes_nobody_is_promised_another_one(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.taken(agent)
    room.passes(seconds=91)
    assert room.call(life.vanish, case.id)
    told = _last(room, case)
    assert told.text.startswith(BOOK.words.vanished_nobody)
    assert "没有坐席在线" in told.text
    assert [one["title"] for one in told.buttons] == [BOOK.words.queue.leave_message, BOOK.words.queue.leave]
    room.passes(minutes=3)
    assert room.step(case) == "left_message"
