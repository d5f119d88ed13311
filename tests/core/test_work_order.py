"""Filing: once for a cause, numbered, joined to what is the same matter, and shown to whom it concerns alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from core.db import Database
from core.fields import Keyring, UnreadableField, new_key
from core.migrations import upgrade
from core.promise import Promise
from core.work_order import (
    Filed,
    Filing,
    OrderEvent,
    OrderNotFound,
    WorkOrder,
    cancel,
    conversations_of,
    file_order,
    is_own,
    open_urgent,
    orders_of,
    reveal,
)

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
ARRIVAL = NOW + timedelta(minutes=45)
REPAIR = Filing(
    cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", account_no="4201000000001",
    customer_no="C0000001", conversation_id="c1", address="江汉区万松里3栋502", contact="13800002842",
    district="江汉区", area_class="city", place_code="T-0001", description="屋里没电了",
    details={"停电范围": "只有我家"}, promises=[("arrival", ARRIVAL)],
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def orders(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty work-order database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def _file(orders: Database, keyring: Keyring, filing: Filing, now: datetime = NOW, *, joins: bool = True) -> Filed:
    with orders.transaction() as session:
        return file_order(session, filing, keyring=keyring, now=now, joins=joins)


def _danger(
    orders: Database, keyring: Keyring, cause: str, now: datetime = NOW, conversation: str | None = None
) -> str:
    with orders.transaction() as session:
        return open_urgent(
            session, cause=cause, category="故障报修→紧急→断线落地", kind="wire", account_no=None,
            description="电线掉了", keyring=keyring, now=now, conversation_id=conversation,
        ).order_no  # fmt: skip


def _other(filing: Filing = REPAIR, **changes: object) -> Filing:
    """Return a filing of somebody else, elsewhere, but for the changes."""
    nobody = {
        "cause": "c2:1", "account_no": None, "customer_no": None, "conversation_id": "c2", "address": None,
        "place_code": None, "contact": None,
    }  # fmt: skip
    return replace(filing, **{**nobody, **changes})


def test_the_same_cause_is_the_same_order(orders: Database, keyring: Keyring) -> None:
    first = _file(orders, keyring, REPAIR)
    again = _file(orders, keyring, REPAIR, NOW + timedelta(days=3))
    assert (first.new, again.new, again.joined) == (True, False, False)
    assert first.order.order_no == again.order.order_no == "20261122000001"


def test_numbers_count_up_within_the_day_of_shanghai(orders: Database, keyring: Keyring) -> None:
    evening, night = datetime(2026, 11, 22, 15, 59, tzinfo=UTC), datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    numbers = [_danger(orders, keyring, cause, now) for cause, now in (("a", evening), ("b", evening), ("c", night))]
    assert numbers == ["20261122000001", "20261122000002", "20261123000001"]


def test_an_order_is_kept_encrypted_and_read_with_the_keys_alone(orders: Database, keyring: Keyring) -> None:
    order = _file(orders, keyring, REPAIR).order
    with orders.reading() as session:
        raw = " ".join(str(value) for row in session.execute(text("SELECT * FROM work_orders")) for value in row)
        found = reveal(session.scalars(select(WorkOrder)).one(), keyring=keyring)
    assert [word for word in ("万松里", "13800002842", "没电", "只有我家") if word in raw] == []
    assert (found.address, found.contact, found.description) == ("江汉区万松里3栋502", "13800002842", "屋里没电了")
    assert found.details == {"停电范围": "只有我家"}
    with pytest.raises(UnreadableField):
        reveal(order, keyring=Keyring.parse(f"test:{new_key()}", new_key()))


def test_a_promise_is_told_to_the_conversation_that_filed(orders: Database, keyring: Keyring) -> None:
    order = _file(orders, keyring, REPAIR).order
    with orders.reading() as session:
        one = session.scalars(select(Promise)).one()
    assert (one.subject_kind, one.subject_id, one.kind) == ("order", order.id, "arrival")
    assert (one.conversation_id, one.due_at) == ("c1", ARRIVAL)


@pytest.mark.parametrize(
    ("second", "joined"),
    [
        (_other(account_no=REPAIR.account_no, customer_no=REPAIR.customer_no), True),
        (_other(place_code="T-0001", address="江汉区 万松里 ３栋502"), True),
        (_other(conversation_id="c1"), True),
        (_other(conversation_id="c1", account_no=REPAIR.account_no, address="万松里三栋"), True),
        (_other(account_no=REPAIR.account_no), False),  # a stranger who names the number
        (_other(place_code="T-0001", address="江汉区万松里3栋503"), False),
        (_other(place_code="T-0002", address=REPAIR.address), False),
        (_other(conversation_id="c1", account_no="4201000000002"), False),
        (_other(conversation_id="c1", address="汉阳区月湖湾1栋"), False),
        (_other(conversation_id="c1", kind="voltage"), False),
        (_other(), False),
    ],
)
def test_only_a_report_of_the_same_matter_joins(
    orders: Database, keyring: Keyring, second: Filing, joined: bool
) -> None:
    first = _file(orders, keyring, REPAIR)
    found = _file(orders, keyring, second, NOW + timedelta(minutes=5))
    assert (found.joined, found.order.id == first.order.id) == (joined, joined)


def test_what_comes_after_two_hours_or_after_the_end_is_a_new_order(orders: Database, keyring: Keyring) -> None:
    anonymous = _other()
    first = _file(orders, keyring, anonymous)
    later = _file(orders, keyring, replace(anonymous, cause="c2:2"), NOW + timedelta(hours=2, seconds=1))
    assert (first.new, later.new) == (True, True)
    with orders.transaction() as session:
        cancel(session, session.get_one(WorkOrder, later.order.id), now=LATER)
    assert _file(orders, keyring, replace(anonymous, cause="c2:3"), LATER).new


def test_with_joins_off_a_second_report_is_an_order_of_its_own(orders: Database, keyring: Keyring) -> None:
    _file(orders, keyring, REPAIR)
    assert _file(orders, keyring, replace(REPAIR, cause="c1:2"), joins=False).new


def test_a_joined_report_keeps_its_words_and_is_promised_the_same(orders: Database, keyring: Keyring) -> None:
    _file(orders, keyring, REPAIR)
    second = replace(REPAIR, cause="c2:1", conversation_id="c2", description="还是没电，老人在家")
    for _ in range(2):
        assert _file(orders, keyring, second).joined
    with orders.reading() as session:
        order = session.scalars(select(WorkOrder)).one()
        assert [(event.kind, event.conversation_id) for event in order.events] == [("filed", "c1"), ("joined", "c2")]
        note = keyring.decrypt(str(order.events[1].note_cipher), f"order_events.note:{order.order_no}:2")
        assert "还是没电，老人在家" in note
        assert conversations_of(session, order) == ["c1", "c2"]
        told = session.execute(select(Promise.conversation_id, Promise.due_at)).all()
    assert sorted(map(tuple, told)) == [("c1", ARRIVAL), ("c2", ARRIVAL)]


def test_more_of_a_danger_joins_its_order_and_fills_in_what_was_not_known(orders: Database, keyring: Keyring) -> None:
    assert _danger(orders, keyring, "c9:1", conversation="c9") == _danger(
        orders, keyring, "c9:5", NOW + timedelta(hours=1), conversation="c9"
    )
    where = _other(
        cause="c9:7", conversation_id="c9", kind="fire", family="danger", address="万松里门口", description=""
    )
    assert _file(orders, keyring, where, NOW + timedelta(hours=1)).joined
    with orders.reading() as session:
        order = session.scalars(select(WorkOrder)).one()
    assert (order.priority, order.state, order.kind, order.opened_at) == ("urgent", "accepted", "wire", NOW)
    assert reveal(order, keyring=keyring).address == "万松里门口"


def test_an_urgent_report_makes_the_order_that_it_joins_urgent(orders: Database, keyring: Keyring) -> None:
    _file(orders, keyring, REPAIR)
    assert _file(orders, keyring, replace(REPAIR, cause="c1:2", priority="urgent")).order.priority == "urgent"


def test_many_at_once_are_all_opened_with_numbers_of_their_own(orders: Database, keyring: Keyring) -> None:
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda number: _danger(orders, keyring, str(number % 12)), range(24)))
    assert sorted(set(numbers)) == [f"202611220000{number:02d}" for number in range(1, 13)]


def test_many_reports_of_one_matter_at_once_are_one_order(orders: Database, keyring: Keyring) -> None:
    reports = [_other(cause=f"c{n}:1", conversation_id=f"c{n}", place_code="T-9", address="a") for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        filed = list(pool.map(lambda report: _file(orders, keyring, report), reports))
    assert [sum(one.new for one in filed), sum(one.joined for one in filed)] == [1, 11]
    with orders.reading() as session:
        assert session.scalar(select(func.count()).select_from(WorkOrder)) == 1
        assert session.scalars(select(OrderEvent.seq).order_by(OrderEvent.seq)).all() == list(range(1, 13))


# -- whose orders


def _numbers(orders: Database, **who: object) -> list[str]:
    given = {"conversation_id": "elsewhere", **who}
    with orders.reading() as session:
        return [order.order_no for order in orders_of(session, **given)]


def test_orders_are_found_by_conversation_customer_and_account(orders: Database, keyring: Keyring) -> None:
    number = _file(orders, keyring, REPAIR).order.order_no
    assert _numbers(orders, conversation_id="c1") == [number]
    assert _numbers(orders, customer_no="C0000001") == [number]
    assert _numbers(orders, accounts=["4201000000001"]) == [number]
    assert _numbers(orders, customer_no="C0000002", accounts=["4201000000002"]) == []
    assert _numbers(orders, conversation_id="c1", order_no=f"WO{number}") == [number]


def test_a_report_by_a_stranger_that_names_an_account_is_not_shown_to_its_holder(
    orders: Database, keyring: Keyring
) -> None:
    theft = _other(kind="report_theft", category="举报→窃电", account_no="4201000000001")
    number = _file(orders, keyring, theft).order.order_no
    assert _numbers(orders, customer_no="C0000001", accounts=["4201000000001"]) == []
    with pytest.raises(OrderNotFound):
        _numbers(orders, customer_no="C0000001", accounts=["4201000000001"], order_no=number)


def test_somebody_elses_number_and_one_that_does_not_exist_are_the_same_error(
    orders: Database, keyring: Keyring
) -> None:
    number = _file(orders, keyring, REPAIR).order.order_no
    errors = []
    for asked in (number, "20261122999999"):
        with pytest.raises(OrderNotFound) as raised:
            _numbers(orders, conversation_id="c7", order_no=asked)
        errors.append((raised.value.code, set(raised.value.values)))
    assert errors[0] == errors[1]


def test_open_orders_come_first_and_then_the_newest(orders: Database, keyring: Keyring) -> None:
    made = [
        _file(orders, keyring, replace(REPAIR, cause=f"c1:{n}"), NOW + timedelta(minutes=n), joins=False).order
        for n in range(4)
    ]
    with orders.transaction() as session:
        cancel(session, session.get_one(WorkOrder, made[3].id), now=LATER)
    expected = [made[index].order_no for index in (2, 1, 0, 3)]
    assert _numbers(orders, conversation_id="c1") == expected
    assert _numbers(orders, conversation_id="c1", limit=2) == expected[:2]


def test_who_joined_sees_the_order_and_does_not_own_it(orders: Database, keyring: Keyring) -> None:
    _file(orders, keyring, REPAIR)
    order = _file(orders, keyring, _other(place_code="T-0001", address=REPAIR.address)).order
    assert _numbers(orders, conversation_id="c2") == [order.order_no]
    with orders.reading() as session:
        order = session.get_one(WorkOrder, order.id)
        owns = [
            is_own(session, order, conversation_id=conversation, customer_no=customer)
            for conversation, customer in (("c1", None), ("c3", "C0000001"), ("c2", None), ("c2", "C0000002"))
        ]
    assert owns == [True, True, False, False]


def test_what_was_filed_in_a_joined_conversation_is_found_and_owned_in_the_one_it_goes_on_in(
    orders: Database, keyring: Keyring
) -> None:
    filed = _file(orders, keyring, replace(REPAIR, customer_no=None, account_no=None, conversation_id="page"))
    with orders.reading() as session:
        found = orders_of(session, conversation_id="home", conversations=("page", "elsewhere"))
        assert [one.order_no for one in found] == [filed.order.order_no]
        assert orders_of(session, conversation_id="home") == []
        assert is_own(session, found[0], conversation_id="home", customer_no=None, conversations=("page",))
        assert not is_own(session, found[0], conversation_id="home", customer_no="C0000002")
