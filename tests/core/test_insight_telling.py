"""How figures are told: what is not over yet is not compared as if it were, and what was withdrawn is not kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from insight_kit import DATA

from core import promise
from core.clock import SHANGHAI
from core.db import Database
from core.fields import Keyring
from core.insight.boards import BOARDS
from core.insight.kpi import Asked
from core.insight.promised import Told, told_promises
from core.insight.spans import Span
from core.insight.telling import figure_json
from core.insight.words import words_of
from core.migrations import upgrade
from core.outage import Outage
from core.outage_control import change_state
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


def test_a_share_of_a_day_that_is_not_over_is_compared_and_says_that_it_is_not_over() -> None:
    assert told("first_response", 0.5, 0.75, unfinished=False) == ("bad", "-25.0 个百分点")
    assert told("first_response", 0.5, 0.75, unfinished=True) == ("bad", "-25.0 个百分点（本期未完）")
    assert told("first_response", 0.5, 0.5, unfinished=True) == ("none", "持平（本期未完）")


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
