"""How figures are told: what is not over yet is not compared as if it were, and what was withdrawn is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from insight_kit import DATA
from sqlalchemy import select

from core import promise
from core.clock import SHANGHAI
from core.db import Database
from core.fields import Keyring
from core.insight.boards import BOARDS
from core.insight.kpi import Asked
from core.insight.promised import Told, told_promises
from core.insight.service_tables import PROMISES
from core.insight.spans import Span
from core.insight.telling import figure_json, text_of
from core.insight.words import words_of
from core.migrations import upgrade
from core.outage import Outage, OutageSubscriber
from core.outage_control import change_state, expect, reschedule
from core.promise import ANSWER, RESTORE, Subject
from core.work_order import WorkOrder
from core.work_order.filing import Filing, file_order
from core.work_order.life import cancel, progress

WORDS = words_of(DATA)
NINE = datetime(2026, 11, 23, 9, 0, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)
FILING = Filing(
    cause="c1:1", conversation_id="c1", kind="complaint", category="投诉→服务", title="投诉", family="complaint",
    description="没人回电话",
)  # fmt: skip


def told(key: str, value: float, previous: float, *, unfinished: bool) -> tuple[str, str]:
    kpi = next(kpi for board in BOARDS.values() for kpi in board.kpis if kpi.key == key)
    shown = figure_json(
        key, value, previous, WORDS.figures[key], WORDS, rows=None, unfinished=unfinished, counts=kpi.counts
    )
    return shown["verdict"], shown["change_text"]


def test_a_count_of_a_day_that_is_not_over_is_neither_good_nor_bad() -> None:
    assert told("complaints", 0, 2, unfinished=False) == ("good", "-100.0%")
    assert told("complaints", 0, 2, unfinished=True) == ("none", "本期未完")
    assert told("complaint_rate", 0, 2, unfinished=True) == ("none", "本期未完")
    assert told("failures", 9, 2, unfinished=True) == ("none", "本期未完")


def test_a_number_with_nothing_before_it_says_so_and_does_not_say_that_there_is_no_number() -> None:
    shown = figure_json("satisfaction", 4.2, None, WORDS.figures["satisfaction"], WORDS, rows=None)
    assert (shown["text"], shown["change_text"], shown["verdict"]) == ("4.20 分", "前期无数据", "none")
    gone = figure_json("satisfaction", None, 4.2, WORDS.figures["satisfaction"], WORDS, rows=None)
    assert (gone["text"], gone["change_text"], gone["verdict"]) == ("还没有评价", "无数据", "none")


def test_what_began_in_the_days_before_is_not_measured_by_them() -> None:
    one = WORDS.figures["failures"]
    shown = figure_json("failures", 30, 2, one, WORDS, rows=None, young=True)
    assert (shown["previous"], shown["change_text"], shown["verdict"]) == (2, "前期数据不全", "none")
    assert figure_json("failures", 30, 2, one, WORDS, rows=None)["verdict"] == "bad"
    today = figure_json("failures", 30, 2, one, WORDS, rows=None, young=True, unfinished=True, counts=True)
    assert (today["change_text"], today["verdict"]) == ("本期未完", "none")


def test_a_share_of_a_day_that_is_not_over_is_compared_and_says_that_it_is_not_over() -> None:
    assert told("first_response", 0.5, 0.75, unfinished=False) == ("bad", "-25.0 个百分点")
    assert told("first_response", 0.5, 0.75, unfinished=True) == ("bad", "-25.0 个百分点（本期未完）")
    assert told("first_response", 0.5, 0.5, unfinished=True) == ("none", "持平（本期未完）")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0秒"), (53.4, "53秒"), (59.6, "1分00秒"), (61, "1分01秒"), (3599.7, "1小时00分"), (7500, "2小时05分")],
)
def test_a_duration_is_told_without_noughts_in_front(seconds: float, text: str) -> None:
    assert text_of(seconds, "seconds", WORDS) == text


def test_a_span_is_not_over_while_its_last_day_runs() -> None:
    today = NINE.date()
    over = [
        Asked(Span(first, last), None, NINE).is_unfinished
        for first, last in [(today, today), (today - timedelta(6), today), (today - timedelta(1), today - timedelta(1))]
    ]
    assert over == [True, True, False]
    assert not Asked(Span(today, today), None, datetime(2026, 11, 24, tzinfo=SHANGHAI)).is_unfinished


def test_what_stands_at_one_moment_is_whole_at_any_time() -> None:
    standing = {kpi.key for board in BOARDS.values() for kpi in board.kpis if kpi.at_end}
    assert {"outages_now", "accounts_out", "model_accuracy"} < standing
    assert standing >= {kpi.key for kpi in BOARDS["customers"].kpis}
    assert not standing & {kpi.key for kpi in BOARDS["service"].kpis}


@pytest.fixture(params=DIALECTS)
def orders(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def kept(orders: Database, now: datetime) -> list[tuple[str, bool | None]]:
    with orders.reading() as session:
        found: list[Told] = told_promises(session, NINE - 24 * HOUR, NINE + 24 * HOUR, now=now)
    return sorted((one.kind, one.kept) for one in found)


def promised(orders: Database, keyring: Keyring, *due: tuple[str, datetime]) -> int:
    with orders.transaction() as session:
        order = file_order(session, FILING, keyring=keyring, now=NINE, joins=False).order
        for kind, at in due:
            promise.tell(session, Subject("order", order.id), kind, at, conversation_id="c1", now=NINE)
        return order.id


@pytest.mark.parametrize(("after", "expected"), [(1, None), (3, False)])
def test_a_promise_of_an_order_cancelled_before_it_was_due_is_neither_kept_nor_broken(
    orders: Database, keyring: Keyring, after: int, expected: bool | None
) -> None:
    number = promised(orders, keyring, (ANSWER, NINE + 2 * HOUR))
    with orders.transaction() as session:
        cancel(session, session.get_one(WorkOrder, number), now=NINE + after * HOUR)
    assert kept(orders, NINE + 5 * HOUR) == [("answer", expected)]


def test_what_was_kept_before_the_order_was_cancelled_was_kept(orders: Database, keyring: Keyring) -> None:
    number = promised(orders, keyring, (promise.CONTACT, NINE + 2 * HOUR), (ANSWER, NINE + 9 * HOUR))
    with orders.transaction() as session:
        order = session.get_one(WorkOrder, number)
        for state in ("dispatched", "taken"):
            progress(session, order, state, now=NINE + HOUR)
        cancel(session, order, now=NINE + 3 * HOUR)
    assert kept(orders, NINE + 20 * HOUR) == [("answer", None), ("contact", True)]


def test_an_outage_that_turns_out_to_be_none_has_not_been_restored_in_time(orders: Database) -> None:
    with orders.transaction() as session:
        outage = Outage(
            outage_no="O1", kind="fault", state="confirmed", area="万松里", district="江汉区", area_class="city",
            started_at=NINE - HOUR, expected_at=NINE + 2 * HOUR, cause=None,
        )  # fmt: skip
        session.add(outage)
        session.flush()
        promise.tell(session, Subject("outage", outage.id), RESTORE, NINE + 2 * HOUR, conversation_id="c1", now=NINE)
        change_state(session, outage, "cancelled", now=NINE + HOUR)
    assert kept(orders, NINE + 5 * HOUR) == [("restore", None)]


def works(orders: Database, state: str = "planned") -> int:
    """Write works from two o'clock to five of which a conversation was told the end."""
    with orders.transaction() as session:
        outage = Outage(
            outage_no="O1", kind="planned", state=state, area="万松里", district="江汉区", area_class="city",
            started_at=NINE + 2 * HOUR, expected_at=NINE + 5 * HOUR, cause="maintenance",
        )  # fmt: skip
        session.add(outage)
        session.flush()
        session.add(OutageSubscriber(outage_id=outage.id, conversation_id="c1", since=NINE))
        promise.tell(session, Subject("outage", outage.id), RESTORE, NINE + 5 * HOUR, conversation_id="c1", now=NINE)
        return outage.id


