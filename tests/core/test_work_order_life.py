"""What becomes of an order: stages by the table alone, urging that counts once, the end, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from core import promise
from core.db import Database
from core.fields import Keyring
from core.migrations import upgrade
from core.notice import Notice
from core.promise import Commitments, Subject
from core.work_order import (
    NEXT,
    STATES,
    Filing,
    OrderEvent,
    OrderNotFound,
    OrderOver,
    Urged,
    WorkOrder,
    WrongState,
    add_danger_note,
    add_note,
    cancel,
    confirm,
    danger_order_of,
    file_order,
    leave,
    progress,
    urge,
)

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FILING = Filing(
    cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", conversation_id="c1", area_class="city",
    promises=[("arrival", NOW + 45 * MINUTE)],
)  # fmt: skip
COMMITMENTS = Commitments.load(Path(__file__).parents[2] / "data" / "promises.yaml")


@pytest.fixture(params=["sqlite", "postgresql"])
def orders(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty work-order database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


@pytest.fixture
def order_id(orders: Database, keyring: Keyring) -> int:
    """An order of conversation c1, which c2 joined."""
    with orders.transaction() as session:
        order = file_order(session, FILING, keyring=keyring, now=NOW).order
        again = replace(FILING, cause="c2:1", conversation_id="c2", place_code="T", address="a")
        order.place_code = "T"
        order.address_hash = keyring.blind("a", "work_orders.address")
        assert file_order(session, again, keyring=keyring, now=NOW).joined
        return order.id


def _to(orders: Database, order_id: int, *states: str, now: datetime = NOW) -> None:
    for state in states:
        with orders.transaction() as session:
            progress(session, session.get_one(WorkOrder, order_id), state, now=now, commitments=COMMITMENTS)


def _urge(orders: Database, order_id: int, now: datetime) -> Urged:
    with orders.transaction() as session:
        return urge(session, session.get_one(WorkOrder, order_id), now=now, conversation_id="c1")


def _notices(orders: Database) -> list[tuple[str, str]]:
    with orders.reading() as session:
        return [(one.conversation_id, one.wording) for one in session.scalars(select(Notice).order_by(Notice.id))]


def _events(orders: Database, order_id: int) -> list[str]:
    with orders.reading() as session:
        return list(
            session.scalars(select(OrderEvent.kind).where(OrderEvent.order_id == order_id).order_by(OrderEvent.seq))
        )


def test_every_stage_is_told_to_all_who_wait(orders: Database, order_id: int) -> None:
    _to(orders, order_id, "dispatched", "taken", "arrived", "working", "done", "closed")
    stages = ("dispatched", "taken", "arrived", "working", "done", "closed")
    assert _notices(orders) == [(who, f"order_{stage}") for stage in stages for who in ("c1", "c2")]
    with orders.reading() as session:
        order = session.get_one(WorkOrder, order_id)
        assert (order.state, order.closed_at) == ("closed", NOW)


def test_the_same_stage_again_changes_and_tells_nothing(orders: Database, order_id: int) -> None:
    _to(orders, order_id, "dispatched", "dispatched")
    assert len(_notices(orders)) == 2


def test_arrival_keeps_its_promise_and_gives_the_next_one(orders: Database, order_id: int) -> None:
    _to(orders, order_id, "dispatched", "taken", "arrived", now=NOW + 30 * MINUTE)
    subject = Subject("order", order_id)
    with orders.reading() as session:
        assert promise.due_of(session, subject, promise.ARRIVAL) is None
        restore = promise.due_of(session, subject, promise.RESTORE)
    assert restore is not None
    assert restore.due_at == NOW + 30 * MINUTE + timedelta(hours=3)


@given(st.lists(st.sampled_from(STATES), max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_way_leads_past_the_table(orders: Database, keyring: Keyring, steps: list[str]) -> None:
    with orders.transaction() as session:
        order = file_order(session, FILING, keyring=keyring, now=NOW, joins=False).order
        for step in steps:
            before = order.state
            if step == before:
                assert not progress(session, order, step, now=NOW)
            elif step in NEXT[before]:
                assert progress(session, order, step, now=NOW)
                assert order.state == step
            else:
                with pytest.raises(WrongState):
                    progress(session, order, step, now=NOW)
                assert order.state == before
            assert (order.closed_at is not None) == (order.state in ("closed", "cancelled"))
        for table in (Notice, promise.Promise, OrderEvent, WorkOrder):
            session.execute(delete(table))


# -- urging


def test_the_first_urging_makes_the_order_urgent_and_a_repeated_click_counts_once(
    orders: Database, order_id: int
) -> None:
    assert _urge(orders, order_id, NOW + MINUTE) == Urged(counted=True, raised=True, escalated=False)
    assert _urge(orders, order_id, NOW + 2 * MINUTE) == Urged(counted=False, raised=False, escalated=False)
    assert _urge(orders, order_id, NOW + 11 * MINUTE) == Urged(counted=True, raised=False, escalated=False)
    with orders.reading() as session:
        order = session.get_one(WorkOrder, order_id)
        assert (order.urges, order.priority, order.escalated_at) == (2, "urgent", None)


def test_urging_past_the_promise_escalates_once(orders: Database, order_id: int) -> None:
    late = NOW + 46 * MINUTE
    assert _urge(orders, order_id, late).escalated
    assert _urge(orders, order_id, late + 10 * MINUTE).escalated
    assert _events(orders, order_id).count("escalated") == 1


def test_clicks_at_the_same_moment_count_once(orders: Database, order_id: int) -> None:
    with ThreadPoolExecutor(6) as pool:
        counted = list(pool.map(lambda _: _urge(orders, order_id, NOW + MINUTE).counted, range(6)))
    assert counted.count(True) == 1


def test_what_is_done_cannot_be_urged(orders: Database, order_id: int) -> None:
    _to(orders, order_id, "dispatched", "taken", "working", "done")
    with pytest.raises(OrderOver):
        _urge(orders, order_id, NOW)


# -- the end


def _change(orders: Database, order_id: int, work: Callable[..., None], **more: object) -> None:
    with orders.transaction() as session:
        work(session, session.get_one(WorkOrder, order_id), now=NOW, **more)


def test_a_withdrawn_order_is_over_and_the_others_are_told(orders: Database, order_id: int) -> None:
    _change(orders, order_id, cancel, conversation_id="c1")
    assert _notices(orders) == [("c2", "order_cancelled")]
    with pytest.raises(OrderOver) as raised:
        _change(orders, order_id, cancel)
    assert raised.value.values["state"] == "cancelled"
    with orders.reading() as session:
        assert promise.standing(session, Subject("order", order_id)) == []


def test_an_order_that_is_being_worked_on_is_not_withdrawn(orders: Database, order_id: int) -> None:
    _to(orders, order_id, "dispatched", "taken", "working")
    with pytest.raises(WrongState):
        _change(orders, order_id, cancel)


def test_a_danger_is_not_withdrawn_by_a_click(orders: Database, keyring: Keyring) -> None:
    with orders.transaction() as session:
        danger = replace(FILING, kind="wire", family="danger", priority="urgent")
        order_id = file_order(session, danger, keyring=keyring, now=NOW).order.id
    for work, more in ((cancel, {}), (confirm, {"mended": True})):
        with pytest.raises(WrongState):
            _change(orders, order_id, work, **more)


def test_who_left_hears_no_more(orders: Database, order_id: int) -> None:
    _change(orders, order_id, leave, conversation_id="c2")
    _to(orders, order_id, "dispatched")
    assert _notices(orders) == [("c1", "order_dispatched")]


def test_mended_closes_the_order_once_and_not_mended_opens_it_again(orders: Database, order_id: int) -> None:
    for _ in range(2):
        _change(orders, order_id, confirm, mended=True, conversation_id="c1")
    with orders.reading() as session:
        assert session.get_one(WorkOrder, order_id).state == "closed"
    for _ in range(2):
        _change(orders, order_id, confirm, mended=False, conversation_id="c1")
    with orders.reading() as session:
        order = session.get_one(WorkOrder, order_id)
        assert (order.state, order.closed_at) == ("accepted", None)
    assert _events(orders, order_id) == ["filed", "joined", "confirmed", "state", "reopened", "state"]
    assert _notices(orders) == [("c2", "order_closed"), ("c2", "order_accepted")]


def test_a_withdrawn_order_is_not_opened_again(orders: Database, order_id: int) -> None:
    _change(orders, order_id, cancel)
    for mended in (True, False):
        with pytest.raises(OrderOver):
            _change(orders, order_id, confirm, mended=mended)


# -- notes


def test_a_note_is_added_once_for_its_message(orders: Database, keyring: Keyring, order_id: int) -> None:
    for expected in (True, False):
        with orders.transaction() as session:
            order = session.get_one(WorkOrder, order_id)
            assert add_note(session, order, "在门口路灯下", keyring=keyring, now=NOW, cause="c1:9") is expected
    assert _events(orders, order_id)[2:] == ["note"]


def test_the_danger_of_a_conversation_is_found_open_or_not(orders: Database, keyring: Keyring) -> None:
    danger = replace(FILING, kind="wire", family="danger", priority="urgent")
    with orders.transaction() as session:
        assert danger_order_of(session, "c1") is None
        first = file_order(session, danger, keyring=keyring, now=NOW).order
        assert danger_order_of(session, "c1") is first
        assert danger_order_of(session, "c2") is None
        progress(session, first, "closed", now=NOW)
        assert danger_order_of(session, "c1") is first
        second = file_order(session, replace(danger, cause="c1:2"), keyring=keyring, now=NOW).order
        assert danger_order_of(session, "c1") is second


def test_a_word_about_a_danger_that_has_no_order_yet_waits_for_it(orders: Database, keyring: Keyring) -> None:
    def say() -> None:
        with orders.transaction() as session:
            add_danger_note(session, conversation_id="c1", cause="c1:9", text="在门口", keyring=keyring, now=NOW)

    with pytest.raises(OrderNotFound):
        say()
    with orders.transaction() as session:
        danger = replace(FILING, kind="wire", family="danger", priority="urgent")
        order_id = file_order(session, danger, keyring=keyring, now=NOW).order.id
    say()
    say()
    assert _events(orders, order_id) == ["filed", "note"]
