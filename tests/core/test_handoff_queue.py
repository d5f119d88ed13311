"""The queue and the routing: who comes first, who is asked, and what those who wait are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, empty, new_room
from hypothesis import given
from hypothesis import strategies as st

from core.db import Database
from core.handoff import life, speech
from core.handoff.ending import WrapUp
from core.handoff.queue import QueueView, expected_wait, view_of
from core.handoff.rules import rank
from core.handoff.tables import Handoff
from core.roster import Worker, on_duty
from core.working_time import Due


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


def _view(room: DeskRoom, case: Handoff) -> QueueView:
    found = room.read(lambda session: view_of(session, case.conversation_id, book=BOOK, now=room.now))
    assert found is not None
    return found


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


# -- what one is told


def test_the_place_counts_only_those_who_wait_for_the_same_agents(room: DeskRoom) -> None:
    room.agent("甲", skills=("repair",), capacity=1)
    room.agent("乙", skills=("billing", "business"), capacity=1)
    repair = [room.request(intents=["report_outage"]) for _ in range(3)]
    billing = room.request(intents=["query_bill"])
    business = room.request(intents=["apply_transfer"])
    assert [_view(room, case).place for case in repair] == [1, 2, 3]
    assert (_view(room, billing).place, _view(room, business).place) == (1, 2)


def test_the_expected_wait_comes_from_places_and_handling_time() -> None:
    workers = [Worker(1, frozenset({"repair"}), 2, 2, None), Worker(2, frozenset({"repair"}), 2, 1, None)]
    handling = timedelta(minutes=8)
    waits = [expected_wait(place, workers, handling) for place in (1, 2, 3, 5)]
    assert waits == [timedelta(0), timedelta(minutes=2), timedelta(minutes=4), timedelta(minutes=8)]


def test_handling_times_are_learned_from_the_latest_cases(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    for _ in range(10):
        case = room.taken(agent, intents=["query_bill"])
        room.passes(minutes=1)
        _ends(room, case, agent)
    room.alive(agent)
    room.taken(agent, intents=["query_bill"])
    waits = _view(room, room.request(intents=["query_bill"])).wait
    assert waits == timedelta(minutes=(10 * 1 + 5 * 7) / 15)


def test_nobody_is_told_at_once_while_the_head_of_the_line_waits_for_long(room: DeskRoom) -> None:
    agent = room.agent(capacity=4)
    first = room.request()
    assert _view(room, first).wait == timedelta(0)
    room.passes(minutes=13)
    room.alive(agent)
    second = room.request()
    assert [_view(room, case).wait for case in (first, second)] == [timedelta(minutes=13)] * 2
    said = speech.standing(_view(room, second), book=BOOK, now=room.now)
    assert said == "您前面还有 1 位，大约要等 13 分钟。"
    room.offer(first, agent)  # rings again: nobody knows whether it is answered this time
    assert _view(room, first).wait is None
    assert _view(room, second).wait == timedelta(minutes=13)


def test_a_line_that_moves_goes_by_the_model_again(room: DeskRoom) -> None:
    agent = room.agent(capacity=1)
    room.taken(agent)
    line = [room.request() for _ in range(2)]
    room.passes(minutes=20)
    helper = room.agent(capacity=1)
    room.alive(agent)
    room.claim(line[0], helper)
    room.passes(seconds=10)
    assert _view(room, line[1]).wait == timedelta(minutes=BOOK.limits.handling_minutes["business"]) / 2


def test_who_is_given_back_has_not_waited_while_somebody_had_him(room: DeskRoom) -> None:
    agent, other = room.agent(), room.agent()
    case = room.taken(agent)
    room.passes(minutes=30)
    room.alive(other)
    room.call(life.vanish, case.id)
    assert _view(room, case).wait == timedelta(0)


def test_with_nobody_on_duty_no_wait_is_claimed_and_the_promise_is_in_working_time(room: DeskRoom) -> None:
    room.now = room.now.replace(hour=21)  # after the desk's hours
    case = room.request(intents=["query_bill"])
    view = _view(room, case)
    assert (view.wait, view.on_duty, view.open) == (None, False, False)
    assert view.answer_by.at == (room.now + timedelta(days=1)).replace(hour=10)
    text = speech.standing(view, book=BOOK, now=room.now)
    assert "不是人工服务时间" in text
    assert "明天10:00前" in text


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (None, "说不准"), (timedelta(0), "马上接待"), (timedelta(seconds=20), "1 分钟"),
        (timedelta(seconds=61), "2 分钟"), (timedelta(minutes=59), "59 分钟"), (timedelta(minutes=130), "2 小时以上"),
    ],
)  # fmt: skip
def test_waits_are_said_in_honest_words(wait: timedelta | None, said: str) -> None:
    assert said in speech.waiting_words(wait, book=BOOK)


def test_a_promise_over_unknown_holidays_says_that_it_may_move(room: DeskRoom) -> None:
    view = QueueView(1, None, on_duty=False, open=True, answer_by=Due(room.now + timedelta(hours=2), certain=False))
    assert "节假日可能顺延" in speech.standing(view, book=BOOK, now=room.now)


def test_changed_hours_hold_without_a_new_start(room: DeskRoom) -> None:
    import yaml

    from core.desk_setting import change_setting
    from core.handoff.book import Book

    book = Book.load(Path(__file__).parents[2] / "data")
    changed = yaml.safe_load((Path(__file__).parents[2] / "data" / "desk" / "hours.yaml").read_text(encoding="utf-8"))
    changed["schedules"]["desk"]["workday"] = ["11:00-12:00"]
    assert book.calendar.open_at(room.now, "billing")
    room.write(lambda session: change_setting(session, "hours", changed, agent_id=None, now=room.now))
    room.read(book.hours.refresh)
    assert not book.calendar.open_at(room.now, "billing")
    assert book.hours.at(room.now - timedelta(seconds=1)).open_at(room.now, "billing")


def test_agents_with_no_room_at_all_are_not_on_duty(room: DeskRoom) -> None:
    room.agent(capacity=0)
    assert room.read(lambda session: on_duty(session, now=room.now)) == []