def test_a_time_told_of_an_outage_is_shown_with_the_number_of_the_outage(orders: Database, keyring: Keyring) -> None:
    works(orders)
    promised(orders, keyring, (ANSWER, NINE + 2 * HOUR))
    with orders.reading() as session:
        found = told_promises(session, NINE - 24 * HOUR, NINE + 24 * HOUR, now=NINE)
        order_no = session.scalars(select(WorkOrder.order_no)).one()
    assert [PROMISES.columns["subject"](one, WORDS) for one in found] == [f"工单 {order_no}", "停电 O1"]


def due(orders: Database, now: datetime) -> list[tuple[timedelta, bool, bool | None]]:
    """Return of each time told: when it was due, whether it moved, whether it was kept."""
    with orders.reading() as session:
        found = told_promises(session, NINE - 24 * HOUR, NINE + 24 * HOUR, now=now)
    return [(one.at - NINE, one.moved, one.kept) for one in found]


@pytest.mark.parametrize(("end", "expected"), [("restored", True), ("cancelled", None), (None, None)])
def test_works_put_off_before_they_began_have_moved_and_were_not_kept(
    orders: Database, end: str | None, expected: bool | None
) -> None:
    number = works(orders)
    with orders.transaction() as session:
        outage = session.get_one(Outage, number)
        reschedule(session, outage, NINE + 6 * HOUR, NINE + 9 * HOUR, now=NINE + HOUR)
    if end is not None:
        with orders.transaction() as session:
            change_state(session, session.get_one(Outage, number), end, now=NINE + 8 * HOUR)
    assert due(orders, NINE + 8.5 * HOUR) == [(5 * HOUR, True, None), (9 * HOUR, False, expected)]
    assert due(orders, NINE + 20 * HOUR) == [(5 * HOUR, True, None), (9 * HOUR, False, expected)]


@pytest.mark.parametrize(("said_after", "moved"), [(4, True), (5, True), (6, False)])
def test_a_time_changed_only_after_it_had_passed_was_broken(orders: Database, said_after: int, moved: bool) -> None:
    number = works(orders, "active")
    with orders.transaction() as session:
        expect(session, session.get_one(Outage, number), NINE + 8 * HOUR, now=NINE + said_after * HOUR)
    with orders.transaction() as session:
        change_state(session, session.get_one(Outage, number), "restored", now=NINE + 7 * HOUR)
    in_time, in_vain = [(5 * HOUR, True, None), (8 * HOUR, False, True)], [(5 * HOUR, False, False)]
    assert due(orders, NINE + 20 * HOUR) == (in_time if moved else in_vain)
