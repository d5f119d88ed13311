"""Calls back: owed once a case, when the desk works, to whom has a claim"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from call_back_kit import customer, due, ended, fitted_room, leaves, owed, take_it
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, new_room
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import call_back
from core.call_back import BadCallBackNote, CallBackNotFound, CallBackOver, CallBackTaken
from core.clock import SHANGHAI
from core.conversation import find_conversation
from core.db import Database
from core.handoff import life
from core.handoff.ending import expire_wrap_up, finish
from core.handoff.queue import waiting
from core.handoff.tables import Handoff
from core.recommend.tables import CallBack
from core.segment.tables import SEGMENTS

FRIDAY_EVENING = datetime(2026, 11, 27, 17, 30, tzinfo=SHANGHAI)


@pytest.fixture(scope="module", params=DIALECTS)
def database(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    one = new_room(new_url(request.param, tmp_path_factory.mktemp("calls"))).database
    yield one
    one.dispose()


@pytest.fixture
def room(database: Database) -> DeskRoom:
    return fitted_room(database)


@pytest.mark.parametrize(("segment", "hours"), [("special_service", 24), ("high_value", 48)])
def test_after_a_case_of_such_a_customer_a_call_is_owed(room: DeskRoom, segment: str, hours: int) -> None:
    case = ended(room, segment)
    row = owed(room, case)
    assert row is not None
    assert row.due_at == room.now + timedelta(hours=hours)
    assert (row.state, row.segment, row.agent_id) == ("open", segment, None)


@pytest.mark.parametrize("segment", ["basic", "growth", "high_risk", None])
def test_after_a_case_of_anybody_else_none_is_owed(room: DeskRoom, segment: str | None) -> None:
    assert owed(room, ended(room, segment)) is None


@pytest.mark.parametrize("segment", [*SEGMENTS, None])
def test_after_a_complaint_everybody_is_called_back_within_a_day(room: DeskRoom, segment: str | None) -> None:
    row = owed(room, ended(room, segment, reason="complaint"))
    assert row is not None
    assert row.due_at == room.now + timedelta(hours=24)
    assert row.segment == segment


def test_a_case_that_ends_by_itself_counts_too_and_only_once(room: DeskRoom) -> None:
    agent = room.agent("小王")
    case = room.taken(agent, room.conversation(customer("special_service")))
    room.call(finish, case.conversation_id, agent_id=agent)
    room.passes(hours=1)
    assert room.call(expire_wrap_up, case.id)
    assert not room.call(expire_wrap_up, case.id)
    count = room.read(lambda session: len(session.scalars(select(CallBack)).all()))
    assert count == 1


def test_each_case_has_one_whatever_else_gives_a_claim(room: DeskRoom) -> None:
    case = ended(room, "special_service", reason="complaint")

    def scored(score: int) -> CallBack | None:
        return room.write(lambda session: call_back.after_score(
            session, find_conversation(session, case.conversation_id), session.get_one(Handoff, case.id), score,
            fitting=BOOK.fitting, calendar=BOOK.calendar, now=room.now,
        ))  # fmt: skip

    assert scored(1) is None
    row = owed(room, case)
    assert row is not None
    assert call_back.why(row, case, 1, BOOK.fitting) == ["low_score", "complaint", "segment"]


@pytest.mark.parametrize(("score", "called"), [(1, True), (2, True), (3, False), (5, False)])
def test_after_a_low_score_a_call_is_owed(room: DeskRoom, score: int, called: bool) -> None:
    case = ended(room, "basic")
    room.write(lambda session: call_back.after_score(
        session, find_conversation(session, case.conversation_id), session.get_one(Handoff, case.id), score,
        fitting=BOOK.fitting, calendar=BOOK.calendar, now=room.now,
    ))  # fmt: skip
    assert (owed(room, case) is not None) == called


def test_a_low_score_brings_forward_the_call_that_a_segment_would_have_had_later(room: DeskRoom) -> None:
    case = ended(room, "high_value")
    room.write(lambda session: scores(session, room, case, 1))
    row = owed(room, case)
    assert row is not None
    assert row.due_at == room.now + timedelta(hours=24)
    room.passes(hours=2)
    room.write(lambda session: scores(session, room, case, 1))
    later = owed(room, case)
    assert later is not None
    assert later.due_at == row.due_at


def test_a_low_score_after_the_call_leaves_it_as_it_was(room: DeskRoom) -> None:
    case, agent = ended(room, "high_value"), room.agent("小李")
    before = owed(room, case)
    assert before is not None
    room.write(lambda session: call_back.finish(session, before.id, agent_id=agent, note="打过了", now=room.now))
    room.write(lambda session: scores(session, room, case, 1))
    row = owed(room, case)
    assert row is not None
    assert (row.due_at, row.state) == (before.due_at, "done")


def scores(session: Session, room: DeskRoom, case: Handoff, score: int) -> None:
    call_back.after_score(
        session, find_conversation(session, case.conversation_id), session.get_one(Handoff, case.id), score,
        fitting=BOOK.fitting, calendar=BOOK.calendar, now=room.now,
    )  # fmt: skip


def test_however_many_wait_for_anybody_nobody_loses_sight_of_his_own(room: DeskRoom) -> None:
    first, second = room.agent("小李"), room.agent("小张")
    waiting, others, mine = (ended(room, key) for key in ("special_service", "special_service", "high_value"))
    for case, agent in ((others, second), (mine, first)):
        row = owed(room, case)
        assert row is not None
        take_it(room, row.id, agent)
    seen = room.read(lambda session: call_back.open_for(session, first, limit=1))
    assert [row.handoff_id for row in seen] == [waiting.id, mine.id]


def test_a_call_of_an_agent_who_has_left_falls_to_whoever_has_time(room: DeskRoom) -> None:
    gone, other = room.agent("小李"), room.agent("小张")
    row = owed(room, ended(room, "special_service"))
    assert row is not None
    take_it(room, row.id, gone)
    assert room.read(lambda session: call_back.open_for(session, other)) == []
    leaves(room, gone)
    assert [one.id for one in room.read(lambda session: call_back.open_for(session, other))] == [row.id]
    assert room.read(lambda session: call_back.holder(session, session.get_one(CallBack, row.id))) is None
    take_it(room, row.id, other)
    assert room.read(lambda session: session.get_one(CallBack, row.id)).agent_id == other


def test_it_is_due_when_the_desk_works_and_leaves_time_to_call(room: DeskRoom) -> None:
    room.now = FRIDAY_EVENING
    case = ended(room, "special_service", reason="complaint")
    row = owed(room, case)
    assert row is not None
    calendar = BOOK.calendar
    assert calendar.next_opening(row.due_at, case.skill) == row.due_at or calendar.open_at(
        row.due_at - timedelta(seconds=1), case.skill
    )
    assert calendar.between(room.now, row.due_at, case.skill) >= timedelta(hours=4)
    assert row.due_at >= room.now + timedelta(hours=24)


def test_taking_finishing_and_dropping_are_for_one_person_at_a_time(room: DeskRoom) -> None:
    first, second = room.agent("小李"), room.agent("小张")
    row = owed(room, ended(room, "special_service"))
    assert row is not None
    take, end = call_back.take, call_back.finish
    room.write(lambda session: take(session, row.id, agent_id=first))
    room.write(lambda session: take(session, row.id, agent_id=first))
    with pytest.raises(CallBackTaken):
        room.write(lambda session: take(session, row.id, agent_id=second))
    room.write(lambda session: take(session, row.id, agent_id=second, over=True))
    with pytest.raises(BadCallBackNote):
        room.write(lambda session: end(session, row.id, agent_id=second, note="  ", now=room.now))
    room.write(lambda session: end(session, row.id, agent_id=second, note="问过了，都好", now=room.now))
    with pytest.raises(CallBackOver):
        room.write(lambda session: end(session, row.id, agent_id=second, note="再问一遍", now=room.now, dropped=True))
    assert room.read(call_back.open_ones) == []
    with pytest.raises(CallBackNotFound):
        room.write(lambda session: take(session, row.id + 1, agent_id=first))


def test_late_ones_are_counted_and_the_first_due_comes_first(room: DeskRoom) -> None:
    later, sooner = ended(room, "high_value"), ended(room, "special_service")
    assert [row.handoff_id for row in room.read(call_back.open_ones)] == [sooner.id, later.id]
    room.passes(hours=25)
    assert room.read(lambda session: call_back.overdue(session, now=room.now)) == 1


def test_the_same_end_once_more_changes_nothing_and_another_one_is_refused(room: DeskRoom) -> None:
    agent = room.agent("小李")
    row = due(room, ended(room, "special_service"))

    def end(note: str, **more: bool) -> CallBack:
        return room.write(
            lambda session: call_back.finish(session, row.id, agent_id=agent, note=note, now=room.now, **more)
        )

    first = end("问过了，都好")
    room.passes(minutes=1)
    assert end(" 问过了，都好 ").done_at == first.done_at
    for note, more in (("问过了，不好", {}), ("问过了，都好", {"dropped": True})):
        with pytest.raises(CallBackOver):
            end(note, **more)


def test_what_is_owed_is_counted_for_the_desk_and_for_each(room: DeskRoom) -> None:
    first, second, gone = room.agent("小李"), room.agent("小张"), room.agent("小周")
    mine, _, left = (due(room, ended(room, "special_service")) for _ in range(3))
    later = due(room, ended(room, "high_value"))
    take_it(room, mine.id, first)
    take_it(room, later.id, second)
    take_it(room, left.id, gone)
    leaves(room, gone)
    room.passes(hours=25)

    def counts(agent: int | None) -> tuple[int, int]:
        found = room.read(lambda session: call_back.owed(session, now=room.now, agent_id=agent))
        return found.open, found.overdue

    assert (counts(None), counts(first), counts(second)) == ((4, 3), (3, 3), (3, 2))
    assert room.read(lambda session: len(call_back.open_for(session, first))) == counts(first)[0]


# -- the queue


@pytest.mark.parametrize("reason", ["asked", "failures", "complaint", "danger"])
def test_high_risk_never_waits_behind_basic_for_the_same_reason(room: DeskRoom, reason: str) -> None:
    line = []
    for segment in ("high_risk", "basic", "high_risk"):
        line.append(lifted(room, room.request(room.conversation(customer(segment)), reason=reason), segment).id)
        room.passes(seconds=1)
    assert [one.id for one in room.read(waiting)] == line


def lifted(room: DeskRoom, case: Handoff, segment: str) -> Handoff:
    """Place a case as the loop of the desk does, by what is known of its customer."""

    def work(session: Session) -> None:
        flags = BOOK.fitting.service_of(session, customer_no=customer(segment), account_nos=[]).flags
        _, priority = BOOK.rules.route(case.reason, (), flags)
        life.reprioritise(session, case.id, priority, book=BOOK, now=room.now, flags=list(flags))

    room.write(work)
    return room.case(case)


def test_whom_the_segment_lifts_comes_before_others(room: DeskRoom) -> None:
    basic, valued, special = (
        lifted(room, room.request(room.conversation(customer(one))), one)
        for one in ("basic", "high_value", "special_service")
    )
    assert [one.id for one in room.read(waiting)] == [special.id, valued.id, basic.id]
