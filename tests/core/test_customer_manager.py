"""The named manager of a customer: asked first, given the calls back, and never named twice without a word."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from call_back_kit import customer, due, ended, fitted_room, leaves, owed, take_it
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, new_room
from sqlalchemy.orm import Session

from core.customer_manager import ManagerChanged, manager_of, set_manager
from core.db import Database
from core.recommend.tables import CustomerManager


@pytest.fixture(scope="module", params=DIALECTS)
def database(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    one = new_room(new_url(request.param, tmp_path_factory.mktemp("managers"))).database
    yield one
    one.dispose()


@pytest.fixture
def room(database: Database) -> DeskRoom:
    return fitted_room(database)


def test_a_call_falls_to_the_manager_if_there_is_one(room: DeskRoom) -> None:
    manager = room.agent("客户经理")
    room.write(lambda session: set_manager(session, customer("high_value"), manager, now=room.now))
    row = owed(room, ended(room, "high_value"))
    assert row is not None
    assert row.agent_id == manager


def test_a_case_goes_to_the_manager_before_whoever_has_less_to_do(room: DeskRoom) -> None:
    manager = room.agent("客户经理")
    room.taken(manager)
    room.agent("小李")
    room.write(lambda session: set_manager(session, customer("high_value"), manager, now=room.now))
    case = room.request(room.conversation(customer("high_value")))
    assert room.route() == [(case.id, manager)]


def test_nobody_waits_for_a_manager_who_is_away_or_for_long(room: DeskRoom) -> None:
    away, other = room.agent("客户经理", here=False), room.agent("小李")
    room.write(lambda session: set_manager(session, customer("high_value"), away, now=room.now))
    case = room.request(room.conversation(customer("high_value")))
    assert room.route() == [(case.id, other)]


def test_a_busy_manager_is_waited_for_as_a_last_agent_is(room: DeskRoom) -> None:
    busy = room.agent("客户经理", capacity=1)
    room.taken(busy)
    other = room.agent("小李")
    room.write(lambda session: set_manager(session, customer("high_value"), busy, now=room.now))
    case = room.request(room.conversation(customer("high_value")))
    assert room.route() == []
    room.passes(seconds=BOOK.limits.last_agent_wait_seconds + 1)
    room.alive(busy, other)
    assert room.route() == [(case.id, other)]


def test_naming_a_manager_again_changes_nothing_and_taking_the_name_away_does(room: DeskRoom) -> None:
    one = room.agent("客户经理")
    name = set_manager
    assert room.write(lambda session: name(session, "C9", one, now=room.now))
    assert not room.write(lambda session: name(session, "C9", one, now=room.now + timedelta(days=1)))
    kept = room.read(lambda session: session.get_one(CustomerManager, "C9"))
    assert kept.since == room.now
    assert room.write(lambda session: name(session, "C9", None, now=room.now))
    assert not room.write(lambda session: name(session, "C9", None, now=room.now))


# -- two at a time


def test_of_two_supervisors_who_name_a_first_manager_at_once_the_second_is_told(room: DeskRoom) -> None:
    first, second = room.agent("小李"), room.agent("小张")
    begun, told = threading.Event(), []

    def rival() -> None:
        begun.set()
        try:
            with room.database.transaction() as session:
                set_manager(session, "C7", second, now=room.now, instead_of=None)
        except ManagerChanged as error:
            told.append(error.agent_id)

    thread = threading.Thread(target=rival)
    with room.database.transaction() as session:
        assert set_manager(session, "C7", first, now=room.now, instead_of=None)
        session.flush()
        thread.start()
        begun.wait(10)
    thread.join(20)
    assert not thread.is_alive()
    assert told == [first]
    assert manager(room) == first


def test_two_who_name_the_same_one_at_once_are_both_content(room: DeskRoom) -> None:
    wanted, done = room.agent("小李"), []

    def name() -> None:
        done.append(room.write(lambda session: set_manager(session, "C7", wanted, now=room.now, instead_of=None)))

    threads = [threading.Thread(target=name) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert sorted(done) == [False, False, False, True]
    assert manager(room) == wanted


def test_who_saw_another_manager_than_there_is_changes_nothing(room: DeskRoom) -> None:
    first, second, third = (room.agent(name) for name in ("小李", "小张", "小周"))
    room.write(lambda session: set_manager(session, "C7", first, now=room.now))
    for seen, wanted in ((None, second), (third, second), (None, None)):
        with pytest.raises(ManagerChanged):
            room.write(lambda session, seen=seen, wanted=wanted: set_manager(
                session, "C7", wanted, now=room.now, instead_of=seen
            ))  # fmt: skip
    assert manager(room) == first
    assert room.write(lambda session: set_manager(session, "C7", second, now=room.now, instead_of=first))
    leaves(room, second)
    assert room.write(lambda session: set_manager(session, "C7", third, now=room.now, instead_of=None))


def test_calls_of_nobody_fall_to_whoever_is_named_and_those_in_hand_stay(room: DeskRoom) -> None:
    agent, gone, named = room.agent("小李"), room.agent("小张"), room.agent("小周")
    free, left, taken = (due(room, ended(room, "high_value")) for _ in range(3))
    other = due(room, ended(room, "special_service"))
    take_it(room, taken.id, agent)
    take_it(room, left.id, gone)
    leaves(room, gone)
    room.write(lambda session: set_manager(session, customer("high_value"), named, now=room.now))
    has = room.read(lambda session: {
        one.id: session.get_one(type(one), one.id).agent_id for one in (free, left, taken, other)
    })  # fmt: skip
    assert has == {free.id: named, left.id: named, taken.id: agent, other.id: None}


def manager(room: DeskRoom) -> int | None:
    def work(session: Session) -> int | None:
        row = manager_of(session, "C7")
        return row.agent_id if row else None

    return room.read(work)
