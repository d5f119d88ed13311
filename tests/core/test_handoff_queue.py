"""The queue and the routing: who comes first, and who is asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, empty, new_room
from hypothesis import given
from hypothesis import strategies as st

from core.db import Database
from core.handoff import life
from core.handoff.ending import WrapUp
from core.handoff.queue import waiting
from core.handoff.rules import rank
from core.handoff.tables import LIFE_SUPPORT, OTHER, Handoff


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


def _ends(room: DeskRoom, case: Handoff, agent: int) -> None:
    room.call(life.wrap_up, case.conversation_id, WrapUp(outcome="solved"), agent_id=agent)


# -- order


def test_a_freed_agent_gets_the_case_that_waits_longest(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    busy = room.taken(agent)
    first = room.request()
    room.passes(seconds=30)
    room.request()
    room.passes(seconds=5)
    room.alive(agent)
    assert room.route() == []
    _ends(room, busy, agent)
    assert room.route() == [(first.id, agent)]


def test_priorities_come_in_their_order(room: DeskRoom) -> None:
    cases = [
        room.request(), room.request(reason="complaint"), room.request(flags=["special_service"]),
        room.request(flags=["life_support"]), room.request(reason="danger"), room.request(flags=["high_value"]),
    ]  # fmt: skip
    agent = room.agent(capacity=6)
    order = [case for case, _ in room.route()]
    assert order == [cases[n].id for n in (4, 3, 2, 1, 5, 0)]
    assert room.holders().keys() >= set(order)
    assert agent


def test_who_waits_long_enough_comes_before_a_later_complaint(room: DeskRoom) -> None:
    patient = room.request()
    room.passes(minutes=13)  # two classes of six minutes
    room.request(reason="complaint")
    agent = room.agent(capacity=1)
    assert room.route() == [(patient.id, agent)]


@given(
    early=st.integers(1, 5), late=st.integers(1, 5), gap=st.integers(0, 60 * 60),
    aging=st.integers(1, 30).map(lambda minutes: timedelta(minutes=minutes)),
)  # fmt: skip
def test_nobody_starves(early: int, late: int, gap: int, aging: timedelta) -> None:
    base = DeskRoom.__dataclass_fields__["now"].default_factory()  # type: ignore[misc]
    first, second = rank(base, early, aging), rank(base + timedelta(seconds=gap), late, aging)
    if timedelta(seconds=gap) > aging * 5:
        assert first < second
    if gap == 0 and early < late:
        assert first < second


def test_in_a_storm_of_more_important_ones_the_patient_comes_before_all_who_come_late(room: DeskRoom) -> None:
    """Two a minute come and one in two minutes is done with: the line only grows, and still it is his turn."""
    agent = room.agent(capacity=1)
    busy, patient = room.taken(agent), room.request()
    came = {patient.id: room.now}
    served: list[int] = []
    flags = itertools.cycle((["high_value"], ["special_service"], ["high_value"], ["life_support"]))
    aging = BOOK.limits.minutes("aging")
    while patient.id not in served:
        assert len(served) < 40, "he starves"
        for _ in range(4):
            came[room.request(flags=next(flags)).id] = room.now
            room.passes(seconds=30)
        _ends(room, busy, agent)
        room.alive(agent)
        [(case_id, who)] = room.route()
        assert who == agent
        busy = room.claim(room.read(lambda session, one=case_id: session.get_one(Handoff, one)), agent)
        served.append(case_id)
    latest = max(came[one] for one in served)
    assert latest - came[patient.id] <= aging * (OTHER - LIFE_SUPPORT)
    assert latest > came[patient.id]
    left = room.read(waiting)
    assert left, "the storm goes on"
    assert all(came[one.id] >= came[patient.id] + aging for one in left)


# -- who


def test_only_agents_who_are_there_and_have_the_skill_are_asked(room: DeskRoom) -> None:
    room.agent(status="away")
    room.agent(status="offline")
    room.agent(here=False)
    room.agent(skills=("business",))
    able = room.agent(skills=("repair",))
    case = room.request(intents=["report_outage"])
    assert room.route() == [(case.id, able)]


def test_the_least_busy_is_asked_and_then_who_has_been_idle_longest(room: DeskRoom) -> None:
    first, second, third = (room.agent() for _ in range(3))
    room.taken(first)
    done = room.taken(second)
    _ends(room, done, second)
    assert [agent for _, agent in room.route()] == []
    cases = [room.request() for _ in range(2)]
    assert room.route() == [(cases[0].id, third), (cases[1].id, second)]


def test_an_offer_goes_on_to_the_next_and_returns_when_all_were_asked(room: DeskRoom) -> None:
    agents = [room.agent(), room.agent()]
    case = room.request()
    asked: list[int] = []
    for _ in range(4):
        for _ in range(3):
            offered = room.route()
            if offered:
                asked.append(offered[0][1])
                break
            room.passes(seconds=20)
            room.alive(*agents)
        room.passes(seconds=20)
        room.alive(*agents)
        room.call(life.lapse_offer, case.id)
    assert asked[0] != asked[1]
    assert (set(asked[:2]), len(asked)) == (set(agents), 4)


def test_a_declined_case_is_not_offered_to_the_same_agent_at_once(room: DeskRoom) -> None:
    agent = room.agent()
    case = room.request()
    room.route()
    room.call(life.decline, case.id, agent)
    assert room.route() == []
    room.passes(seconds=20)
    room.alive(agent)
    assert room.route() == [(case.id, agent)]


def test_who_comes_back_within_three_days_gets_the_same_agent(room: DeskRoom) -> None:
    first, _ = room.agent("小王"), room.agent("小李")
    _ends(room, room.taken(first, room.conversation("C0000077")), first)
    room.passes(hours=71)
    room.alive(first)
    room.agent("小张")
    again = room.request(room.conversation("C0000077"))
    assert room.route() == [(again.id, first)]


def test_after_three_days_or_while_he_is_away_anybody_does(room: DeskRoom) -> None:
    first = room.agent("小王")
    _ends(room, room.taken(first, room.conversation("C0000078")), first)
    room.passes(hours=73)
    other = room.agent("小李")
    again = room.request(room.conversation("C0000078"))
    assert room.route() == [(again.id, other)]


def test_for_a_busy_last_agent_one_waits_only_briefly(room: DeskRoom) -> None:
    first = room.agent("小王", capacity=1)
    _ends(room, room.taken(first, room.conversation("C0000079")), first)
    room.taken(first)
    other = room.agent("小李")
    again = room.request(room.conversation("C0000079"))
    assert room.route() == []
    room.passes(seconds=40)
    room.alive(first, other)
    assert room.route() == [(again.id, other)]


def test_with_nobody_of_the_skill_anybody_is_asked_after_a_while(room: DeskRoom) -> None:
    agent = room.agent(skills=("business",))
    case = room.request(intents=["report_fault"])
    assert room.route() == []
    room.passes(seconds=181)
    room.alive(agent)
    assert room.route() == [(case.id, agent)]


def test_a_danger_is_offered_above_capacity_and_nothing_else_is(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    room.request()
    danger = room.request(reason="danger")
    assert room.route() == [(danger.id, agent)]
    assert room.route() == []


def test_nobody_gets_more_offers_than_he_has_room_for(room: DeskRoom) -> None:
    agent = room.agent(capacity=2)
    for _ in range(5):
        room.request()
    assert [who for _, who in room.route()] == [agent, agent]
    assert room.route() == []


def test_an_agent_who_went_away_between_plan_and_offer_is_not_offered_anything(room: DeskRoom) -> None:
    from core.handoff import routing

    agent = room.agent()
    case = room.request()
    [choice] = room.read(lambda session: routing.plan(session, book=BOOK, now=room.now))
    room.passes(seconds=46)
    assert not room.write(lambda session: routing.offer_chosen(session, choice, book=BOOK, now=room.now))
    assert (room.mode(case), agent) == ("queued", choice.agent_id)


def test_a_case_whose_agent_took_something_else_after_the_plan_keeps_its_turn(room: DeskRoom) -> None:
    from core.handoff import routing

    room.agent("甲", capacity=1)
    room.agent("乙", capacity=1)
    first, second = room.request(), room.request()
    pulled = room.request()
    choices = room.read(lambda session: routing.plan(session, book=BOOK, now=room.now))
    assert [one.handoff_id for one in choices] == [first.id, second.id]
    planned, other = (one.agent_id for one in choices)
    room.claim(pulled, planned)
    done = [
        room.write(lambda session, one=one: routing.offer_chosen(session, one, book=BOOK, now=room.now))
        for one in choices
    ]  # fmt: skip
    assert (done, room.case(first).offered_to, room.case(second).offered_to) == ([True, False], other, None)


def test_a_console_that_is_silent_for_too_long_is_vanished(room: DeskRoom) -> None:
    from core.handoff import routing

    agent = room.agent()
    case = room.taken(agent)
    room.passes(seconds=90)
    assert room.read(lambda session: routing.vanished(session, book=BOOK, now=room.now)) == []
    room.passes(seconds=1)
    assert room.read(lambda session: routing.vanished(session, book=BOOK, now=room.now)) == [case.id]
