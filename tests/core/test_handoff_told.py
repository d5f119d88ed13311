"""What those who wait are told: their place, how long it takes, and until when somebody answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from handoff_kit import BOOK, DeskRoom, empty, new_room

from core.db import Database
from core.handoff import life, speech
from core.handoff.ending import WrapUp
from core.handoff.queue import QueueView, expected_wait, view_of
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
